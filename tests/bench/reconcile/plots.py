"""The figures as bars: one panel for each row of the goals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.bench.reconcile.contenders import ALL, OURS
from tests.bench.reconcile.figures import Figures

_COLUMNS: Final = 3
_OURS, _OTHERS, _ROUND = "#2a6fbb", "#b8c0c8", "#333333"


@dataclass(frozen=True, slots=True)
class Panel:
    """One quantity of all contenders; None where a contender has none."""

    title: str
    unit: str
    value: Callable[[Figures], float | None]


def draw(rounds: dict[str, list[Figures]], sizes: Sequence[int], file: Path) -> None:
    """An SVG: the median of each contender as a bar, its rounds as dots."""
    panels = _panels(sizes)
    # Text as text, and the same file for the same figures.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "bench", "font.size": 9}):
        figure = Figure(figsize=(11, 2.4 * -(-len(panels) // _COLUMNS)), layout="constrained")
        axes = list(figure.subplots(-(-len(panels) // _COLUMNS), _COLUMNS, squeeze=False).flat)
        for each in axes:
            each.set_axis_off()
        for each, panel in zip(axes, panels, strict=False):
            _draw(each, panel, rounds)
        figure.savefig(file, format="svg", metadata={"Date": None})


def _draw(axes: Axes, panel: Panel, rounds: dict[str, list[Figures]]) -> None:
    names = [each.name for each in reversed(ALL)]
    axes.set_axis_on()
    axes.set_title(panel.title, loc="left", fontsize=9)
    axes.set_xlabel(panel.unit)
    axes.spines[["top", "right"]].set_visible(False)
    for row, name in enumerate(names):
        found = [value for each in rounds[name] if (value := panel.value(each)) is not None]
        median = panel.value(Figures.median(rounds[name]))
        if median is None:
            axes.annotate("none", (0, row), xytext=(4, 0), textcoords="offset points", va="center")
            continue
        axes.barh(row, median, color=_OURS if name == OURS.name else _OTHERS)
        axes.plot(found, [row] * len(found), ".", color=_ROUND, markersize=3)
        told = f"{median:.0f}" if median >= 100 else f"{median:.3g}"
        axes.annotate(told, (max(median, *found), row), xytext=(4, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.margins(x=0.18)


def _panels(sizes: Sequence[int]) -> list[Panel]:
    bursts = [panel for index, size in enumerate(sizes) for panel in _of_burst(index, size)]
    return [
        *bursts,
        Panel("P2 writes of a created deployment", "writes, Events apart", lambda each: each.bursts[-1].writes_each),
        Panel("P3 writes of a restart", "writes", lambda each: each.restart.writes),
        Panel("P4 restart until caught up", "s", lambda each: each.restart.seconds),
        Panel("P5 resident memory, idle", "MiB", lambda each: each.idle_mib),
        Panel("P5 resident memory with all deployments", "MiB", lambda each: each.full_mib),
        Panel("P6 one deployment to its last child", "ms", lambda each: each.single_ms),
        Panel("P7 a repair", "ms", lambda each: each.repair_ms),
    ]


def _of_burst(index: int, size: int) -> list[Panel]:
    return [
        Panel(f"P1 {size} at once: last child", "s", lambda each: each.bursts[index].wall_seconds),
        Panel(f"P1 {size} at once: median of a deployment", "s", lambda each: each.bursts[index].median_seconds),
        Panel(f"P1 {size} at once: operator's CPU", "ms a deployment", lambda each: each.bursts[index].cpu_ms_each),
        Panel(
            f"P1 {size} at once: API server's CPU",
            "ms a deployment",
            lambda each: each.bursts[index].server_cpu_ms_each,
        ),
    ]
