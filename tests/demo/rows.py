"""What the table says about each deployment. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meditron_operator import names

Manifest = Mapping[str, Any]
State = Mapping[tuple[str, str], Manifest]
"""Every object that is watched, by kind and name."""

_FORMATS = {"bfloat16": "bf16", "float16": "fp16"}


@dataclass(frozen=True, slots=True)
class Row:
    """One deployment. `why` is the operator's own explanation, in short."""

    name: str
    model: str
    gpus: str
    node: str
    ready: str
    phase: str
    why: str


def rows(state: State) -> list[Row]:
    """One row per deployment, by name."""
    found = sorted(name for kind, name in state if kind == names.KIND)
    return [_row(state[names.KIND, name], nodes(state, name)) for name in found]


def pods(state: State, deployment: str) -> list[Manifest]:
    """The pods of one deployment."""
    label = names.DEPLOYMENT_LABEL
    return [
        body
        for (kind, _), body in state.items()
        if kind == "Pod" and body["metadata"].get("labels", {}).get(label) == deployment
    ]


def nodes(state: State, deployment: str) -> list[str]:
    """Where the pods of one deployment are."""
    placed = (body.get("spec", {}).get("nodeName") for body in pods(state, deployment))
    return sorted({node for node in placed if node})


def why(body: Manifest) -> str:
    """The sum behind the plan while all is well, else the condition that explains the phase."""
    status = body.get("status", {})
    if status.get("phase") == "Ready" and "plan" in status:
        return _sum(status["plan"], body["spec"]["model"])
    reason = status.get("reason", "")
    said = (item["message"] for item in status.get("conditions", ()) if item["reason"] == reason)
    return f"{reason}: {message}" if (message := next(said, "")) else reason


def _row(body: Manifest, where: list[str]) -> Row:
    spec, status = body["spec"], body.get("status", {})
    gpu = spec["gpu"]
    asked = f"{gpu['count']}x{gpu['type']}" if "count" in gpu else gpu["type"]
    return Row(
        name=body["metadata"]["name"],
        model=_model(spec["model"]),
        gpus=status.get("plan", {}).get("summary") or asked,
        node=", ".join(where) or "-",
        ready=status.get("ready", "-"),
        phase=status.get("phase", "-"),
        why=why(body),
    )


def _model(model: Manifest) -> str:
    size = re.search(r"[0-9]+b\b", model["id"], re.IGNORECASE)
    quantization = model.get("quantization", "none")
    form = _FORMATS.get(model.get("dtype", ""), "16-bit") if quantization == "none" else quantization
    return f"{size[0].upper() if size else model['id']} {form}"


def _sum(plan: Manifest, model: Manifest) -> str:
    """The parts add up to the total as printed, not only as computed."""
    parts = plan["bytesPerGPU"]
    total, weights, cache = (_tenths(parts[name]) for name in ("total", "weights", "kvCache"))
    other = total - weights - cache
    context = model.get("contextTokens")
    room = f"; room for {plan['sequencesAtFullContext']} x {context:,} tokens at once" if context else ""
    return f"weights {_gib(weights)} + KV cache {_gib(cache)} + other {_gib(other)} = {_gib(total)} GiB per GPU{room}"


def _tenths(size: int) -> int:
    return round(size * 10 / 2**30)


def _gib(tenths: int) -> str:
    return f"{tenths / 10:.1f}"
