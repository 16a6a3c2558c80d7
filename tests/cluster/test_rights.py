"""The operator's rights and its liveness, as the API server and a probe see them."""

import json
import urllib.request
from collections.abc import Iterable

import pytest
import yaml

from meditron_operator import names
from tests.chart.render import BUNDLE
from tests.cluster.support import Admin, Audit, Manifest, Request, deployment
from tests.testbed import Testbed
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.cluster

# After a lost race only: these are watched without a selector, so nothing about them is ever unseen.
RARE = {("networkpolicies", "get")}
CHILD_KINDS = ("StatefulSet", "Service", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget")

BROKEN = {"engine": {"extraEnv": {"SIMULATED_FAULT": "crash"}}, "rollout": {"onFailure": "rollback"}}
CORRECTED = {"engine": {"extraEnv": {"SIMULATED_FAULT": None}}}


def granted() -> set[tuple[str, str]]:
    """(resource, verb) of the ClusterRole and the Role that are shipped."""
    objects = [body for body in yaml.safe_load_all(BUNDLE.read_text()) if body["kind"] in ("ClusterRole", "Role")]
    rules = [rule for body in objects if body["metadata"]["name"] == names.OPERATOR_NAME for rule in body["rules"]]
    return {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}


def test_every_right_is_used_and_none_is_missing(bed: Testbed, admin: Admin, audit: Audit, namespace: str) -> None:
    """One life with all its turns, from the operator's start on: the audit log equals the role."""
    bed.stop("operator")
    admin.delete("Lease", "meditron-system", names.OPERATOR_NAME)  # as at an operator's first start
    mark = audit.mark()
    bed.start_program("operator")
    admin.create(deployment("notes", namespace, replicas=2))
    admin.wait_settled(namespace, "notes", "Ready")
    admin.patch("MeditronDeployment", namespace, "notes", {"spec": BROKEN})
    admin.wait_condition(namespace, "notes", "Progressing", "RolledBack")
    admin.patch("MeditronDeployment", namespace, "notes", {"spec": CORRECTED})
    admin.wait_settled(namespace, "notes", "Ready")
    for kind in CHILD_KINDS:
        name = "notes-deny" if kind == "NetworkPolicy" else "notes"
        admin.edit(kind, namespace, name, lambda body: body["metadata"].update(labels=None))
        admin.wait(kind, namespace, name, labelled)
    admin.patch("MeditronDeployment", namespace, "notes", {"spec": {"replicas": 1, "network": {"clients": []}}})
    admin.wait_gone("PodDisruptionBudget", namespace, "notes")
    admin.wait_gone("NetworkPolicy", namespace, "notes-allow")

    renewed = ("leases", "update")
    wait_for(
        "the lease to be renewed", lambda: renewed in {(each.resource, each.verb) for each in audit.since(mark)}, 10
    )

    requests = [request for request in audit.since(mark) if request.resource]
    assert [request for request in requests if request.code == 403] == []
    assert asked_for(requests) | RARE == granted()


def asked_for(requests: Iterable[Request]) -> set[tuple[str, str]]:
    """(resource, verb) of each."""
    return {(request.resource, request.verb) for request in requests}


def labelled(body: Manifest | None) -> bool:
    return bool(body and body["metadata"].get("labels"))


def test_liveness_knows_the_age_of_every_watch(bed: Testbed, admin: Admin, namespace: str) -> None:
    admin.create(deployment("notes", namespace, replicas=0))
    admin.wait_settled(namespace, "notes", "Idle")
    assert bed.operator_health_url is not None

    with urllib.request.urlopen(bed.operator_health_url, timeout=5) as answer:  # noqa: S310 - loopback
        body = json.load(answer)

    assert set(body["watchAgeSeconds"]) == {resource for resource, verb in granted() if verb == "watch"}
    assert all(age is not None and age < 90 for age in body["watchAgeSeconds"].values())
    assert body["lastSuccessfulPassAgeSeconds"] < 30
    assert body["complaints"] == []
