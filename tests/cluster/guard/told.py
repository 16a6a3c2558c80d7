"""What the guard tells, what it left, and what it asked for."""

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.cluster.support import Admin, Audit, Manifest, Mark, Request
from tests.testbed import Testbed
from tests.testbed.layout import LOOPBACK, Layout, Ports
from tests.testbed.waiting import wait_for

KIND = "MeditronDeployment"
GUARD_USER = "system:serviceaccount:meditron-system:meditron-guard"


def switch_of(body: Manifest | None) -> dict[str, Any]:
    """status.killSwitch, empty when there is none."""
    found: dict[str, Any] = ((body or {}).get("status") or {}).get("killSwitch") or {}
    return found


def switch(admin: Admin, namespace: str, name: str) -> dict[str, Any]:
    return switch_of(admin.get(KIND, namespace, name))


def told_as(admin: Admin, namespace: str, name: str, state: str, seconds: float = 30, **also: Any) -> dict[str, Any]:
    """Until the guard tells of that state, with these fields."""

    def holds(body: Manifest | None) -> bool:
        told = switch_of(body)
        return told.get("state") == state and also.items() <= told.items()

    return switch_of(admin.wait(KIND, namespace, name, holds, seconds))


def engaged(admin: Admin, namespace: str, name: str, seconds: float = 30, **also: Any) -> dict[str, Any]:
    """Until it says that the stop is proven."""
    return told_as(admin, namespace, name, "Engaged", seconds, **also)


def pods_of(admin: Admin, namespace: str, name: str) -> list[Manifest]:
    return admin.list("Pod", namespace, f"meditron.ai/deployment={name}")


def is_down(admin: Admin, namespace: str, name: str) -> bool:
    workload = admin.get("StatefulSet", namespace, name)
    return (
        pods_of(admin, namespace, name) == []
        and admin.get("NetworkPolicy", namespace, f"{name}-allow") is None
        and (workload is None or workload["spec"]["replicas"] == 0)
    )


def gate_of(pod: Manifest) -> str:
    """The status of the condition behind the readiness gate."""
    conditions = {item["type"]: item["status"] for item in pod["status"]["conditions"]}
    return str(conditions.get("meditron.ai/serving"))


@contextmanager
def without(bed: Testbed, *programs: str) -> Iterator[None]:
    """Some programs stand still meanwhile."""
    for program in programs:
        bed.stop(program)
    try:
        yield
    finally:
        for program in programs:
            bed.start_program(program)


def writes_of_guards(audit: Audit, mark: Mark) -> list[Request]:
    """But the lease, which is renewed by the clock."""
    return [each for each in audit.since(mark, GUARD_USER) if each.writes and each.resource != "leases"]


def asked(bed: Testbed, path: str) -> str:
    """What the guard answers where it shows its health and figures; OSError when it doesn't."""
    port = Ports.load(Layout(bed.directory)).guard
    with urllib.request.urlopen(f"http://{LOOPBACK}:{port}{path}", timeout=5) as answer:
        return str(answer.read().decode())


def wait_down(admin: Admin, namespace: str, name: str, seconds: float = 30) -> None:
    """Until nothing of it runs, whatever is told."""
    wait_for(f"{name} to be down", lambda: is_down(admin, namespace, name), seconds)
