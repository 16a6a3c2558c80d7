"""The guard's rights, its figures, and the scalers that it pauses."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from kubernetes import client, config

from meditron_operator import names
from tests.chart.render import BUNDLE
from tests.cluster.guard.told import GUARD_USER, asked, engaged, told_as, without
from tests.cluster.people import engage, release, resume
from tests.cluster.support import Admin, Audit, Manifest, Mark, deployment
from tests.testbed import Testbed
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.cluster

PAUSED, BY = "autoscaling.keda.sh/paused", "meditron.ai/paused-by"


def granted(role_name: str) -> set[tuple[str, str]]:
    """(resource, verb) of the ClusterRole and the Role by this name that are shipped."""
    bodies = [body for body in yaml.safe_load_all(BUNDLE.read_text()) if body["kind"] in ("ClusterRole", "Role")]
    rules = [rule for body in bodies if body["metadata"]["name"] == role_name for rule in body["rules"]]
    return {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}


@pytest.fixture(scope="module")
def keda(bed: Testbed, admin: Admin) -> Iterator[None]:
    """The kind alone; a guard that looked for it in vain looks again once a minute, or when it starts."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    kinds = {"kind": "ScaledObject", "plural": "scaledobjects", "singular": "scaledobject"}
    definition: Manifest = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "scaledobjects.keda.sh"},
        "spec": {"group": "keda.sh", "scope": "Namespaced", "names": kinds, "versions": [version]},
    }
    bed.apply([definition])
    admin.dynamic.resources.invalidate_cache()
    yield
    admin.delete("CustomResourceDefinition", None, "scaledobjects.keda.sh")


def scaled_object(namespace: str, name: str, kind: str, annotations: Any = None) -> Manifest:
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}},
        "spec": {"scaleTargetRef": {"apiVersion": "x/v1", "kind": kind, "name": "notes"}},
    }


def test_every_right_is_used_and_none_is_missing(
    bed: Testbed, admin: Admin, audit: Audit, namespace: str, keda: None
) -> None:
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    for name, kind in (("ours", "MeditronDeployment"), ("set", "StatefulSet"), ("other", "Deployment")):
        admin.create(scaled_object(namespace, name, kind))
    admin.create(scaled_object(namespace, "theirs", "MeditronDeployment", {PAUSED: "true"}))
    with without(bed, "operator"):
        bed.stop("guard")
        admin.delete("Lease", "meditron-system", names.GUARD_NAME)  # as at a guard's first start
        mark = audit.mark()
        bed.start_program("guard")
        engage(admin, namespace, "notes")
        engaged(admin, namespace, "notes")
        assert paused(admin, namespace) == {"ours": "meditron-guard", "set": "meditron-guard", "theirs": None}
        release(admin, namespace, "notes")
        resume(admin, namespace, "notes")
        told_as(admin, namespace, "notes", "Resumed")
        renewed = ("leases", "update")
        wait_for("the lease to be renewed", lambda: renewed in asked_for(audit, mark), 10)
        bed.stop("guard")
        requests = [request for request in audit.since(mark, GUARD_USER) if request.resource]
        bed.start_program("guard")

    assert paused(admin, namespace) == {"theirs": None}
    assert [request for request in requests if request.code == 403] == []
    used = {(request.resource, request.verb) for request in requests}
    assert granted(names.GUARD_NAME) <= used
    # Those are used up in test_records.py: most are needed only where a stop vanished, or another guard was faster.
    assert used <= granted(names.GUARD_NAME) | granted(f"{names.GUARD_NAME}-records")


def asked_for(audit: Audit, mark: Mark) -> set[tuple[str, str]]:
    """(resource, verb) of each request of the guard."""
    return {(each.resource, each.verb) for each in audit.since(mark, GUARD_USER)}


@pytest.mark.guarantee("G14")
def test_its_requests_have_a_queue_of_their_own(bed: Testbed, admin: Admin) -> None:
    schema = admin.get("FlowSchema", None, names.GUARD_NAME)
    assert schema is not None
    account = config.new_client_from_config(str(bed.directory / "meditron-guard.kubeconfig"))  # type: ignore[no-untyped-call]
    _, _, headers = client.CoreV1Api(account).list_namespace_with_http_info()
    assert headers["X-Kubernetes-PF-FlowSchema-UID"] == schema["metadata"]["uid"]


def paused(admin: Admin, namespace: str) -> dict[str, str | None]:
    """Which scalers are paused, and by whom."""
    found = {
        body["metadata"]["name"]: body["metadata"].get("annotations") or {}
        for body in admin.list("ScaledObject", namespace)
    }
    return {name: said.get(BY) for name, said in found.items() if said.get(PAUSED) == "true"}


def test_its_health_and_its_figures(bed: Testbed, admin: Admin, namespace: str) -> None:
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    engage(admin, namespace, "notes")
    engaged(admin, namespace, "notes")

    health = json.loads(asked(bed, "/healthz"))
    assert health["complaints"] == []
    assert set(health["watchAgeSeconds"]) == {
        resource for resource, verb in granted(names.GUARD_NAME) if verb == "watch"
    }
    assert all(health["watchAgeSeconds"][carrier] < 12 for carrier in ("meditrondeployments", "namespaces"))
    figures = asked(bed, "/metrics")
    assert f'meditron_guard_engaged{{mode="halt",name="notes",namespace="{namespace}"}} 1.0' in figures
    for figure in ("seconds_to_stop_bucket", 'watch_age_seconds{resource="pods"}', "unconfirmed_pods", "errors_total"):
        assert f"meditron_guard_{figure}" in figures
