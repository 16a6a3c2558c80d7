"""Which card of a cluster was chosen, and why not the others."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text


def choice_text(told: Mapping[str, Any]) -> Text:
    """The choice, its runners-up and the refusals, one line each."""
    if "gpuType" in told:
        lines = Text.assemble(("Chosen: ", "bold green"), f"{told['reason']}")
    else:
        lines = Text(
            "No card of these nodes will do." if told["refusals"] else "These nodes offer no GPU.", style="bold red"
        )
    for each in told.get("runnersUp", ()):
        lines.append("\nNext: ", style="bold").append(each["reason"])
    for each in told["refusals"]:
        lines.append(f"\nNot {each['gpuType']}: ", style="bold").append(each["reason"])
    return lines.append("\n") if "gpuType" in told else lines
