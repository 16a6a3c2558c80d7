"""The operator in a pod, the engine double in a pod: from a MeditronDeployment to a clinician's tokens."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.support import Admin, Audit, Manifest, create_all
from tests.node.conftest import Ground
from tests.node.engine import (
    QUICK,
    address_of,
    heard,
    inside,
    reader,
    served,
    wait_available,
    wait_end,
    wait_tokens,
)
from tests.node.pods import PORT, PROBE, is_ready, namespace, server, wait_ready
from tests.node.timings import measured, note
from tests.testbed import Testbed
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.node

TOKENS_LIMIT_SECONDS = 60
GATE = "meditron.ai/serving"


def gate(body: Manifest | None) -> Manifest:
    assert body is not None
    return next((each for each in body["status"].get("conditions", []) if each["type"] == GATE), {})


def test_from_a_deployment_to_tokens(bed: Testbed, admin: Admin, ground: Ground, clinic: str, probe: str) -> None:
    began = time.monotonic()
    admin.create(served("notes", clinic, ground.engine_image))
    service = admin.wait("Service", clinic, "notes", lambda body: body is not None)
    assert service is not None
    address = service["spec"]["clusterIP"]
    admin.create(reader(clinic, "named", probe, address))
    admin.create(reader(clinic, "stranger", probe, address, app="other"))
    wait_tokens(admin, clinic, "named", 1, TOKENS_LIMIT_SECONDS)
    seconds = time.monotonic() - began
    plugin = "Cilium" if bed.node and bed.node.enforces_policies else "the bridge plugin"
    note(f"from a MeditronDeployment to a client's first token, with {plugin}", seconds)
    assert seconds < TOKENS_LIMIT_SECONDS

    got = wait_end(admin, clinic, "named")
    assert got.ended == "complete"
    assert [token["index"] for token in got.tokens] == list(range(1, 51))
    body = wait_available(admin, clinic, "notes")
    assert body["status"]["measured"]["kvCapacityTokens"] == 100_000  # out of the engine's log, by the real kubelet
    if bed.node and bed.node.enforces_policies:
        stranger = heard(admin, clinic, "stranger")
        assert stranger.refusals > 3
        assert not stranger.tokens


def test_the_gate_is_opened_by_the_operator_alone(
    bed: Testbed, admin: Admin, ground: Ground, clinic: str, probe: str
) -> None:
    audit, mark = Audit(bed.audit_log), Audit(bed.audit_log).mark()
    admin.create(served("notes", clinic, ground.engine_image, env=QUICK))
    wait_available(admin, clinic, "notes")

    body = admin.get("Pod", clinic, "notes-0")
    assert body is not None
    assert (gate(body)["status"], gate(body)["reason"]) == ("True", "Healthy")
    writes = [
        request
        for request in audit.writes(mark, clinic)
        if (request.resource, request.verb) == ("pods/status", "patch")
    ]
    assert [request.name for request in writes] == ["notes-0"]  # once


def test_a_new_operator_pod_closes_no_gate(bed: Testbed, admin: Admin, ground: Ground, clinic: str, probe: str) -> None:
    admin.create(served("notes", clinic, ground.engine_image, env=QUICK | {"DOUBLE_ANSWER_TOKENS": "2000"}))
    wait_available(admin, clinic, "notes")
    before = gate(admin.get("Pod", clinic, "notes-0"))
    admin.create(reader(clinic, "named", probe, address_of(admin, clinic, "notes"), tokens=600))
    wait_tokens(admin, clinic, "named", 10)
    audit, mark = Audit(bed.audit_log), Audit(bed.audit_log).mark()

    (old,) = admin.list("Pod", "meditron-system")
    admin.delete("Pod", "meditron-system", old["metadata"]["name"])
    with measured("from the end of the operator's pod to the next one being ready"):
        wait_for("a new operator's pod to be ready", lambda: new_pod(admin, old), 60)

    assert wait_end(admin, clinic, "named").ended == "complete"
    assert gate(admin.get("Pod", clinic, "notes-0")) == before
    assert audit.writes(mark, clinic) == []


def new_pod(admin: Admin, old: Manifest) -> bool:
    """Whether the old one is gone and another one works."""
    found = admin.list("Pod", "meditron-system")
    return [is_ready(each) for each in found if each["metadata"]["uid"] != old["metadata"]["uid"]] == [True]


def test_the_operator_is_as_shut_in_as_its_chart_says(admin: Admin, ground: Ground) -> None:
    (body,) = admin.list("Pod", "meditron-system")
    (container,) = body["spec"]["containers"]
    assert container["image"] == ground.operator_image
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert body["spec"]["securityContext"]["runAsUser"] == 10001
    assert body["spec"]["serviceAccountName"] == "meditron-operator"


def test_the_engine_finds_what_it_writes_to_and_nothing_else(
    bed: Testbed, admin: Admin, ground: Ground, clinic: str
) -> None:
    admin.create(served("notes", clinic, ground.engine_image, env=QUICK))
    wait_available(admin, clinic, "notes")
    script = """
import json, os, pathlib
def writes(folder):
    try:
        (pathlib.Path(folder) / "x").write_text("x")
    except OSError as refused:
        return refused.strerror
    return "written"
folders = ("/", "/usr/src", "/model", "/tmp", "/usr/src/out", "/dev/shm")
size = os.statvfs("/dev/shm")
kinds = [line.split() for line in open("/proc/self/mounts")]
print(json.dumps({
    "writes": {folder: writes(folder) for folder in folders},
    "user": os.getuid(), "folder": os.readlink("/proc/1/cwd"),
    "shm": [size.f_frsize * size.f_blocks, next(kind[2] for kind in kinds if kind[1] == "/dev/shm")],
}))
"""
    seen = json.loads(inside(bed, admin, clinic, "notes-0", script))
    read_only = "Read-only file system"
    assert seen["writes"] == {
        "/": read_only,
        "/usr/src": read_only,
        "/model": read_only,
        "/tmp": "written",
        "/usr/src/out": "written",
        "/dev/shm": "written",
    }
    assert seen["user"] == 10001
    assert seen["folder"] == "/usr/src"
    assert seen["shm"] == [2**30, "tmpfs"]


def test_the_operator_reaches_no_other_pod(
    cilium_bed: Testbed, prepare: Callable[[Testbed], Ground], tmp_path: Path
) -> None:
    """Its own policy, enforced: with the API server it talks all the time."""
    prepare(cilium_bed)
    admin = Admin(cilium_bed.kubeconfig)
    assert cilium_bed.node is not None
    create_all(admin, [namespace("reached")])
    admin.create(server("reached", cilium_bed.node.load(PROBE.build(tmp_path, print))))
    address = wait_ready(admin, "reached", "server")["status"]["podIP"]
    (operator,) = admin.list("Pod", "meditron-system")
    script = (
        "import socket\n"
        f"try: socket.create_connection(({address!r}, {PORT}), 2)\n"
        "except OSError as refused: print(type(refused).__name__)"
    )
    said = inside(cilium_bed, admin, "meditron-system", operator["metadata"]["name"], script)
    assert said == "TimeoutError\n"
    admin.delete("Namespace", None, "reached")
