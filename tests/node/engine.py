"""Deployments whose engine is the double in a real container: manifests, weights, clients, and looks inside."""

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kubernetes.dynamic.exceptions import NotFoundError

from meditron_operator import names
from tests.cluster.people import let_go
from tests.cluster.support import Admin, Manifest, create_all, deployment, weights_volume
from tests.node.pods import log, namespace, pod
from tests.testbed import Testbed
from tests.testbed.node.python_image import SITE
from tests.testbed.waiting import wait_for

CLIENT: Final = "consult-note"
"""The `app` label of the pods that may connect."""

CONFIG: Final = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "max_position_embeddings": 2048,
}
QUICK: Final = {"TEST_QUICK_PROBES": "true", "DOUBLE_CONTROL_PORT": "8099"}
_numbers = itertools.count()


def write_weights(folder: Path) -> Path:
    """What the double looks at: a configuration, and files that are there."""
    model = folder / "weights" / "meditron-7b"
    model.mkdir(parents=True)
    (model / "config.json").write_text(json.dumps(CONFIG))
    (model / "model-00001-of-00001.safetensors").touch()
    return folder / "weights"


def served(name: str, space: str, image: str, *, path: str = "meditron-7b", **rest: Any) -> Manifest:
    """A deployment of the double on one of the node's cards. `env` is `engine.extraEnv`."""
    env = {"DOUBLE_KV_TOKENS": "100000", **rest.pop("env", {})}
    source = {"persistentVolumeClaim": {"claimName": "weights", "path": path}}
    return deployment(
        name,
        space,
        model={"id": "meditron-7b", "source": source},
        gpu={"type": "A100-80GB"},
        network={"clients": [{"namespace": space, "podLabels": {"app": CLIENT}}]},
        engine={"image": image, "extraEnv": env},
        **rest,
    )


def create_ward(admin: Admin, name: str, weights: Path) -> None:
    """A namespace that enforces Pod Security `restricted`, and the claim `weights` in it."""
    create_all(admin, [namespace(name), *weights_volume(name, path=str(weights))])


@contextmanager
def engine_ward(admin: Admin, name: str, weights: Path) -> Iterator[str]:
    """A namespace with the weights in it; at its end its GPUs are free again."""
    create_ward(admin, name, weights)
    yield name
    let_go(admin, name)
    for body in admin.list("Pod", name, names.DEPLOYMENT_LABEL):
        kill_pod(admin, name, body["metadata"]["name"])
    admin.delete("Namespace", None, name)
    admin.delete("PersistentVolume", None, f"{name}-weights")


def kill_pod(admin: Admin, space: str, name: str) -> None:
    """Without its grace: nobody is served by it any more."""
    options = {"gracePeriodSeconds": 1, "propagationPolicy": "Background"}
    with suppress(NotFoundError):
        admin.resource("Pod").delete(name=name, namespace=space, body=options)
        admin.wait_gone("Pod", space, name, 60)


def reader(space: str, name: str, image: str, address: str, *, app: str = CLIENT, tokens: int = 50) -> Manifest:
    """A client pod: see inside/reader.py."""
    manifest = pod(space, name, image)
    manifest["metadata"]["labels"] = {"app": app}
    container = manifest["spec"]["containers"][0]
    container["command"] = ["/usr/bin/python3", f"{SITE}/reader.py", address, "8080", str(tokens), "60"]
    return manifest


@dataclass(frozen=True, slots=True)
class Heard:
    """What a reader has told so far."""

    lines: list[dict[str, Any]]

    @property
    def tokens(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "token" in line]

    @property
    def refusals(self) -> int:
        return sum("refused" in line for line in self.lines)

    @property
    def ended(self) -> str | None:
        return next((str(line["ended"]) for line in self.lines if "ended" in line), None)


def heard(admin: Admin, space: str, name: str) -> Heard:
    return Heard([json.loads(line) for line in log(admin, space, name).splitlines()])


def wait_tokens(admin: Admin, space: str, name: str, count: int, seconds: float = 30) -> Heard:
    """Until the reader has got so many."""
    return wait_for(
        f"{count} tokens at {space}/{name}",
        lambda: found if len((found := heard(admin, space, name)).tokens) >= count else None,
        seconds,
    )


def wait_end(admin: Admin, space: str, name: str, seconds: float = 60) -> Heard:
    """Until the reader's stream is over, however."""
    return wait_for(
        f"the end of the stream to {space}/{name}",
        lambda: found if (found := heard(admin, space, name)).ended is not None else None,
        seconds,
    )


def wait_available(admin: Admin, space: str, name: str, seconds: float = 60) -> Manifest:
    """Until the deployment is Ready."""
    return admin.wait_phase(space, name, "Ready", seconds)


def address_of(admin: Admin, space: str, name: str) -> str:
    """Of the Service that clients use: there is no cluster DNS."""
    service = admin.get("Service", space, name)
    assert service is not None
    return str(service["spec"]["clusterIP"])


def inside(bed: Testbed, admin: Admin, space: str, name: str, script: str) -> str:
    """Run Python in the engine's container, as its user and with its mounts; returns what it prints."""
    body = admin.get("Pod", space, name)
    assert bed.node is not None
    assert body is not None
    container = body["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    label = f"look-{next(_numbers)}"
    return bed.node.ctr("tasks", "exec", "--exec-id", label, container, "/usr/bin/python3", "-c", script)


def inject(bed: Testbed, admin: Admin, space: str, name: str, **faults: object) -> None:
    """Give a running double faults through its control port, which is open inside the pod only."""
    script = (
        "import urllib.request as r; "
        f"r.urlopen(r.Request('http://127.0.0.1:8099/faults', data={json.dumps(faults).encode()!r}, method='POST'))"
    )
    inside(bed, admin, space, name, script)


def now() -> float:
    """As clients in pods tell it: one kernel has one clock."""
    return time.time()
