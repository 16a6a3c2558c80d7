"""The steps of the demo: each does one thing, waits until it is seen to have worked, and measures that."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from meditron_operator import names
from tests.cluster.support import SAMPLES, Admin, condition, create_all, phase_of, weights_volume
from tests.demo.errors import DemoError
from tests.demo.rows import Manifest, State, nodes, pods, rows
from tests.demo.screen import PlainScreen
from tests.demo.table import change
from tests.demo.watching import Moment, Predicate, Watching, WatchLostError
from tests.demo.words import CLAIM, NAMESPACE, Measured

KINDS: Final = (names.KIND, "Pod", "Service", "NetworkPolicy")

SCALED: Final = "triage-helper"
REPAIRED: Final = "meditron-70b-bf16"
STOPPED: Final = "ward-assistant"
REFUSED_SAMPLE: Final = "does-not-fit"

APPLY_LIMIT_SECONDS: Final = 60.0
SCALE_LIMIT_SECONDS: Final = 30.0
REPAIR_LIMIT_SECONDS: Final = 15.0
STOP_LIMIT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Stage:
    """What every step needs."""

    admin: Admin
    watching: Watching
    screen: PlainScreen

    def wait(self, what: str, moment: Moment, limit: float, deployment: str) -> float:
        """When it became true; raises DemoError, which tells the deployment's state, when it does not in time."""
        self.screen.busy(f"waiting: {what}")
        try:
            return moment.result(limit)
        except TimeoutError:
            raise DemoError(f"not within {limit:.0f} s: {what} ({self._last_seen(deployment)})") from None
        except WatchLostError as lost:
            raise DemoError(f"{lost}, while waiting: {what}") from lost

    def _last_seen(self, deployment: str) -> str:
        said = [change(row) for row in rows(self.watching.state()) if row.name == deployment and row.why]
        return f"last seen: {said[0]}" if said else f"the operator has said nothing about {deployment}"


def prepare(admin: Admin) -> None:
    """The namespace, where pods must keep the Pod Security level `restricted`, and the claim of the weights."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    create_all(admin, [namespace, *weights_volume(NAMESPACE, CLAIM)])
    # For two seconds after a CRD is new the API server holds each create back: not to be measured.
    admin.create(yaml.safe_load(next(SAMPLES.glob("*.yaml")).read_text()), dry_run="All")


def apply_samples(stage: Stage) -> list[Measured]:
    """Five deployments that become ready, each on its kind of GPU, and one that is refused."""
    stage.screen.step("Apply six deployments, one of them too big for its GPUs")
    stage.screen.command(f"kubectl create namespace {NAMESPACE}    # and a claim {CLAIM}")
    stage.screen.command("kubectl apply -f manifests/samples/")
    applied = [_apply(stage, sample) for sample in sorted(SAMPLES.glob("*.yaml"))]
    times: dict[str, list[float]] = {"Ready": [], "Invalid": []}
    for name, phase, started, moment in applied:
        seconds = stage.wait(f"{name} becomes {phase}", moment, APPLY_LIMIT_SECONDS, name) - started
        times[phase].append(seconds)
        stage.screen.done(_outcome(stage.watching.state(), name), seconds)
    since = "its apply"
    return [
        Measured(f"{len(times['Ready'])} deployments Ready, the slowest", max(times["Ready"]), since),
        Measured("the one that cannot fit refused, with the sum", max(times["Invalid"]), since),
    ]


def scale(stage: Stage) -> list[Measured]:
    """Through the scale subresource, as `kubectl scale` and an autoscaler do it."""
    stage.screen.step("Scale one to two replicas")
    stage.screen.command(f"kubectl -n {NAMESPACE} scale meditrondeployment {SCALED} --replicas=2")
    what = f"{SCALED} has two ready replicas"
    seen = stage.watching.expect(_deployment(SCALED, lambda body: _is(body, "Ready") and _ready(body) == "2/2"))
    started = time.monotonic()
    stage.admin.resource(names.KIND).scale.patch(
        name=SCALED,
        namespace=NAMESPACE,
        body={"spec": {"replicas": 2}},
        content_type="application/merge-patch+json",
    )
    seconds = stage.wait(what, seen, SCALE_LIMIT_SECONDS, SCALED) - started
    where = ", ".join(nodes(stage.watching.state(), SCALED))
    stage.screen.done(f"{what}: {where}", seconds)
    return [Measured("scaled from one replica to two", seconds, "the PATCH")]


def repair(stage: Stage) -> list[Measured]:
    """A Service that somebody deletes by hand comes back."""
    stage.screen.step("Delete a Service by hand")
    stage.screen.command(f"kubectl -n {NAMESPACE} delete service {REPAIRED}")
    key = ("Service", REPAIRED)
    old = stage.watching.state()[key]["metadata"]["uid"]
    what = f"Service {REPAIRED} is back"
    back = stage.watching.expect(lambda state: key in state and state[key]["metadata"]["uid"] != old)
    started = time.monotonic()
    stage.admin.delete("Service", NAMESPACE, REPAIRED)
    seconds = stage.wait(what, back, REPAIR_LIMIT_SECONDS, REPAIRED) - started
    stage.screen.done(what, seconds)
    return [Measured("deleted Service back", seconds, "the DELETE")]


def stop(stage: Stage) -> list[Measured]:
    """The kill switch: one annotation, and clients are cut off before anything else happens."""
    reason = "unsafe answers"
    stage.screen.step("Engage the kill switch of one deployment")
    stage.screen.command(
        f"kubectl -n {NAMESPACE} annotate meditrondeployment {STOPPED} \\",
        f"{names.KILL_SWITCH}=halt {names.KILL_REASON}='{reason}'",
    )
    allow = ("NetworkPolicy", names.child_name(STOPPED, names.ALLOW_SUFFIX))
    if allow not in stage.watching.state():
        raise DemoError(f"{allow[1]}, the policy that lets clients in, was never there")
    moments = {
        f"policy {allow[1]} is gone: no client may connect": stage.watching.expect(lambda state: allow not in state),
        "its last pod is gone": stage.watching.expect(lambda state: not pods(state, STOPPED)),
        "its status says so: phase Stopped, condition Stopped=True": stage.watching.expect(_deployment(STOPPED, _off)),
    }
    annotations = {names.KILL_SWITCH: "halt", names.KILL_REASON: reason}
    started = time.monotonic()
    stage.admin.patch(names.KIND, NAMESPACE, STOPPED, {"metadata": {"annotations": annotations}})
    times = []
    for what, moment in moments.items():
        times.append(stage.wait(what, moment, STOP_LIMIT_SECONDS, STOPPED) - started)
        stage.screen.done(what, times[-1])
    facts = ("kill switch: clients cut off", "kill switch: last pod gone", "kill switch: Stopped reported")
    since = "the PATCH"
    return [Measured(fact, seconds, since) for fact, seconds in zip(facts, times, strict=True)]


STEPS: Final = (apply_samples, scale, repair, stop)


def _apply(stage: Stage, sample: Path) -> tuple[str, str, float, Moment]:
    """Name, the phase that it will reach, when it was sent, and the moment at which it is seen there."""
    body: dict[str, Any] = yaml.safe_load(sample.read_text())
    name, phase = body["metadata"]["name"], "Invalid" if sample.stem == REFUSED_SAMPLE else "Ready"
    moment = stage.watching.expect(_deployment(name, lambda seen: _is(seen, phase)))
    started = time.monotonic()
    stage.admin.create(body)
    return name, phase, started, moment


def _outcome(state: State, name: str) -> str:
    body = state[names.KIND, name]
    if _is(body, "Ready"):
        return f"{name} is Ready on {', '.join(nodes(state, name))}"
    return f"{name} is refused before anything is deployed: {body['status']['reason']}"


def _deployment(name: str, holds: Callable[[Manifest], bool]) -> Predicate:
    """Whether the deployment is there and `holds` of it."""
    return lambda state: (names.KIND, name) in state and holds(state[names.KIND, name])


def _is(body: Mapping[str, Any], phase: str) -> bool:
    return "status" in body and phase_of(dict(body)) == phase


def _ready(body: Manifest) -> str:
    return str(body["status"].get("ready"))


def _off(body: Manifest) -> bool:
    return _is(body, "Stopped") and condition(dict(body), "Stopped").get("status") == "True"
