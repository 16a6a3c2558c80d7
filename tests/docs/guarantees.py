"""The tables of docs/kill-switch-proof.md: what is promised, and the tests that show it.

A test says itself what it shows: `@pytest.mark.guarantee("G7", "K11")`.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.docs.blocks import Block, table

TESTS: Final = Path(__file__).parents[1]

GUARANTEES: Final[Mapping[str, str]] = {
    "G1": "How long a stop takes is bounded, and measured at the client.",
    "G2": "It overrides autoscaler, rollout, GitOps, operator and every error of the spec.",
    "G3": "It works while the operator, the guard, metrics or webhooks are down.",
    "G4": "It fails closed: a guard that can't read the state for as long as it was told acts as engaged.",
    "G5": "It is latched: restarts, lost nodes, self-healing Git, Helm, and deleting and making anew don't undo it.",
    "G6": "A release restarts nothing; resuming is a step of its own, by a person.",
    "G7": "One authorised person engages, at any time; a release takes two within 15 minutes.",
    "G8": "Engaging twice changes nothing, and nothing weakens it.",
    "G9": "It is recorded: who, when, why, ticket, scope, mode, and what came of it.",
    "G10": "No way to write releases it silently, whoever writes.",
    "G11": "hold, drain and halt take away what they say, no less and no more.",
    "G12": "`Engaged` is said only after proof; what nobody saw end is named.",
    "G13": "It can be drilled, and the drill is filed.",
    "G14": "A storm of requests can't starve it: the guard has a priority of its own.",
    "G15": "Guard and operator never hold the verbs of a release.",
}

KSERVE: Final[Mapping[str, tuple[str, str]]] = {
    "K1": ("controller dead, webhooks as shipped", "the stop itself is refused with HTTP 500, the stream lives"),
    "K2": ("controller dead, no webhooks", "nothing happens until some 17 s after the controller is back"),
    "K3": ("controller hung", "the stop is refused after 10 s"),
    "K4": ("controller alive, its webhook out of reach", "the stop is refused, at once or after 10 s"),
    "K5": ('values like "True ", "yes", "stop", "1"', "accepted; no stop, no warning, and the pods are replaced"),
    "K6": ("what the spec refers to was deleted before", "nothing for 60 s, the status says Ready"),
    "K7": ("the spec names something unknown", "nothing, the status says Ready"),
    "K8": ("an invalid object is stored", "the stop is refused by the validator"),
    "K9": ("the operator's own configuration is broken", "the stop is refused"),
    "K10": ("updates are switched off on the object", "the stop is ignored, without a word"),
    "K11": (
        "anybody with `patch` takes the annotation away",
        "running again after 2.2 s, nobody asked, nothing recorded",
    ),
    "K12": ("the workload is made again by hand", 'serves for 20 s and more while the status says "Stopped"'),
    "K13": ("the workload is deleted by hand, since the stop is refused", "made again after 0.13 s"),
    "K14": ("the status", '"Stopped" 30 s before the last byte, 10 times of 10'),
    "K15": ("started again after a stop", "the Service has another address: clients that kept the old one break"),
    "K16": ("who, when, why", "recorded nowhere"),
}
"""KServe v0.16.0, `serving.kserve.io/stop`, on a real node with Kubernetes 1.37 in August 2026; and what it did."""


def shown() -> dict[str, list[str]]:
    """The tests of each guarantee or situation, as `file.py::test`."""
    found: dict[str, list[str]] = {key: [] for key in (*GUARANTEES, *KSERVE)}
    for file in sorted(TESTS.rglob("test_*.py")):
        for name, keys in _marked(ast.parse(file.read_text(encoding="utf-8"))):
            for key in keys:
                found[key].append(f"{file.relative_to(TESTS.parent)}::{name}")
    return found


def _marked(module: ast.Module) -> Iterator[tuple[str, list[str]]]:
    for node in ast.walk(module):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.guarantee":
                yield node.name, [ast.literal_eval(argument) for argument in decorator.args]


def _tests(key: str) -> str:
    return "<br>".join(f"`{test.removeprefix('tests/')}`" for test in shown()[key])


def guarantees() -> str:
    """What is promised, and where it is shown."""
    return table(("", "promise", "tests"), [[key, text, _tests(key)] for key, text in GUARANTEES.items()])


def kserve() -> str:
    """The best stop among comparable projects, situation by situation."""
    rows = [[key, situation, theirs, _tests(key)] for key, (situation, theirs) in KSERVE.items()]
    return table(("", "situation", "KServe 0.16.0, measured", "here it stops: tests"), rows)


BLOCKS: Final[Mapping[str, Block]] = {"guarantees": guarantees, "kserve": kserve}
