"""The demo without a cluster: rows, table, summary, waiting for a moment."""

import io
import queue
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console
from typer.testing import CliRunner

from meditron_operator import names
from tests.cluster.support import Admin
from tests.demo import words
from tests.demo.cli import CLUSTER_SHOW, NODE_SHOW, USER_ERROR, Show, app
from tests.demo.rows import Row, State, pods, rows, why
from tests.demo.screen import PlainScreen
from tests.demo.steps import KINDS
from tests.demo.table import change, table
from tests.demo.watching import Watching, WatchLostError
from tests.demo.words import Measured

GIB = 2**30
REFUSAL = (
    "meditron-70b none does not fit on 2 x A100-40GB: weights 64.2 GiB + activations 0.1 GiB + runtime 1.0 GiB "
    "exceed the tight budget of 37.4 GiB by 27.9 GiB. Next: use 4 GPUs, or use quantization eetq"
)


def plan(**sizes: float) -> dict[str, Any]:
    return {
        "summary": "4xA100-40GB",
        "sequencesAtFullContext": 4,
        "bytesPerGPU": {name: round(size * GIB) for name, size in sizes.items()},
    }


def body(name: str = "notes", model: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    spec = {
        "model": model or {"id": "epfl-llm/meditron-70b", "dtype": "bfloat16", "contextTokens": 4096},
        "gpu": {"type": "A100-40GB", "count": 2},
    }
    return {"metadata": {"name": name}, "spec": spec, **({"status": status} if status else {})}


def pod(name: str, deployment: str, node: str | None) -> dict[str, Any]:
    labels = {names.DEPLOYMENT_LABEL: deployment}
    return {"metadata": {"name": name, "labels": labels}, "spec": {"nodeName": node} if node else {}}


def state(*deployments: dict[str, Any], pods: tuple[dict[str, Any], ...] = ()) -> State:
    found = {(names.KIND, each["metadata"]["name"]): each for each in deployments}
    return found | {("Pod", each["metadata"]["name"]): each for each in pods}


def row(**fields: str) -> Row:
    usual = {
        "name": "meditron-70b-bf16",
        "model": "70B bf16",
        "gpus": "4xA100-40GB",
        "node": "a100-40gb-0",
        "ready": "0/1",
        "phase": "WaitingForGPU",
        "why": f"DoesNotFit: {REFUSAL}",
    }
    return Row(**(usual | fields))


def test_a_deployment_without_status_has_a_row() -> None:
    assert rows(state(body())) == [
        Row(name="notes", model="70B bf16", gpus="2xA100-40GB", node="-", ready="-", phase="-", why="")
    ]


def test_before_the_plan_the_gpus_are_those_that_were_asked_for() -> None:
    deployment = body()
    del deployment["spec"]["gpu"]["count"]

    assert rows(state(deployment))[0].gpus == "A100-40GB"


def test_a_row_has_the_plan_and_the_nodes_of_its_own_pods() -> None:
    here = (pod("a-0", "a", "l4-1"), pod("a-1", "a", "l4-0"), pod("a-2", "a", None), pod("b-0", "b", "l4-9"))
    found = state(body("b"), body("a", phase="Loading", ready="1/3", plan=plan()), pods=here)

    first, second = rows(found)

    assert (first.name, first.gpus, first.node, first.ready) == ("a", "4xA100-40GB", "l4-0, l4-1", "1/3")
    assert (second.name, second.node) == ("b", "l4-9")
    assert len(pods(found, "a")) == 3


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ({"id": "TheBloke/meditron-70B-GPTQ", "quantization": "gptq"}, "70B gptq"),
        ({"id": "epfl-llm/meditron-7b"}, "7B 16-bit"),
        ({"id": "meditron-7b", "dtype": "float16", "quantization": "none"}, "7B fp16"),
        ({"id": "something", "quantization": "awq"}, "something awq"),
    ],
)
def test_the_model_in_two_words(model: dict[str, Any], text: str) -> None:
    assert rows(state(body(model=model)))[0].model == text


def test_ready_is_explained_by_a_sum_that_adds_up_as_printed() -> None:
    ready = body(phase="Ready", reason="Serving", plan=plan(total=39.44, weights=32.14, kvCache=1.94))

    assert why(ready) == (
        "weights 32.1 + KV cache 1.9 + other 5.4 = 39.4 GiB per GPU; room for 4 x 4,096 tokens at once"
    )


def test_any_other_phase_is_explained_by_its_condition() -> None:
    conditions = [{"reason": "NotAccepted", "message": "no"}, {"reason": "DoesNotFit", "message": REFUSAL}]

    assert why(body(phase="Invalid", reason="DoesNotFit", conditions=conditions)) == f"DoesNotFit: {REFUSAL}"
    assert why(body(phase="Invalid", reason="Unheard")) == "Unheard"
    assert why(body()) == ""


@pytest.mark.parametrize("width", [60, 76, 96, 116])
def test_the_table_stays_within_its_width(width: int) -> None:
    lines = table([row(), row(name="b", node="l4-0, l4-1")], width).plain.splitlines()

    assert max(map(len, lines)) <= width


def test_the_table_fits_a_terminal_of_80_columns_with_every_column_and_of_100_with_the_whole_refusal() -> None:
    head, first, *_ = table([row(node="a100-40gb-0")], 76).plain.splitlines()
    assert head.split() == ["NAME", "MODEL", "GPUS", "NODE", "READY", "PHASE"]
    assert first.split() == ["meditron-70b-bf16", "70B", "bf16", "4xA100-40GB", "a100-40gb-0", "0/1", "WaitingForGPU"]

    explanation = " ".join(table([row()], 96).plain.split())
    assert REFUSAL in explanation


def test_a_table_without_rows_is_its_head() -> None:
    assert table([], 80).plain.split() == ["NAME", "MODEL", "GPUS", "NODE", "READY", "PHASE"]


def test_plain_output_says_each_change_once_and_has_no_control_codes() -> None:
    output = io.StringIO()
    screen = PlainScreen(Console(file=output, width=40))
    loading, ready = row(phase="Loading"), row(phase="Ready")

    for seen in ([row(why="")], [loading], [loading], [ready]):
        screen.show(seen)
    screen.done("ready", 1.234)
    screen.command("kubectl annotate md notes \\", "a=b [c]")

    lines = output.getvalue().splitlines()
    assert lines == [
        f"  {change(loading)}",
        f"  {change(ready)}",
        "  ok   1.23 s  ready",
        "  $ kubectl annotate md notes \\",
        "      a=b [c]",
    ]


def test_the_summary_has_each_time_and_what_it_is_from() -> None:
    lines = words.summary([Measured("up", 12.5, "the start"), Measured("repaired", 0.034, "the DELETE")], 15.2)

    assert lines[0].startswith("Done in 15 s")
    assert lines[1:3] == ["  up         12.50 s from the start", "  repaired    0.03 s from the DELETE"]


def test_a_failure_says_what_where_and_what_next() -> None:
    gone = words.failure("it broke", Path("/logs"), kept=None)
    kept = words.failure("it broke", Path("/bed/logs"), kept=Path("/bed"))

    assert gone[0] == "failed: it broke"
    assert gone[1].startswith("logs:   /logs ")
    assert "make demo KEEP=1" in gone[2]
    assert "--kubeconfig /bed/kubeconfig" in kept[2]
    assert "down --dir /bed" in kept[2]


def test_a_kept_demo_names_its_folder_in_a_form_that_a_shell_takes() -> None:
    text = "\n".join(words.still_running(Path("/my bed"), Path("/my bed/kubeconfig"), Path("/my bed/logs")))

    assert "export KUBECONFIG='/my bed/kubeconfig'" in text
    assert "python -m tests.testbed down --dir '/my bed'" in text


@pytest.mark.parametrize("show", [CLUSTER_SHOW, NODE_SHOW])
def test_the_lines_about_what_is_simulated_fit_80_columns(show: Show) -> None:
    assert max(map(len, show.premises)) <= 80


def test_without_root_the_node_demo_says_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    done = CliRunner().invoke(app, ["--node"])

    assert done.exit_code == USER_ERROR
    assert done.output == "error: a real node can't run here; missing: root\n"


def test_the_size_of_the_cluster() -> None:
    assert words.cluster_size("A100-80GB:8,L4:1:2") == "3 nodes with 10 GPUs"


def test_what_the_rows_are_made_of_is_watched() -> None:
    assert {names.KIND, "Pod"} <= set(KINDS)


class Served:
    """A kind as the API server would serve it: one object at first, then the events that a test puts in."""

    def __init__(self) -> None:
        self.events: queue.Queue[tuple[str, str] | None] = queue.Queue()

    def get(self, **_: Any) -> Any:
        listed = {"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"name": "first"}}]}
        return SimpleNamespace(to_dict=lambda: listed)

    def watch(self, resource_version: str, **_: Any) -> Iterator[dict[str, Any]]:
        assert resource_version == "7"
        while (event := self.events.get(timeout=10)) is not None:
            yield {"type": event[0], "raw_object": {"metadata": {"name": event[1]}}}


@pytest.fixture
def served() -> Served:
    return Served()


@pytest.fixture
def watching(served: Served) -> Iterator[Watching]:
    admin = cast("Admin", SimpleNamespace(resource=lambda _: served))
    with Watching(admin, "ns", ("Pod",), lambda _: None) as watching:
        yield watching
        served.events.put(None)


def test_what_passes_between_two_looks_is_seen_by_who_asked_before(served: Served, watching: Watching) -> None:
    there = watching.expect(lambda state: ("Pod", "second") in state)
    empty = watching.expect(lambda state: not state)
    known = watching.expect(lambda state: ("Pod", "first") in state)

    for event in (("ADDED", "second"), ("DELETED", "first"), ("DELETED", "second"), ("ADDED", "third")):
        served.events.put(event)

    assert known.done()
    assert known.result() <= there.result(10) <= empty.result(10)


def test_who_waits_is_told_that_the_watch_broke_off(served: Served, watching: Watching) -> None:
    never = watching.expect(lambda state: ("Pod", "never") in state)

    served.events.put(None)

    with pytest.raises(WatchLostError, match="watch of Pod broke off"):
        never.result(10)
    with pytest.raises(WatchLostError):
        watching.expect(lambda _: False).result(0)
