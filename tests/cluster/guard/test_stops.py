"""What is engaged is taken down, proven and told, whatever else is broken."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from tests.cluster.guard.told import engaged, gate_of, is_down, pods_of, switch, told_as, wait_down, without
from tests.cluster.guard.unguarded import unguarded_by_admission
from tests.cluster.people import engage, release, resume
from tests.cluster.support import ROOT, Admin, Manifest, deployment
from tests.testbed import Testbed
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.cluster


def serving(admin: Admin, namespace: str, *names: str, **spec: object) -> None:
    for name in names:
        admin.create(deployment(name, namespace, **spec))
    for name in names:
        admin.wait_settled(namespace, name, "Ready")


@pytest.mark.guarantee("G3", "G12")
def test_a_halt_is_carried_out_and_proven_while_the_operator_is_down(
    bed: Testbed, admin: Admin, namespace: str
) -> None:
    serving(admin, namespace, "notes", replicas=2)
    with without(bed, "operator"):
        engage(admin, namespace, "notes")
        told = engaged(admin, namespace, "notes")

        assert is_down(admin, namespace, "notes")
        assert (told["scope"], told["mode"], told["reason"]) == ("deployment", "halt", "wrong dose suggested")
        assert told["killedBy"] == "admin"
        assert told["engagedAt"] <= told["trafficCutAt"] <= told["lastPodGoneAt"] <= told["verifiedAt"]
        assert 0 < told["secondsToStop"] < 5
        assert "no answer from" in told["message"]

    release(admin, namespace, "notes")
    assert told_as(admin, namespace, "notes", "Released")["verifiedAt"] == told["verifiedAt"]
    assert is_down(admin, namespace, "notes")
    resume(admin, namespace, "notes")
    told_as(admin, namespace, "notes", "Resumed")
    admin.wait_settled(namespace, "notes", "Ready")
    assert switch(admin, namespace, "notes")["state"] == "Resumed"


def test_operator_and_guard_come_to_the_same_end(admin: Admin, namespace: str) -> None:
    serving(admin, namespace, "notes")
    engage(admin, namespace, "notes")
    engaged(admin, namespace, "notes")
    admin.wait_settled(namespace, "notes", "Stopped")
    assert is_down(admin, namespace, "notes")


@pytest.mark.parametrize("scope", ["namespace", "cluster"])
def test_a_wider_scope_stops_all_in_it(bed: Testbed, admin: Admin, namespace: str, scope: str) -> None:
    carrier = namespace if scope == "namespace" else "meditron-system"
    serving(admin, namespace, "notes", "letters")
    with without(bed, "operator"):
        engage(admin, None, carrier, kind="Namespace")
        try:
            for name in ("notes", "letters"):
                assert engaged(admin, namespace, name)["scope"] == scope
                assert is_down(admin, namespace, name)
        finally:
            release(admin, None, carrier, kind="Namespace")
        for name in ("notes", "letters"):
            assert told_as(admin, namespace, name, "Released")["scope"] == scope
    resume(admin, None, carrier, kind="Namespace")
    for name in ("notes", "letters"):
        told_as(admin, namespace, name, "Resumed")
        admin.wait_settled(namespace, name, "Ready")


@pytest.mark.guarantee("G11")
def test_a_hold_keeps_the_pods_warm_until_it_becomes_a_halt(bed: Testbed, admin: Admin, namespace: str) -> None:
    serving(admin, namespace, "notes")
    (pod,) = pods_of(admin, namespace, "notes")
    with without(bed, "operator"):
        engage(admin, namespace, "notes", "hold")
        held = engaged(admin, namespace, "notes", mode="hold")

        (kept,) = pods_of(admin, namespace, "notes")
        assert kept["metadata"]["uid"] == pod["metadata"]["uid"]
        assert gate_of(kept) == "False"
        assert admin.get("NetworkPolicy", namespace, "notes-allow") is not None
        assert "1 pods are kept warm" in held["message"]
        assert "lastPodGoneAt" not in held
        assert held["secondsToStop"] < 5

        engage(admin, namespace, "notes", "halt")
        halted = engaged(admin, namespace, "notes", mode="halt")
        assert is_down(admin, namespace, "notes")
        assert halted["engagedAt"] > held["engagedAt"]


@pytest.mark.guarantee("G11")
def test_a_drain_lets_answers_finish_and_then_cuts(bed: Testbed, admin: Admin, namespace: str) -> None:
    """No engine runs on a simulated node, so none says that it is idle: the grace decides."""
    serving(admin, namespace, "notes", shutdown={"graceSeconds": 4})
    with without(bed, "operator"):
        engage(admin, namespace, "notes", "drain")
        told = told_as(admin, namespace, "notes", "Engaging", mode="drain")
        admin.wait("Pod", namespace, "notes-0", lambda body: body is not None and gate_of(body) == "False")
        assert admin.get("NetworkPolicy", namespace, "notes-allow") is not None
        bed.kill("guard")  # a restart makes it no longer
        bed.start_program("guard")

        proven = engaged(admin, namespace, "notes")
        assert proven["engagedAt"] == told["engagedAt"]
        assert 4 <= proven["secondsToStop"] < 8
        assert is_down(admin, namespace, "notes")


def test_a_pod_without_its_label_is_found(bed: Testbed, admin: Admin, namespace: str) -> None:
    serving(admin, namespace, "notes")
    with without(bed, "operator", "kube-controller-manager"):
        admin.patch("Pod", namespace, "notes-0", {"metadata": {"labels": {"meditron.ai/deployment": None}}})
        admin.patch("StatefulSet", namespace, "notes", {"metadata": {"labels": {"meditron.ai/deployment": None}}})
        engage(admin, namespace, "notes")
        admin.wait_gone("Pod", namespace, "notes-0")
        wait_down(admin, namespace, "notes")


def test_a_pod_that_ends_at_its_leisure_is_hurried(bed: Testbed, admin: Admin, namespace: str) -> None:
    serving(admin, namespace, "notes")
    with without(bed, "operator", "kwok"):
        admin.resource("Pod").delete(name="notes-0", namespace=namespace, body={"gracePeriodSeconds": 300})
        engage(admin, namespace, "notes")
        admin.wait("Pod", namespace, "notes-0", lambda body: _grace(body) == 1)
        assert switch(admin, namespace, "notes").get("state") in (None, "Engaging")
    engaged(admin, namespace, "notes")


def _grace(body: Manifest | None) -> int | None:
    return body["metadata"].get("deletionGracePeriodSeconds") if body else None


@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.guarantee("G2")
def test_who_scales_it_up_where_no_policy_forbids_it_loses(
    bed: Testbed, admin: Admin, namespace: str, replicas: int
) -> None:
    serving(admin, namespace, "notes")
    with without(bed, "operator"):
        engage(admin, namespace, "notes")
        first = engaged(admin, namespace, "notes")
        with unguarded_by_admission(bed, admin, namespace):
            for _ in range(3):
                admin.patch("StatefulSet", namespace, "notes", {"spec": {"replicas": replicas}})
                admin.wait("StatefulSet", namespace, "notes", lambda body: bool(body) and _replicas(body) == 0)
            wait_down(admin, namespace, "notes")
        again = engaged(admin, namespace, "notes")
        assert again["engagedAt"] == first["engagedAt"]


def _replicas(body: Manifest | None) -> int | None:
    return body["spec"]["replicas"] if body else None


@pytest.mark.parametrize(
    ("spec", "scope"),
    [
        ({"gpu": {"type": "L4", "count": "two"}}, "deployment"),
        ({"model": "meditron-7b"}, "namespace"),  # the server takes no write to such an object, no annotation either
    ],
)
@pytest.mark.guarantee("G2", "K8")
def test_a_stored_spec_of_any_shape_is_stopped(
    bed: Testbed, admin: Admin, namespace: str, spec: Manifest, scope: str
) -> None:
    serving(admin, namespace, "notes")
    with without(bed, "operator"):
        with loosened(bed, admin, namespace):
            admin.patch("MeditronDeployment", namespace, "notes", {"spec": spec})
        if scope == "deployment":
            engage(admin, namespace, "notes")
            engaged(admin, namespace, "notes")
            assert is_down(admin, namespace, "notes")
            return
        engage(admin, None, namespace, kind="Namespace")
        wait_down(admin, namespace, "notes")
        release(admin, None, namespace, kind="Namespace")
        with loosened(bed, admin, namespace):
            admin.delete("MeditronDeployment", namespace, "notes")


@contextmanager
def loosened(bed: Testbed, admin: Admin, namespace: str) -> Iterator[None]:
    """The definition has no rules, as one of an earlier release."""
    definition: Manifest = yaml.safe_load((ROOT / "crds" / "meditrondeployments.yaml").read_text())
    loose = copy.deepcopy(definition)
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema

    def has_rules() -> bool:
        odd = deployment("probe", namespace) | {"spec": {"model": "text"}}
        try:
            admin.create(odd, dry_run="All")
        except Exception as refused:
            return "spec" in str(refused)
        return False

    bed.apply([loose])
    wait_for("the CRD without rules", lambda: not has_rules(), 20)
    try:
        yield
    finally:
        bed.apply([definition])
        wait_for("the CRD with its rules", has_rules, 20)
