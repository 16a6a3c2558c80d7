"""One card's memory as a bar: a glyph for each part, so that it reads without colours too."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rich.text import Text

from meditron_operator.core.sizing import BytesPerGpu
from meditron_operator.core.sizing.fit import gib

MAX_WIDTH: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of the card."""

    name: str
    glyph: str
    plain: str
    """The glyph where only ASCII can be shown."""
    style: str


WEIGHTS: Final = Part(name="weights", glyph="█", plain="W", style="blue")
KV_CACHE: Final = Part(name="KV cache", glyph="▓", plain="K", style="green")
ACTIVATIONS: Final = Part(name="activations", glyph="▒", plain="A", style="yellow")
RUNTIME: Final = Part(name="runtime", glyph="░", plain="R", style="magenta")
HEADROOM: Final = Part(name="headroom", glyph="·", plain=".", style="dim")


def memory_bar(parts: BytesPerGpu, width: int, *, plain: bool) -> Text:
    """The bar, its legend, and where the card ends if the parts take more than it has."""
    sizes = _sizes(parts)
    whole = max(parts.total, sum(sizes.values()))
    width = min(width - 2, MAX_WIDTH)
    bar = Text("[" if plain else " ")
    for part, columns in zip(sizes, _columns(list(sizes.values()), whole, width), strict=True):
        bar.append((part.plain if plain else part.glyph) * columns, style=part.style)
    bar.append("]\n" if plain else "\n")
    if whole > parts.total:
        end = parts.total * width // whole
        bar.append(f"{' ' * end}^ the card ends here ({gib(parts.total)})\n", style="bold red")
    return bar.append_text(_legend(sizes, parts, plain=plain))


def _sizes(parts: BytesPerGpu) -> dict[Part, int]:
    return {
        WEIGHTS: parts.weights,
        KV_CACHE: max(0, parts.kv_cache),
        ACTIVATIONS: parts.activations,
        RUNTIME: parts.runtime,
        HEADROOM: parts.headroom,
    }


def _columns(sizes: list[int], whole: int, width: int) -> Iterator[int]:
    """Rounded so that they add up to the width: each part ends where the sum so far ends."""
    so_far = drawn = 0
    for size in sizes:
        so_far += size
        end = round(so_far * width / whole)
        yield end - drawn
        drawn = end


def _legend(sizes: dict[Part, int], parts: BytesPerGpu, *, plain: bool) -> Text:
    legend = Text(" ")
    for part, size in sizes.items():
        legend.append(part.plain if plain else part.glyph, style=part.style)
        legend.append(f" {part.name} {gib(size)}   ")
    return legend.append(f"= {gib(parts.total)} a GPU") if parts.kv_cache >= 0 else legend
