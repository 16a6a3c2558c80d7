"""What the simulated kubelet answers when somebody asks for the log of an engine.

kwok serves files: the ones that this module writes, chosen by the pod's name. No engine wrote them; the lines are
those of text-generation-inference 3.3.7 from its start to its first request.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

CONTAINER: Final = "tgi"

USUAL_TOKENS: Final = 12_800  # of Meditron 7B on one L4, which most tests deploy: the plan predicts 12,315
SHORT_TOKENS: Final = 6_000  # far less than that
TOKENS: Final[Mapping[str, int | None]] = {
    "short-of-cache-0": SHORT_TOKENS,
    "says-nothing-0": None,  # its first lines are lost, as after a rotation
    "night-desk-0": 117_900,
    "ward-assistant-0": 118_500,  # the samples, which the demo deploys too
    "meditron-70b-bf16-0": 24_100,
    "research-desk-0": 17_300,
}
"""By pod; every other one has the usual log."""

_BEGIN: Final = (
    "INFO text_generation_launcher: Using prefill chunking = True",
    "INFO download: text_generation_launcher: Starting check and download process for /model",
    "INFO text_generation_launcher: Files are already present on the host. Skipping download.",
    "INFO download: text_generation_launcher: Successfully downloaded weights for /model",
    "INFO shard-manager: text_generation_launcher: Starting shard rank=0",
    "INFO shard-manager: text_generation_launcher: Waiting for shard to be ready... rank=0",
    "INFO shard-manager: text_generation_launcher: Shard ready in 21.013 s rank=0",
    "INFO text_generation_launcher: Starting Webserver",
    "INFO text_generation_router_v3: backends/v3/src/lib.rs:125: Warming up model",
)
_WARM: Final = (
    "INFO text_generation_launcher: KV-cache blocks: {tokens}, size: 1",
    "INFO text_generation_router_v3: backends/v3/src/lib.rs:137: Setting max batch total tokens to {tokens}",
    "INFO text_generation_router_v3: backends/v3/src/lib.rs:166: Using backend V3",
)
_SERVING: Final = (
    "INFO text_generation_router::server: router/src/server.rs:2414: Connected",
    "INFO generate: text_generation_router::server: router/src/server.rs:424: Success",
)


def write(configuration: Path) -> None:
    """Write kwok's configuration, which tells it which pod has which log, and the logs beside it."""
    folder = configuration.parent
    folder.mkdir(exist_ok=True)
    rules = []
    for pod, tokens in [*TOKENS.items(), ("", USUAL_TOKENS)]:
        log = folder / f"{pod or 'usual'}.log"
        log.write_text(container_log(tokens))
        rules.append(_rule(pod, log))
    configuration.write_text(yaml.safe_dump_all(rules))


def container_log(tokens: int | None) -> str:
    """The log in the form in which a container runtime keeps it."""
    start = () if tokens is None else (*_BEGIN, *(line.format(tokens=tokens) for line in _WARM))
    moment = "2026-01-01T00:00:00.000000000Z"
    return "".join(f"{moment} stdout F {moment[:-4]}Z  {line}\n" for line in (*start, *_SERVING))


def _rule(pod: str, log: Path) -> dict[str, Any]:
    """The first rule that matches counts, so the one for everybody comes last."""
    spec = {"logs": [{"containers": [CONTAINER], "logsFile": str(log)}]}
    selector = {"selector": {"matchNames": [pod]}} if pod else {}
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "ClusterLogs",
        "metadata": {"name": pod or "usual"},
        "spec": selector | spec,
    }
