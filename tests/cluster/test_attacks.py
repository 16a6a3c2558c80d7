"""G10, no silent release: every write path, by every role, at every scope, against the real API server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from meditron_operator import names
from tests.cluster.attacks.matrix import report, run
from tests.cluster.attacks.run import Attackers, Outcome, Result
from tests.cluster.attacks.world import SCOPES, place, states
from tests.testbed import Testbed

pytestmark = pytest.mark.cluster

PAGE = Path("docs/kill-switch-attacks.md")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """A bed without an operator: only the API server defends itself."""
    with Testbed.start(tmp_path_factory.mktemp("attacked"), nodes="L4:1:1") as bed:
        yield bed


@pytest.fixture(scope="module")
def results(attacked: Testbed) -> list[Result]:
    return run(attacked)


@pytest.mark.guarantee("G10", "K11", "K5")
def test_nothing_gets_through(results: list[Result]) -> None:
    assert len(results) > 400
    bad = [result for result in results if result.outcome in {Outcome.BREACH, Outcome.FAILED}]
    assert [(result.attempt.attack.name, result.attempt.actor.name, result.message) for result in bad] == []


def test_no_rule_refuses_by_accident(results: list[Result]) -> None:
    """An expression that can't be evaluated refuses too, and would refuse what is allowed."""
    assert [result.message for result in results if "resulted in error" in result.message] == []


def test_everything_is_as_it_was(results: list[Result], attacked: Testbed) -> None:
    """Also what an attempt started that ends later: the garbage collector, for one with a false owner."""
    attackers = Attackers(attacked)
    for scope in SCOPES:
        metadata = attackers.read(place(scope).carrier_path)["metadata"]
        wanted = states()["engaged"] | ({names.KILLED_BY: "admin"} if scope == "cluster" else {})
        assert metadata["annotations"].items() >= wanted.items()
        assert "deletionTimestamp" not in metadata
        namespace = place(scope).namespace
        for pod in attackers.read(f"/api/v1/namespaces/{namespace}/pods")["items"]:
            assert names.DEPLOYMENT_LABEL not in pod["metadata"]["labels"]
        policies = attackers.read(f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies")["items"]
        assert {policy["metadata"]["name"] for policy in policies} == {"ward-deny", "other"}
        ward = attackers.read(f"/apis/apps/v1/namespaces/{namespace}/statefulsets/ward")
        assert ward["spec"]["replicas"] == 0


def test_the_page_shows_it(results: list[Result]) -> None:
    assert report(results) == PAGE.read_text(encoding="utf-8"), "run `make attacks`"
