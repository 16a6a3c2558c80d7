"""Every way in which Argo CD syncs, while the kill switch is engaged: what it may, and what it can't undo."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest

from meditron_operator import names
from tests.cluster.people import engage, release, resume
from tests.cluster.support import (
    STATEFULSET_CONTROLLER_USER,
    Admin,
    Audit,
    Manifest,
    Mark,
    create_all,
    deployment,
    weights_volume,
)
from tests.ecosystem.argocd.argo import Argo, Repository, application
from tests.ecosystem.argocd.outcomes import ENGAGED, NOT_ENGAGED, WAYS, Event, Mode, Outcome

pytestmark = pytest.mark.cluster

NAME: Final = "notes"
FILE: Final = "notes.yaml"
BY_HAND: Final = 512
REFUSAL: Final = "ValidatingAdmissionPolicy 'meditron-"


@dataclass(frozen=True, slots=True)
class Wards:
    """One deployment for each mode, in a namespace and with an Application of the mode's name."""

    admin: Admin
    argo: Argo
    repository: Repository

    def commit(self, change: Callable[[Manifest], object] | None) -> str:
        """The same change for all; None takes them away. Returns the commit."""
        return self.repository.commit({f"{mode}/{FILE}": self._in_git(mode, change) for mode in Mode})

    def get(self, mode: Mode) -> Manifest:
        found = self.admin.get(names.KIND, mode, NAME)
        assert found is not None
        return found

    def wait_phase(self, phase: str) -> None:
        for mode in Mode:
            self.admin.wait_phase(mode, NAME, phase)

    def _in_git(self, mode: Mode, change: Callable[[Manifest], object] | None) -> list[Manifest]:
        if change is None:
            return []
        body = deployment(NAME, mode, rollout={"allowOutage": True})
        if WAYS[mode].annotation:
            body["metadata"]["annotations"] = {"argocd.argoproj.io/sync-options": WAYS[mode].annotation}
        change(body)
        return [body]


def plain(_: Manifest) -> None:
    """As it is, without replicas."""


def context(tokens: int, **spec: Any) -> Callable[[Manifest], None]:
    """With that many tokens of context, which every replica restarts for."""

    def change(body: Manifest) -> None:
        body["spec"]["model"]["contextTokens"] = tokens
        body["spec"].update(spec)

    return change


def resumed_by_git(body: Manifest) -> None:
    context(1024)(body)
    body["metadata"].setdefault("annotations", {})[names.RESUME] = "rosa"


@pytest.fixture(scope="module")
def wards(admin: Admin, argo: Argo, repository: Repository) -> Wards:
    """All of them serve."""
    wards = Wards(admin, argo, repository)
    first = wards.commit(plain)
    for mode in Mode:
        admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": mode}})
        create_all(admin, weights_volume(mode))
        admin.create(application(mode, repository, WAYS[mode].options))
    for mode in Mode:
        argo.wait_synced(mode, first)
    wards.wait_phase("Ready")
    return wards


@pytest.fixture(scope="module")
def engaged(wards: Wards, audit: Audit) -> Mark:
    """All of them are stopped, proven by the guard."""
    for mode in Mode:
        engage(wards.admin, mode, NAME)
    wards.wait_phase("Stopped")
    return audit.mark()


def test_what_an_autoscaler_set_stays_where_git_leaves_it_out(wards: Wards) -> None:
    before = {mode: wards.get(mode)["metadata"]["uid"] for mode in Mode}
    for mode in Mode:
        wards.admin.patch(names.KIND, mode, NAME, {"spec": {"replicas": 2}})

    commit = wards.commit(context(1024))
    for mode in Mode:
        wards.argo.look(mode)

    outcomes = {}
    for mode in Mode:
        wards.argo.wait_synced(mode, commit)
        body = wards.get(mode)
        kept = Outcome.DONE if body["spec"]["replicas"] == 2 else Outcome.RESET
        outcomes[mode] = kept if body["metadata"]["uid"] == before[mode] else Outcome.REMADE
    assert outcomes == NOT_ENGAGED
    for mode in Mode:
        wards.admin.wait_settled(mode, NAME, "Ready", 60)


def nothing(wards: Wards) -> str:
    return wards.repository.head()


def drift(wards: Wards) -> str:
    for mode in Mode:
        wards.admin.patch(names.KIND, mode, NAME, {"spec": {"model": {"contextTokens": BY_HAND}}})
    return wards.repository.head()


EVENTS: Final[Mapping[Event, Callable[[Wards], str]]] = {
    Event.LOOK: nothing,
    Event.DRIFT: drift,
    Event.CHANGE: lambda wards: wards.commit(context(2048)),
    Event.RAISE: lambda wards: wards.commit(context(2048, replicas=3)),
    Event.ASSERT: lambda wards: wards.commit(resumed_by_git),
    Event.PRUNE: lambda wards: wards.commit(None),
}
"""Each returns the commit that Argo CD then looks at."""


@pytest.mark.guarantee("G2", "G5", "G10", "K11")
@pytest.mark.parametrize("event", Event)
def test_no_way_to_sync_undoes_it(wards: Wards, audit: Audit, engaged: Mark, event: Event) -> None:
    uids = {mode: wards.get(mode)["metadata"]["uid"] for mode in Mode}

    commit = EVENTS[event](wards)
    stored = {mode: wards.get(mode)["spec"] for mode in Mode}
    for mode in Mode:
        wards.argo.look(mode)

    for mode, outcome in ENGAGED[event].items():
        if outcome is Outcome.REFUSED:
            wards.argo.wait_refused(mode, commit, REFUSAL)
            assert wards.get(mode)["spec"] == stored[mode]
        else:
            wards.argo.wait_synced(mode, commit)
            assert wards.get(mode)["spec"]["model"]["contextTokens"] != BY_HAND
        assert wards.get(mode)["metadata"]["uid"] == uids[mode]
        assert wards.get(mode)["metadata"]["annotations"][names.KILL_SWITCH] == "halt"
        wards.argo.wait_health(mode, "Suspended")
    assert pods_made(audit, engaged) == []


@pytest.mark.guarantee("G6")
def test_a_release_restarts_nothing_and_a_resumption_carries_out_what_waited(
    wards: Wards, audit: Audit, engaged: Mark
) -> None:
    commit = wards.commit(context(2048, replicas=2))
    for mode in Mode:
        release(wards.admin, mode, NAME)
        wards.argo.look(mode)
    for mode in Mode:
        wards.admin.wait_condition(mode, NAME, "Stopped", "Released")
    assert pods_made(audit, engaged) == []

    for mode in Mode:
        resume(wards.admin, mode, NAME)

    for mode in Mode:
        wards.argo.wait_synced(mode, commit)
        wards.argo.wait_health(mode, "Healthy")
        assert wards.get(mode)["status"]["ready"] == "2/2"


def pods_made(audit: Audit, mark: Mark) -> list[str]:
    """The namespaces of ours in which a pod was created since."""
    made = (
        each
        for each in audit.since(mark, STATEFULSET_CONTROLLER_USER)
        if (each.verb, each.resource) == ("create", "pods")
    )
    return [each.namespace for each in made if each.code == 201 and each.namespace in set(Mode)]
