"""The second part of the demo: real containers on a real node, whose network plugin enforces the policies.

An engine double streams to the client that the deployment names, another client gets nothing, and the kill annotation
cuts the stream: timed where it counts, at the client.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meditron_operator import names
from tests.cluster.support import Admin, phase_of
from tests.demo.errors import DemoError
from tests.demo.rows import State, rows
from tests.demo.screen import PlainScreen
from tests.demo.watching import Watching
from tests.demo.words import NAMESPACE, Measured
from tests.node.engine import (
    CLIENT,
    Heard,
    address_of,
    create_ward,
    heard,
    now,
    reader,
    served,
    wait_end,
    wait_tokens,
    write_weights,
)
from tests.node.pods import PROBE
from tests.testbed import Testbed
from tests.testbed.node import requirements
from tests.testbed.node.incluster import install_operator, load_engine
from tests.testbed.node.options import NodeOptions

NAME: Final = "ward-assistant"
STRANGER: Final = "somebody-else"
REAL: Final = (
    "etcd, API server, controllers, scheduler, kubelet, containerd,",
    "Cilium; the operator, installed by Helm, in a pod of its own",
)
SIMULATED: Final = (
    "the GPUs (numbers in the node's status) and the model: a double",
    "of TGI 3.3.7 speaks its protocol and makes the answers up",
)
_OPTIONS: Final = NodeOptions(cilium=True)
_READY_SECONDS: Final = 90.0
_SHOWN_TOKENS: Final = 60
_WORDS_A_LINE: Final = 15
_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class NodeStage:
    """What the steps need."""

    bed: Testbed
    admin: Admin
    screen: PlainScreen
    engine: str
    probe: str


def require(folder: Path) -> None:
    """Raise TestbedError, which says in one line what is missing, where it can't run."""
    requirements.require(folder, _OPTIONS)


def start_node(folder: Path, viewer: PlainScreen) -> Testbed:
    """A node with Cilium and nothing on it yet."""
    viewer.step("Start a cluster with one real node, and Cilium on it")
    return Testbed.start(folder, nodes="", progress=viewer.busy, node=_OPTIONS)


def play(bed: Testbed, admin: Admin, viewer: PlainScreen) -> list[Measured]:
    """All steps. Raises DemoError at the first that does not come out."""
    started = time.monotonic()
    viewer.step("Install the operator with Helm, in a namespace that enforces Pod Security `restricted`")
    viewer.command("helm install meditron-operator charts/meditron-operator -n meditron-system")
    install_operator(bed, viewer.busy)
    installed = Measured("operator's pod Ready, image built and loaded", time.monotonic() - started, "the node")
    viewer.done(installed.what, installed.seconds)
    viewer.busy("loading the engine double's image and the clients'")
    assert bed.node is not None
    probe = bed.node.load(PROBE.build(bed.directory, viewer.busy))
    stage = NodeStage(bed, admin, viewer, load_engine(bed, viewer.busy), probe)
    create_ward(admin, NAMESPACE, write_weights(bed.directory))
    with Watching(admin, NAMESPACE, (names.KIND, "Pod"), lambda state: viewer.show(rows(state))) as watching:
        return [installed, *_serve(stage, watching), *_cut(stage, watching)]


def _serve(stage: NodeStage, watching: Watching) -> list[Measured]:
    stage.screen.step(f"Apply a deployment that names one client: pods with the label app={CLIENT}")
    stage.screen.command(f"kubectl apply -n {NAMESPACE} -f {NAME}.yaml")
    ready = watching.expect(lambda state: _phase(state) == "Ready")
    began = time.monotonic()
    env = {"DOUBLE_ANSWER_TOKENS": "2000", "DOUBLE_TOKEN_SECONDS": "0.05"}
    stage.admin.create(served(NAME, NAMESPACE, stage.engine, env=env, shutdown={"graceSeconds": 5}))
    try:
        seconds = ready.result(_READY_SECONDS) - began
    except TimeoutError:
        raise DemoError(f"{NAME} is not Ready within {_READY_SECONDS:.0f} s") from None
    stage.screen.done("kubelet's probes pass, the operator opened the readiness gate", seconds)

    stage.screen.step("A client that is named and one that is not ask for the same answer, through the Service")
    address = address_of(stage.admin, NAMESPACE, NAME)
    for client in (CLIENT, STRANGER):
        stage.admin.create(reader(NAMESPACE, client, stage.probe, address, app=client, tokens=1500))
    _show_tokens(stage)
    refused = heard(stage.admin, NAMESPACE, STRANGER)
    if refused.tokens or not refused.refusals:
        raise DemoError(f"{STRANGER} was not refused")
    stage.screen.say(f"  {STRANGER}: {refused.refusals} attempts to connect, none answered")
    return [Measured("model served to its client by kubelet's own probes", seconds, "its apply")]


def _show_tokens(stage: NodeStage) -> None:
    """As they come, a line at a time."""
    wait_tokens(stage.admin, NAMESPACE, CLIENT, 1)
    shown, last = 0, time.monotonic()
    while shown < _SHOWN_TOKENS:
        words = heard(stage.admin, NAMESPACE, CLIENT).tokens[shown:]
        if len(words) >= _WORDS_A_LINE:
            line = "".join(str(each["token"]) for each in words[:_WORDS_A_LINE]).strip()
            stage.screen.say(f"  {CLIENT}: {line}", style="cyan")
            shown, last = shown + _WORDS_A_LINE, time.monotonic()
        elif time.monotonic() - last > _READY_SECONDS:
            raise DemoError("the stream fell silent by itself")
        else:
            time.sleep(_POLL_SECONDS)


def _cut(stage: NodeStage, watching: Watching) -> list[Measured]:
    stage.screen.step("Stop it while it answers")
    stage.screen.command(
        f"kubectl -n {NAMESPACE} annotate md {NAME} \\",
        f"{names.KILL_SWITCH}=halt {names.KILL_REASON}='wrong dose suggested'",
    )
    stopped = watching.expect(lambda state: _phase(state) == "Stopped")
    moment, began = now(), time.monotonic()
    annotations = {names.KILL_SWITCH: "halt", names.KILL_REASON: "wrong dose suggested"}
    stage.admin.patch(names.KIND, NAMESPACE, NAME, {"metadata": {"annotations": annotations}})
    got = wait_end(stage.admin, NAMESPACE, CLIENT)
    if got.ended == "complete":
        raise DemoError("the answer was complete before the stop")
    last = _last(got) - moment
    stage.screen.done(f"the last of {len(got.tokens)} tokens reached {CLIENT}; then: {got.ended}", last)
    seconds = stopped.result(_READY_SECONDS) - began
    stage.screen.done("no pod is left, and the status says Stopped", seconds)
    since = "the PATCH"
    return [
        Measured("the stream cut, by the client's clock", last, since),
        Measured("Stopped reported", seconds, since),
    ]


def _last(got: Heard) -> float:
    return float(got.tokens[-1]["at"])


def _phase(state: State) -> str | None:
    body = state.get((names.KIND, NAME))
    return phase_of(dict(body)) if body and "status" in body else None
