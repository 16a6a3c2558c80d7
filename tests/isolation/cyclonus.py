"""What Cyclonus, which knows nothing of us and enforces nothing, says that the policies let through."""

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from meditron_operator.core.render.meta import Manifest
from meditron_operator.core.render.network import NAMESPACE_NAME_LABEL
from tests.isolation.people import PODS, Identity, Who
from tests.isolation.table import CLOSED, SERVING, Cell, Where

_POD_ADDRESS: Final = "10.244.0.9"  # no rule speaks of addresses
_OUTSIDE: Final = {
    Where.API: ("10.0.0.10", 6443),
    Where.API_NODE: ("10.0.0.10", 6443),
    Where.KUBELET: ("10.0.0.10", 10250),
    Where.INTERNET: ("203.0.113.7", 443),
}
_PODS: Final = {
    Where.DNS: Identity("kube-system", {"k8s-app": "kube-dns"}),
    Where.DNS_UDP: Identity("kube-system", {"k8s-app": "kube-dns"}),
    Where.BESIDE: PODS[Who.BESIDE],
    Where.ELSEWHERE: PODS[Who.NAMED_ELSEWHERE],
}
_LIMIT_SECONDS: Final = 60
_ANSWER: Final = re.compile(r"IS ALLOWED\?\s*\|\s*(TRUE|FALSE)")


def can_say(cell: Cell) -> bool:
    """Policies don't speak of the node and its network; what has no such port at a Service reaches no pod."""
    return cell.who in PODS and not (cell.by_service and cell.port != SERVING)


def let_through(program: Path, policies: Sequence[Manifest], cells: Sequence[Cell], folder: Path) -> list[bool]:
    """One answer for each cell, in their order. `folder` is for its input files."""
    policy_file, traffic_file = folder / "policies.yaml", folder / "traffic.json"
    listed = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicyList", "items": list(policies)}
    policy_file.write_text(json.dumps(listed))
    traffic_file.write_text(json.dumps([_traffic(cell) for cell in cells]))
    files = (f"--policy-path={policy_file}", f"--traffic-path={traffic_file}")
    command = [str(program), "analyze", "--mode=query-traffic", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_LIMIT_SECONDS)
    answers = _ANSWER.findall(done.stdout)
    assert len(answers) == len(cells), done.stdout[-2000:] + done.stderr[-2000:]
    return [answer == "TRUE" for answer in answers]


def _traffic(cell: Cell) -> dict[str, Any]:
    address, port = _OUTSIDE.get(cell.where, (_POD_ADDRESS, cell.port or CLOSED))
    inside = None if cell.where in _OUTSIDE else _pod(_PODS.get(cell.where) or _engine(cell))
    return {
        "Source": {"Internal": _pod(PODS[cell.who]), "IP": _POD_ADDRESS},
        "Destination": {"Internal": inside, "IP": address},
        "ResolvedPort": port,
        "ResolvedPortName": "http" if port == SERVING else "",
        "Protocol": "UDP" if cell.where is Where.DNS_UDP else "TCP",
    }


def _engine(cell: Cell) -> Identity:
    return PODS[Who.FIRST_ENGINE if cell.to_first else Who.SECOND_ENGINE]


def _pod(identity: Identity) -> dict[str, Any]:
    return {
        "Namespace": identity.namespace,
        "NamespaceLabels": {NAMESPACE_NAME_LABEL: identity.namespace},
        "PodLabels": dict(identity.labels),
    }
