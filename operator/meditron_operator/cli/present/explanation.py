"""The sum of `--explain`: every term with its numbers and its source."""

from collections.abc import Sequence
from typing import Any

import yaml
from rich.table import Table
from rich.text import Text

from meditron_operator.core.sizing.explain import Term
from meditron_operator.core.sizing.fit import gib


def terms_table(terms: Sequence[Term]) -> Table:
    """One term a line pair: what is computed, then the numbers that are put in."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("term", no_wrap=True)
    table.add_column("computed as")
    table.add_column("is", justify="right", no_wrap=True)
    table.add_column("source", style="dim")
    for term in terms:
        table.add_row(term.name, Text.assemble(f"{term.formula}\n", (term.numbers, "cyan")), _value(term), term.source)
    return table


def environment_text(environment: dict[str, str]) -> Text:
    """What the plan sets on the launcher."""
    lines = "\n".join(f"  {name}={value}" for name, value in sorted(environment.items()))
    return Text.assemble(("Launcher environment of this plan\n", "bold"), lines)


def pod_text(memory_bytes: int, shm_bytes: int, storage_bytes: int, cpus: int, checkpoint_bytes: int) -> Text:
    """What the pod needs beside its GPUs."""
    return Text.assemble(
        ("Pod\n", "bold"),
        f"  memory {gib(memory_bytes)} (of it /dev/shm {gib(shm_bytes)}), {cpus} CPUs, "
        f"ephemeral storage {gib(storage_bytes)}; weights on disk {checkpoint_bytes / 1e9:.2f} GB",
    )


def manifest_text(manifest: dict[str, Any]) -> Text:
    """What to put into a manifest, as YAML."""
    return Text.assemble(("For the manifest\n", "bold"), yaml.safe_dump(manifest, sort_keys=False).rstrip())


def _value(term: Term) -> str:
    if term.unit == "bytes" and abs(term.value) >= 2**20:
        return f"{term.value:,} bytes\n{gib(term.value)}"
    return f"{term.value:,} {term.unit}"
