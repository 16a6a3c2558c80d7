"""One operator, alone with one namespace behind a proxy of its own, and killed where the proxy is told to.

Several of them work beside each other in one cluster: each has its own lease, and sees no namespace of the others.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from meditron_operator import names
from meditron_operator.shell.cluster import CHILDREN, DEPLOYMENTS, NAMESPACES, NODES, PODS
from tests.cluster.support import Admin, Manifest
from tests.cluster.wards import shared_ward
from tests.faults.calls import Call, any_call, writes_in
from tests.faults.crashes.ends import End, counted, differences, events, revisions, state_in
from tests.faults.crashes.pace import OneByOne
from tests.faults.crashes.points import AT_ONCE, Point
from tests.faults.crashes.rounds import Step, Ward
from tests.faults.crashes.starts import PodStarts
from tests.faults.operators import Operator, Start
from tests.faults.proxy import FaultProxy, Rule
from tests.testbed.install import NAMESPACE
from tests.testbed.waiting import wait_for

WATCHED: Final = frozenset(each.plural for each in (*CHILDREN.values(), DEPLOYMENTS, PODS, NODES, NAMESPACES))
SYNC_SECONDS: Final = 20.0
QUIET_SECONDS: Final = 0.4
"""Without a write, once what was asked for is there: nothing more comes."""
UNREACHED_SECONDS: Final = 2.5
"""Without a write: the one that is waited for does not come either."""
ALIKE_SECONDS: Final = 15.0
"""How long an end may differ from the clean one after what was asked for is there."""
_LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one step."""

    end: End
    calls: list[Call]
    reached: bool = True
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Before:
    """What there was when a step began."""

    calls: int
    pods: frozenset[str]
    events: frozenset[str]


class Lane:
    """Takes steps, one after the other."""

    def __init__(self, admin: Admin, proxy: FaultProxy, starts: PodStarts, start: Start) -> None:
        self.program = Operator(start)
        self._admin = admin
        self._proxy = proxy
        self._starts = starts
        self._operator_namespace = start.namespace

    @contextmanager
    def ward(self, name: str) -> Iterator[Ward]:
        """A fresh namespace, which is all that the operator sees until the end."""
        with shared_ward(self._admin, name) as namespace:
            self._proxy.only = namespace
            self._begin()
            try:
                yield Ward(self._admin, namespace)
            finally:
                self.program.kill()

    def take(self, ward: Ward, step: Step, point: Point | None = None, clean: End | None = None) -> Outcome:
        """Take a step, crash at that point, start again, and wait for the clean end."""
        before = self._now(ward)
        reached = self._act(ward, step, point, before)
        step.done(ward)
        end, unlike = self._end(ward, before, clean)
        return Outcome(end, self._proxy.calls[before.calls :], reached, unlike)

    def come_to_rest(self, ward: Ward) -> None:
        """Wait until the operator writes nothing any more."""
        quiet = Quiet(self._proxy, ward.namespace, len(self._proxy.calls))
        while quiet.seconds < QUIET_SECONDS:
            time.sleep(_LOOK_SECONDS)

    def _begin(self) -> None:
        """Start the operator; it has seen everything when this returns."""
        known = len(self._proxy.calls)
        self.program.start()

        def at_work() -> bool:
            calls = self._proxy.calls[known:]
            holds = any(call.resource == "leases" and call.writes for call in calls)
            return holds and {call.resource for call in calls if call.verb == "watch"} >= WATCHED

        wait_for("the operator to see everything", at_work, SYNC_SECONDS)

    def _act(self, ward: Ward, step: Step, point: Point | None, before: Before) -> bool:
        """Whether the operator was killed where it should be, if anywhere."""
        if point is None:
            step.act(ward)
            return True
        if point == AT_ONCE:
            step.act(ward)
            self.program.kill()
            reached = True
        else:
            reached = self._act_until_killed(ward, step, point, before)
        if reached:
            self._begin()
        return reached

    def _act_until_killed(self, ward: Ward, step: Step, point: Point, before: Before) -> bool:
        died = threading.Event()

        def kill() -> None:
            self.program.kill()
            died.set()

        with self._proxy.fault(point.rule(ward.namespace, kill)):
            step.act(ward)
            quiet = Quiet(self._proxy, ward.namespace, before.calls)
            while not died.wait(_LOOK_SECONDS):
                if quiet.seconds > UNREACHED_SECONDS:
                    return False
        return True

    def _end(self, ward: Ward, before: Before, clean: End | None) -> tuple[End, tuple[str, ...]]:
        until = time.monotonic() + ALIKE_SECONDS
        while True:
            self.come_to_rest(ward)
            end = self._seen(ward, before)
            unlike = () if clean is None else differences(clean, end)
            if not unlike or time.monotonic() > until:
                return end, unlike

    def _now(self, ward: Ward) -> Before:
        pods, told = self._starts.of(ward.namespace), events(self._admin, ward.namespace)
        return Before(len(self._proxy.calls), frozenset(pods), frozenset(told))

    def _seen(self, ward: Ward, before: Before) -> End:
        pods, told = self._starts.of(ward.namespace), events(self._admin, ward.namespace)
        return End(
            state=state_in(self._admin, ward.namespace, self._operator_namespace),
            revisions=revisions(self._admin, ward.namespace),
            started=counted({uid: name for uid, name in pods.items() if uid not in before.pods}),
            told=counted({name: words for name, words in told.items() if name not in before.events}),
        )


class Quiet:
    """For how long nothing was written to a namespace."""

    def __init__(self, proxy: FaultProxy, namespace: str, position: int) -> None:
        self._calls = proxy.calls
        self._about = writes_in(namespace)
        self._position = position
        self._since = time.monotonic()

    @property
    def seconds(self) -> float:
        end = len(self._calls)
        if any(self._about(call) for call in self._calls[self._position : end]):
            self._since = time.monotonic()
        self._position = end
        return time.monotonic() - self._since


def own_lease(admin: Admin, start: Start, namespace: str) -> Start:
    """For an operator with its lease in a namespace of its own, and there the same rights as in the first."""
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    for kind in ("Role", "RoleBinding"):
        admin.create(_moved(admin.get(kind, NAMESPACE, names.OPERATOR_NAME), namespace))
    return replace(start, namespace=namespace)


def _moved(body: Manifest | None, namespace: str) -> Manifest:
    assert body is not None
    return {**body, "metadata": {"name": body["metadata"]["name"], "namespace": namespace}}


@contextmanager
def lane(number: int, kubeconfigs: tuple[Path, Path], starts: PodStarts, log: Path) -> Iterator[Lane]:
    """With the administrator's kubeconfig, and the operator's. At the end nothing may have gone wrong in the operator
    that nobody foresaw."""
    administrator, rights = kubeconfigs
    with FaultProxy.in_front_of(administrator) as proxy, proxy.fault(Rule(any_call, OneByOne())):
        admin = Admin(administrator)
        start = own_lease(admin, Start(kubeconfig=proxy.kubeconfig(rights), log=log), f"lane-{number}")
        one = Lane(admin, proxy, starts, start)
        yield one
        assert one.program.crashes() == []
