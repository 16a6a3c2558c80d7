"""What `meditron check` makes of what it finds."""

from typing import Any

import pytest

from meditron_operator.core.installation import attempts, readiness
from meditron_operator.core.spec import Spec, parse

DENIED = "killrecords.meditron.ai is forbidden: ValidatingAdmissionPolicy '{}' with binding '{}' denied request: {}"


def workload(generation: int = 2, replicas: int = 2, **status: int) -> dict[str, Any]:
    return {"metadata": {"generation": generation}, "spec": {"replicas": replicas}, "status": status}


@pytest.mark.parametrize(
    ("deployment", "fine", "words"),
    [
        (None, False, "is not installed"),
        (workload(observedGeneration=2, readyReplicas=2, updatedReplicas=2), True, "2 of 2 ready"),
        (workload(observedGeneration=2, readyReplicas=1, updatedReplicas=2), False, "1 of 2 ready"),
        (workload(observedGeneration=2, readyReplicas=2, updatedReplicas=1), False, "2 of 2 ready, 1 of this version"),
        (workload(observedGeneration=1, readyReplicas=2, updatedReplicas=2), False, "2 of 2 ready"),
        (workload(replicas=0, observedGeneration=2), False, "0 of 0 ready"),
        ({**workload(), "status": None}, False, "0 of 2 ready, 0 of this version"),
    ],
)
def test_ready_is_what_is_ready_of_this_version(deployment: dict[str, Any] | None, fine: bool, words: str) -> None:
    finding = readiness("meditron-guard", deployment)
    assert (finding.fine, finding.words) == (fine, words)


@pytest.mark.parametrize("attempt", attempts("o"), ids=lambda attempt: attempt.policy)
def test_only_its_own_policy_counts(attempt: Any) -> None:
    told = attempt.judged(DENIED.format(attempt.policy, attempt.policy, "by the guard alone"))
    assert (told.fine, told.words) == (True, "refused: by the guard alone")
    assert not attempt.judged(None).fine
    for other in (DENIED.format("other", "other", "no"), 'cannot create resource "killrecords"'):
        assert not attempt.judged(other).fine
        assert other in attempt.judged(other).words


def test_what_is_tried_is_valid_but_for_what_is_forged() -> None:
    """Else the schema refuses it, and no policy is ever asked."""
    _, released = attempts("o")
    assert isinstance(parse("check", released.manifest["spec"]), Spec)
