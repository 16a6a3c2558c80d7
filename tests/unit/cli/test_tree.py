"""`meditron status NAME`: the whole of one deployment, and what to do next."""

from typing import Any

import pytest

from meditron_operator.cli.switch.tree import described, tree
from meditron_operator.core.killswitch.sight import SeenPod, Sight

CONDITIONS = [
    {"type": "Accepted", "status": "True", "reason": "Valid", "message": "fits"},
    {"type": "Available", "status": "True", "reason": "Serving", "message": "2 of 3 replicas are ready"},
    {"type": "Progressing", "status": "False", "reason": "Stalled", "message": "ward-2: no CUDA"},
]
STATUS = {
    "observedGeneration": 3,
    "phase": "Degraded",
    "reason": "Stalled",
    "ready": "2/3",
    "conditions": CONDITIONS,
}
POD = SeenPod(name="ward-2", uid="u", node="l4-2", grace=None, open=False)


def sight(status: Any, generation: int = 3) -> Sight:
    body = {"metadata": {"name": "ward", "generation": generation}, "status": status}
    return Sight(namespace="clinical-ai", name="ward", off=None, body=body, pods=(POD,))


def test_it_ends_with_what_to_do() -> None:
    assert list(tree(sight(STATUS), plain=False)) == [
        "clinical-ai/ward  Degraded (Stalled), 2/3 replicas ready",
        "├─ Accepted: True, Valid. fits",
        "├─ Available: True, Serving. 2 of 3 replicas are ready",
        "├─ Progressing: False, Stalled. ward-2: no CUDA",
        "├─ pod ward-2 on node l4-2, no clients",
        "└─ next: correct the spec, or take the change back (Progressing)",
    ]


def test_a_pipe_gets_ascii() -> None:
    assert all(line.isascii() for line in tree(sight(STATUS), plain=True))


def test_where_all_is_well_it_says_so() -> None:
    *_, last = tree(sight({**STATUS, "conditions": CONDITIONS[:2]}), plain=True)
    assert last == "`- next: nothing has to be done"


def test_an_old_answer_is_told() -> None:
    head, *_ = tree(sight(STATUS, generation=4), plain=True)
    assert head.endswith("; the latest change is not looked at yet")


@pytest.mark.parametrize("status", [None, {}, "text", 3])
def test_without_a_status(status: Any) -> None:
    assert list(tree(sight(status), plain=True)) == [
        "clinical-ai/ward",
        "`- next: the operator has not said anything yet; look at its log",
    ]


def test_whatever_is_stored_is_no_traceback() -> None:
    odd: Any = {"conditions": ["x", {"type": 3}], "phase": 1}
    assert described(sight(odd))["conditions"] == [{"type": 3}]
    assert len(list(tree(sight(odd), plain=True))) == 4


def test_as_data() -> None:
    told = described(sight(STATUS))
    assert (told["phase"], told["ready"]) == ("Degraded", "2/3")
    assert told["advice"] == ["correct the spec, or take the change back (Progressing)"]
