"""What the demo says besides the table. Pure."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.testbed.nodes import parse_nodes

NAMESPACE: Final = "clinical-ai"
CLAIM: Final = "meditron-weights"
NODES: Final = "A100-80GB:8:1,A100-40GB:4:1,RTX-4090:2:1,L4:1:2"

REAL: Final = (
    "etcd, API server, controllers, scheduler; the operator, beside them",
    "as a process, with its service account's rights and no others",
)
SIMULATED: Final = (
    "nodes, GPUs, containers (kwok): pods are ready at once, no model is",
    "loaded, and no network plugin enforces the policies",
)
_INDENT = 11


@dataclass(frozen=True, slots=True)
class Measured:
    """What came out, and how long after what."""

    what: str
    seconds: float
    since: str


def premises(real: Sequence[str], simulated: Sequence[str]) -> list[str]:
    """What is real here and what is not."""
    return [*_labelled("real", real), *_labelled("simulated", simulated)]


def cluster_size(nodes: str) -> str:
    """The testbed's `--nodes` text in words."""
    groups = parse_nodes(nodes)
    cards = sum(group.cards * group.count for group in groups)
    return f"{sum(group.count for group in groups)} nodes with {cards} GPUs"


def summary(results: Sequence[Measured], total: float, *, real_nodes: bool = False) -> list[str]:
    """What was done, each with its time, and what the times are of."""
    longest = max(len(result.what) for result in results)
    lines = [f"  {result.what.ljust(longest)}  {result.seconds:6.2f} s from {result.since}" for result in results]
    missing = "to load a model" if real_nodes else "to load a model, and to end a pod that is answering"
    return [
        f"Done in {total:.0f} s, as watches of the API server saw it:",
        *lines,
        "",
        f"On {'GPUs' if real_nodes else 'real nodes'} add the time {missing}.",
    ]


def still_running(directory: Path, kubeconfig: Path, logs: Path) -> list[str]:
    """How to look at a demo that was kept, and how to end it."""
    here = f"kubectl -n {NAMESPACE}"
    return [
        "The cluster and the operator are still running. To use them:",
        f"  export KUBECONFIG={shlex.quote(str(kubeconfig))}",
        f"  {here} get md -o wide",
        f"  {here} describe md too-big",
        f"  {here} get statefulset,service,networkpolicy,pod",
        f"  {here} scale md triage-helper --replicas=3    # there are two L4: see why it waits",
        "To let the stopped one serve again takes two people, and a third step:",
        f"  md() {{ {here} annotate --overwrite md ward-assistant --as=$1 --as-group=system:masters ${{@:2}}; }}",
        "  md rita meditron.ai/release-requested-by=rita \\",
        "    meditron.ai/release-requested-at=$(date -u +%Y-%m-%dT%H:%M:%SZ)",
        "  md paul meditron.ai/release-approved-by=paul meditron.ai/kill-switch- \\",
        "    meditron.ai/kill-reason- meditron.ai/killed-by-",
        "  md rosa meditron.ai/resume=rosa",
        f"  tail -f {shlex.quote(str(logs / 'operator.log'))}",
        "To end them and remove everything:",
        f"  {_end(directory)}",
    ]


def still_running_node(directory: Path, kubeconfig: Path, logs: Path) -> list[str]:
    """The same for the demo on a real node."""
    here = f"kubectl -n {NAMESPACE}"
    return [
        "The cluster, its node and the operator are still running. To use them:",
        f"  export KUBECONFIG={shlex.quote(str(kubeconfig))}",
        f"  {here} get md,pod,networkpolicy -o wide",
        f"  {here} logs consult-note    # every token with its time",
        "  kubectl -n meditron-system logs deploy/meditron-operator",
        f"  ls {shlex.quote(str(logs))}",
        "To end them and remove everything:",
        f"  {_end(directory)}",
    ]


def failure(problem: str, logs: Path, kept: Path | None) -> list[str]:
    """One clear line, where the logs are, and what to do. `kept` is the folder of a cluster that still runs."""
    if kept is None:
        advice = "run `make demo KEEP=1` and look with kubectl; if it comes again, report it with these logs"
    else:
        kubeconfig = shlex.quote(str(kept / "kubeconfig"))
        advice = f"it still runs: look with `kubectl --kubeconfig {kubeconfig}`, end it with `{_end(kept)}`"
    return [f"failed: {problem}", f"logs:   {logs} (operator.log first)", f"next:   {advice}"]


def _end(directory: Path) -> str:
    return f".venv/bin/python -m tests.testbed down --dir {shlex.quote(str(directory))}"


def _labelled(label: str, lines: Sequence[str]) -> list[str]:
    labels = (label, *("" for _ in lines[1:]))
    return [f"  {head.ljust(_INDENT)}{line}" for head, line in zip(labels, lines, strict=True)]
