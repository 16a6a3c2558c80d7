"""What the guard tells, and what it left."""

from typing import Any

from tests.cluster.support import Admin, Manifest

KIND = "MeditronDeployment"


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
    return told_as(admin, namespace, name, "Engaged", seconds, **also)


def pods_of(admin: Admin, namespace: str, name: str) -> list[Manifest]:
    return admin.list("Pod", namespace, f"meditron.ai/deployment={name}")


def assert_down(admin: Admin, namespace: str, name: str) -> None:
    assert pods_of(admin, namespace, name) == []
    assert admin.get("NetworkPolicy", namespace, f"{name}-allow") is None
    workload = admin.get("StatefulSet", namespace, name)
    assert workload is None or workload["spec"]["replicas"] == 0
