"""Sync waves: the canary first."""

import pytest

from meditron_operator import names
from tests.cluster.people import engage, release, resume
from tests.cluster.support import Admin, Manifest, create_all, deployment, weights_volume
from tests.ecosystem.argocd.argo import Argo, Repository, application, operation_of

pytestmark = pytest.mark.cluster

NAME = "waves"
WAVE = "argocd.argoproj.io/sync-wave"


def wave(name: str, number: int, context_tokens: int) -> Manifest:
    body = deployment(name, NAME, rollout={"allowOutage": True})
    body["metadata"]["annotations"] = {WAVE: str(number)}
    body["spec"]["model"]["contextTokens"] = context_tokens
    return body


def both(context_tokens: int) -> dict[str, list[Manifest]]:
    return {f"{NAME}/models.yaml": [wave("canary", 0, context_tokens), wave("ward", 1, context_tokens)]}


def context_of(admin: Admin, name: str) -> int:
    body = admin.get(names.KIND, NAME, name)
    assert body is not None
    return int(body["spec"]["model"]["contextTokens"])


@pytest.fixture
def canary(admin: Admin, argo: Argo, repository: Repository) -> str:
    """Both serve."""
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME}})
    create_all(admin, weights_volume(NAME))
    commit = repository.commit(both(512))
    admin.create(application(NAME, repository, ["ServerSideApply=true"]))
    argo.wait_synced(NAME, commit)
    argo.wait_health(NAME, "Healthy")
    return "canary"


def test_while_the_canary_is_stopped_nobody_else_gets_a_change(
    admin: Admin, argo: Argo, repository: Repository, canary: str
) -> None:
    engage(admin, NAME, canary)
    argo.wait_health(NAME, "Suspended")

    commit = repository.commit(both(1024))
    argo.look(NAME)

    waiting = "waiting for healthy state of meditron.ai/MeditronDeployment/canary"
    argo.wait(NAME, lambda body: waiting in operation_of(body).get("message", ""))
    assert (context_of(admin, "canary"), context_of(admin, "ward")) == (1024, 512)

    release(admin, NAME, canary)
    resume(admin, NAME, canary)

    argo.wait_synced(NAME, commit)
    argo.wait_health(NAME, "Healthy")
    assert context_of(admin, "ward") == 1024
