"""Argo CD's health follows ours: in every phase that a status may tell, and in those that a cluster brings about."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from meditron_operator import names
from tests.cluster.guard.told import GUARD_USER, without
from tests.cluster.people import as_person, engage, release, resume
from tests.cluster.support import Admin, Manifest, create_all, deployment, weights_volume
from tests.ecosystem.argocd.argo import Argo, Repository, application
from tests.testbed import Testbed

pytestmark = pytest.mark.cluster

NAME: Final = "health"
FILE: Final = f"{NAME}/notes.yaml"
RECORDS: Final = "records"
SOON_SECONDS: Final = 15
"""A watch away: it takes about a tenth of a second."""


@pytest.fixture(scope="module")
def notes(admin: Admin, argo: Argo, repository: Repository) -> str:
    """A deployment that serves, and its Application."""
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME}})
    create_all(admin, weights_volume(NAME))
    repository.commit({FILE: [deployment("notes", NAME)]})
    admin.create(application(NAME, repository, ["ServerSideApply=true"]))
    argo.wait_health(NAME, "Healthy")
    return "notes"


@pytest.mark.parametrize(
    ("spec", "health"),
    [
        pytest.param({"model": {"id": "no-such-model"}}, "Degraded", id="Invalid"),
        pytest.param({"gpu": {"type": "A100-80GB"}}, "Progressing", id="RollingOut"),  # its only replica goes on
        pytest.param({"replicas": 0}, "Healthy", id="Idle"),
        pytest.param({"replicas": 1}, "Healthy", id="Ready"),
    ],
)
def test_what_a_commit_brings_about(
    admin: Admin, argo: Argo, repository: Repository, notes: str, spec: Manifest, health: str, request: Any
) -> None:
    body = deployment(notes, NAME)
    for section, change in spec.items():
        body["spec"][section] = {**body["spec"][section], **change} if isinstance(change, dict) else change

    commit = repository.commit({FILE: [body]})
    argo.look(NAME)

    argo.wait_synced(NAME, commit)
    admin.wait_phase(NAME, notes, request.node.callspec.id)
    argo.wait_health(NAME, health, SOON_SECONDS)


@pytest.mark.guarantee("G12", "K14")
def test_what_is_engaged_is_never_healthy(bed: Testbed, admin: Admin, argo: Argo, notes: str) -> None:
    """Not even while nobody of ours is there to say so, and the status still tells of the time before."""
    admin.wait_phase(NAME, notes, "Ready")
    argo.wait_health(NAME, "Healthy")
    with without(bed, "operator", "guard"):
        engage(admin, NAME, notes)

        body = argo.wait_health(NAME, "Progressing", SOON_SECONDS)
        assert "the kill switch is engaged (halt)" in health_of_object(body, notes)["message"]
    argo.wait_health(NAME, "Suspended")
    release(admin, NAME, notes)
    resume(admin, NAME, notes)
    argo.wait_health(NAME, "Healthy")


@pytest.fixture(scope="module")
def silent(bed: Testbed, notes: str) -> Iterator[None]:
    """Nobody else writes a status, from here to the end of this file."""
    with without(bed, "operator", "guard"):
        yield


def told(phase: str, about: str = "", message: str = "", reason: str = "Any") -> Manifest:
    """A status as the operator writes it, in its parts that health is made from; `about`: type of its condition."""
    known = {"type": about, "status": "Unknown", "reason": reason, "message": message}
    conditions = [known | {"lastTransitionTime": "2026-01-01T00:00:00Z"}] if about else []
    return {"phase": phase, "reason": reason, "conditions": conditions}


@pytest.mark.parametrize(
    ("status", "health", "message"),
    [
        (told("Ready", "Available", "1 answers"), "Healthy", "Ready: 1 answers"),
        (told("Idle", "Available", "replicas is 0"), "Healthy", "Idle: replicas is 0"),
        (told("Loading", "Available", "since 12:00"), "Progressing", "Loading: since 12:00"),
        (told("RollingOut", "Progressing", "1 of 2"), "Progressing", "RollingOut: 1 of 2"),
        (told("Pending", "Scheduled", "a taint"), "Progressing", "Pending: a taint"),
        (told("WaitingForGPU", "Scheduled", "1 free"), "Progressing", "WaitingForGPU: 1 free"),
        (told("Invalid", "Accepted", "no such model"), "Degraded", "Invalid: no such model"),
        (
            told("Degraded", "Available", "exit code 1", reason="CrashLoop"),
            "Degraded",
            "Degraded: exit code 1",
        ),
        (
            told("Degraded", "Progressing", "quota", reason="WriteRefused"),
            "Degraded",
            "Degraded: quota",
        ),
        (told("Stopping", "Stopped", "still there"), "Progressing", "Stopping: still there"),
        (told("Stopped", "Stopped", "proven"), "Suspended", "Stopped: proven"),
        (told("Ready"), "Healthy", "Ready"),
        (told("SomethingNew"), "Progressing", "SomethingNew"),
        (told("Ready") | {"observedGeneration": 1}, "Progressing", "no operator has looked at the new spec yet"),
        (None, "Progressing", "no operator has looked at it yet"),
    ],
    ids=lambda value: value["phase"] if isinstance(value, dict) else "",
)
def test_what_a_status_tells(
    admin: Admin, argo: Argo, notes: str, silent: None, status: Manifest | None, health: str, message: str
) -> None:
    other = "Invalid" if health == "Healthy" else "Ready"
    write_status(admin, notes, told(other))
    argo.wait_health(NAME, {"Invalid": "Degraded", "Ready": "Healthy"}[other], SOON_SECONDS)

    write_status(admin, notes, status)

    body = argo.wait_health(NAME, health, SOON_SECONDS)
    assert health_of_object(body, notes)["message"].startswith(message)


def write_status(admin: Admin, name: str, status: Manifest | None) -> None:
    """In the place of the operator; None: as if none had ever come."""
    body = admin.get(names.KIND, NAME, name)
    assert body is not None
    generation = {"observedGeneration": body["metadata"]["generation"]}
    body["status"] = {} if status is None else generation | status
    admin.resource(names.KIND).status.replace(body=body, namespace=NAME)


def health_of_object(body: Manifest, name: str) -> Manifest:
    found: Manifest = next(each["health"] for each in body["status"]["resources"] if each["name"] == name)
    return found


@pytest.mark.parametrize(
    ("number", "status", "health", "message"),
    [
        (1, None, "Progressing", "Engage: the outcome is not known yet"),
        (2, {"state": "Engaged"}, "Healthy", "Engaged"),
        (
            3,
            {"state": "EngagedUnverified", "unconfirmedPods": ["a", "b"]},
            "Degraded",
            "stopped, but not proven: nobody saw the end of a, b",
        ),
    ],
)
def test_what_a_record_tells(
    admin: Admin, argo: Argo, repository: Repository, number: int, status: Manifest | None, health: str, message: str
) -> None:
    """Nobody keeps records in Git. Here Git names one that the guard wrote, and nobody syncs."""
    name, guard = f"{RECORDS}-{number}", as_person(admin, GUARD_USER)
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    record = guard.create(record_of(name))
    if status is not None:
        merge = "application/merge-patch+json"
        write = guard.resource(names.RECORD_KIND).status
        write.patch(name="kill-000001", namespace=name, body={"status": status}, content_type=merge)

    repository.commit({f"{name}/record.yaml": [record_of(name)]})
    admin.create(application(name, repository, automated=None))
    argo.look(name)  # it may have known only the commit before this one

    body = argo.wait_health(name, health)
    assert health_of_object(body, record["metadata"]["name"])["message"].startswith(message)


def record_of(namespace: str) -> Manifest:
    """The first of a namespace."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.RECORD_KIND,
        "metadata": {"name": "kill-000001", "namespace": namespace},
        "spec": {
            "sequence": 1,
            "namespace": namespace,
            "action": "Engage",
            "scope": "deployment",
            "target": "notes",
            "mode": "halt",
            "previousHash": "",
            "hash": "0" * 64,
        },
    }
