"""What cluster tests say and ask: manifests, a client with deadlines, the audit log."""

import copy
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml
from kubernetes import client, config
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError

Manifest = dict[str, Any]

ROOT: Final = Path(__file__).parents[2]
SAMPLES: Final = ROOT / "manifests" / "samples"
STATEFULSET_CONTROLLER_USER: Final = "system:serviceaccount:kube-system:statefulset-controller"
OPERATOR_USER: Final = "system:serviceaccount:meditron-system:meditron-operator"
IMAGE: Final = "registry.example.com/tgi@sha256:" + "a" * 64
DEADLINE_SECONDS: Final = 30
LONGEST_LINE_BYTES: Final = 2**20
WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})


class Admin:
    """The cluster as an administrator sees it. Waiting is watching, always with a deadline."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.api = config.new_client_from_config(config_file=str(kubeconfig))  # type: ignore[no-untyped-call]
        # Beside the kubeconfig: the client's own choice would leave a file in /tmp for ever.
        cache = str(kubeconfig.with_suffix(".discovery.json"))
        self.dynamic: Any = DynamicClient(self.api, cache_file=cache)  # type: ignore[no-untyped-call]

    def resource(self, kind: str) -> Any:
        """The dynamic client's handle of a kind."""
        api_version = "meditron.ai/v1alpha1" if kind == "MeditronDeployment" else None
        found = self.dynamic.resources.search(kind=kind, **({"api_version": api_version} if api_version else {}))
        return next(resource for resource in found if resource.preferred and not resource.kind.endswith("List"))

    def create(self, manifest: Manifest, **options: Any) -> Manifest:
        """POST; returns the object as stored."""
        namespace = manifest["metadata"].get("namespace")
        stored = self.resource(manifest["kind"]).create(body=manifest, namespace=namespace, **options)
        return dict(stored.to_dict())

    def get(self, kind: str, namespace: str | None, name: str) -> Manifest | None:
        """The object, or None."""
        try:
            return dict(self.resource(kind).get(name=name, namespace=namespace).to_dict())
        except NotFoundError:
            return None

    def list(self, kind: str, namespace: str, selector: str = "") -> list[Manifest]:
        """All objects of a kind in a namespace."""
        found = self.resource(kind).get(namespace=namespace, label_selector=selector)
        return [dict(item.to_dict()) for item in found.items]

    def patch(self, kind: str, namespace: str | None, name: str, body: Mapping[str, Any], **options: Any) -> Manifest:
        """JSON merge patch."""
        resource = self.resource(kind)
        content = "application/merge-patch+json"
        patched = resource.patch(name=name, namespace=namespace, body=body, content_type=content, **options)
        return dict(patched.to_dict())

    def delete(self, kind: str, namespace: str | None, name: str) -> None:
        """DELETE in the background."""
        self.resource(kind).delete(name=name, namespace=namespace, body={"propagationPolicy": "Background"})

    def edit(self, kind: str, namespace: str, name: str, change: Callable[[Manifest], None]) -> Manifest:
        """Read, change, PUT; again when somebody was faster."""
        for _ in range(10):
            body = self.get(kind, namespace, name)
            assert body is not None, f"{kind} {namespace}/{name} is gone"
            change(body)
            try:
                return dict(self.resource(kind).replace(body=body, namespace=namespace).to_dict())
            except ConflictError:
                continue
        raise AssertionError(f"{kind} {namespace}/{name} changes too often to be edited")

    def wait(
        self,
        kind: str,
        namespace: str | None,
        name: str,
        predicate: Callable[[Manifest | None], bool],
        seconds: float = DEADLINE_SECONDS,
    ) -> Manifest | None:
        """Watch one object until the predicate holds (None stands for absence); returns it as it then is."""
        last = self.get(kind, namespace, name)
        if predicate(last):
            return last
        resource = self.resource(kind)
        version = resource.get(namespace=namespace, field_selector=f"metadata.name={name}").metadata.resourceVersion
        last = self.get(kind, namespace, name)
        if predicate(last):
            return last
        stream = resource.watch(
            namespace=namespace, field_selector=f"metadata.name={name}", resource_version=version, timeout=int(seconds)
        )
        for event in stream:
            last = None if event["type"] == "DELETED" else dict(event["raw_object"])
            if predicate(last):
                return last
        raise AssertionError(f"{kind} {namespace}/{name} after {seconds} s:\n{yaml.safe_dump(_brief(last))}")

    def wait_gone(self, kind: str, namespace: str | None, name: str, seconds: float = DEADLINE_SECONDS) -> None:
        """Until the object does not exist."""
        self.wait(kind, namespace, name, lambda body: body is None, seconds)

    def wait_phase(self, namespace: str, name: str, phase: str, seconds: float = DEADLINE_SECONDS) -> Manifest:
        """Until the deployment's status speaks of the current spec and says `phase`."""
        found = self.wait(
            "MeditronDeployment", namespace, name, lambda body: body is not None and phase_of(body) == phase, seconds
        )
        assert found is not None
        return found

    def wait_settled(self, namespace: str, name: str, phase: str, seconds: float = DEADLINE_SECONDS) -> Manifest:
        """Until `phase`, and nothing is on its way any more: what is written after this needs a cause."""

        def settled(body: Manifest | None) -> bool:
            if body is None or phase_of(body) != phase:
                return False
            measured = len(body["status"].get("measured", {}).get("replicas", []))
            complete: bool = condition(body, "Progressing")["reason"] == "Complete"
            return complete and measured == body["status"]["readyReplicas"]

        found = self.wait("MeditronDeployment", namespace, name, settled, seconds)
        assert found is not None
        return found

    def wait_condition(
        self, namespace: str, name: str, type_: str, reason: str, seconds: float = DEADLINE_SECONDS
    ) -> Manifest:
        """Until the condition of that type has that reason for the current spec; returns the condition."""

        def holds(body: Manifest | None) -> bool:
            return body is not None and current(body) and condition(body, type_).get("reason") == reason

        found = self.wait("MeditronDeployment", namespace, name, holds, seconds)
        assert found is not None
        return condition(found, type_)


def _brief(body: Manifest | None) -> Manifest | str:
    return "absent" if body is None else {"spec": body.get("spec"), "status": body.get("status")}


def current(body: Manifest) -> bool:
    """Whether the status speaks of the current spec."""
    return bool(body.get("status", {}).get("observedGeneration") == body["metadata"]["generation"])


def phase_of(body: Manifest) -> str | None:
    """The phase, if it speaks of the current spec."""
    return body["status"].get("phase") if current(body) else None


def condition(body: Manifest, type_: str) -> Manifest:
    """The condition of that type; empty when there is none."""
    conditions: list[Manifest] = body.get("status", {}).get("conditions", [])
    return next((item for item in conditions if item["type"] == type_), {})


def deployment(name: str, namespace: str, **spec: Any) -> Manifest:
    """A small valid MeditronDeployment: 7B on one L4. Keyword arguments replace whole sections of the spec."""
    base = {
        "model": {"id": "meditron-7b", "source": {"persistentVolumeClaim": {"claimName": "weights"}}},
        "gpu": {"type": "L4"},
        "network": {"clients": [{"namespace": "ward", "podLabels": {"app": "notes"}}]},
        "engine": {"image": IMAGE},
    }
    return {
        "apiVersion": "meditron.ai/v1alpha1",
        "kind": "MeditronDeployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": copy.deepcopy(base | spec),
    }


def weights_volume(namespace: str, claim: str = "weights", path: str = "/weights") -> list[Manifest]:
    """A bound claim, so that pods can be scheduled; nothing on simulated nodes ever reads `path`."""
    volume = f"{namespace}-{claim}"
    size = {"storage": "500Gi"}
    shared = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": volume},
            "spec": {
                **shared,
                "capacity": size,
                "hostPath": {"path": path},
                "claimRef": {"namespace": namespace, "name": claim},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": claim, "namespace": namespace},
            "spec": {**shared, "resources": {"requests": size}, "volumeName": volume},
        },
    ]


@dataclass(frozen=True, slots=True)
class Request:
    """One line of the audit log."""

    user: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int
    id: str  # a long-running request has a line for its begin and one for its end

    @property
    def writes(self) -> bool:
        return self.verb in WRITES


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment in the audit log."""

    position: int
    moment: str


BEGINNING: Final = Mark(0, "")


class Audit:
    """The API server's own record of who asked for what."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def mark(self) -> Mark:
        """Now. What was asked before may be answered, and so written down, only after this."""
        return Mark(self._end_of_last_line(), datetime.now(UTC).isoformat(timespec="microseconds"))

    def since(self, mark: Mark, user: str = OPERATOR_USER) -> list[Request]:
        """The requests of `user` that came in after `mark`."""
        return [request for request in self._read(mark) if request.user == user]

    def writes(self, mark: Mark, namespace: str) -> list[Request]:
        """The operator's writes in one namespace after `mark`."""
        return [request for request in self.since(mark) if request.writes and request.namespace == namespace]

    def _end_of_last_line(self) -> int:
        size = self._log.stat().st_size
        with self._log.open("rb") as lines:
            lines.seek(max(0, size - LONGEST_LINE_BYTES))
            begin, tail = lines.tell(), lines.read()
        return begin + tail.rfind(b"\n") + 1

    def _read(self, mark: Mark) -> Iterator[Request]:
        with self._log.open("rb") as lines:
            lines.seek(mark.position)
            for line in lines:
                if not line.endswith(b"\n"):
                    return  # it is being written
                entry = json.loads(line)
                if entry["requestReceivedTimestamp"].replace("Z", "+00:00") >= mark.moment:
                    yield _request(entry)


def _request(entry: Manifest) -> Request:
    target = entry.get("objectRef", {})
    resource = "/".join(filter(None, (target.get("resource", ""), target.get("subresource", ""))))
    return Request(
        user=entry["user"]["username"],
        verb=entry["verb"],
        resource=resource,
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=entry.get("responseStatus", {}).get("code", 0),
        id=entry["auditID"],
    )


def strict(**options: Any) -> dict[str, Any]:
    """Options of a request that refuses unknown fields, as kubectl asks for."""
    return {"query_params": [("fieldValidation", "Strict")], **options}


def create_all(admin: Admin, manifests: Iterable[Manifest]) -> None:
    """Create one after the other."""
    for manifest in manifests:
        admin.create(manifest)


_probes = itertools.count()


def writes_caused(admin: Admin, audit: Audit, namespace: str, act: Callable[[], object]) -> list[Request]:
    """The operator's writes in a namespace that follow from `act`.

    A deployment that is made afterwards tells when the operator has looked at everything before it; what it
    writes for that one is left out.
    """
    mark, probe = audit.mark(), f"probe-{next(_probes)}"
    act()
    admin.create(deployment(probe, namespace, replicas=0))
    admin.wait_settled(namespace, probe, "Idle", 2 * DEADLINE_SECONDS)
    return [request for request in audit.writes(mark, namespace) if not request.name.startswith(probe)]


def touch(admin: Admin, namespace: str, name: str) -> None:
    """Have the operator look at a deployment: a label of the user's changes."""
    admin.patch("MeditronDeployment", namespace, name, {"metadata": {"labels": {"touched": str(next(_probes))}}})


def core(admin: Admin) -> client.CoreV1Api:
    """The typed client, where the dynamic one is clumsy."""
    return client.CoreV1Api(admin.api)
