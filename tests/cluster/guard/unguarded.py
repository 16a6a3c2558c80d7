"""Tests of what holds where no admission policy is in force."""

from collections.abc import Iterator
from contextlib import contextmanager

import yaml

from tests.cluster.support import ROOT, Admin
from tests.testbed import Testbed
from tests.testbed.waiting import wait_for


@contextmanager
def unguarded_by_admission(bed: Testbed, admin: Admin, namespace: str) -> Iterator[None]:
    """No admission policy of ours is in force."""
    bundle = [body for body in yaml.safe_load_all((ROOT / "manifests" / "install.yaml").read_text()) if body]
    bindings = [body for body in bundle if body["kind"] == "ValidatingAdmissionPolicyBinding"]
    for body in bindings:
        admin.delete(body["kind"], None, body["metadata"]["name"])
    probe = {"spec": {"replicas": 1}}

    def is_forbidden() -> bool:
        try:
            admin.patch("StatefulSet", namespace, "notes", probe, dry_run="All")
        except Exception as refused:
            return "kill switch" in str(refused)
        return False

    wait_for("the policies to be gone", lambda: not is_forbidden(), 20)
    try:
        yield
    finally:
        bed.apply(bindings)
        wait_for("the policies to be back", is_forbidden, 20)
