"""An outage: latency and answers over time, a panel a library, the phases shaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from resilience_bench._outages import Outage
from resilience_bench.report.plots import style
from resilience_bench.stats.outage import Slices, divide_into_slices

PANEL_INCHES: Final = 1.75
HEAD_INCHES: Final = 1.4
HEIGHTS: Final = (3.0, 1.0)
SUBTITLE: Final = "Above: time from arrival to answer. Below: how requests were answered"
SHADES: Final[Mapping[str, float]] = {"healthy": 0.0, "slow": 0.10, "refusing": 0.18}
"""How dark a phase is shaded, by what the dependency does."""
DARKEST: Final = 0.26
ANSWERS: Final[Mapping[str, tuple[str, str]]] = {
    "live": ("#DCEBF7", ""),
    "stale": ("#56B4E9", "////"),
    "default": ("#E69F00", "...."),
    "wrong": ("#CC79A7", "++++"),
    "error": ("#8C2D04", "xxxx"),
    "unserved": ("#000000", ""),
}
"""Colour and hatching of each kind of answer."""
LEAST_MS: Final = 0.01
LEGEND_AT: Final = -0.9
"""How far below the last panel the legend begins, in heights of its answers."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A library in an outage, and the share of requests that were answered in all, in words."""

    label: str
    answered: str
    outage: Outage


def draw(title: str, foot: str, panels: Sequence[Panel]) -> Figure:
    """Draw a panel for each library, in the order of the file."""
    height = HEAD_INCHES + PANEL_INCHES * len(panels)
    figure = style.make_figure(title, SUBTITLE, foot, height)
    axes = figure.subplots(
        2 * len(panels), 1, sharex=True, height_ratios=HEIGHTS * len(panels), squeeze=False
    )[:, 0]
    sliced = [divide_into_slices(panel.outage) for panel in panels]
    for number, (panel, slices) in enumerate(zip(panels, sliced, strict=True)):
        above, below = axes[2 * number : 2 * number + 2]
        _shade_phases(above, panel.outage)
        _draw_latencies(above, slices)
        _draw_answers(below, slices)
        above.set_title(
            f"{style.wrap_label(panel.label, 60)}: {panel.answered} answered",
            loc="left",
            size=8.5,
            weight="bold",
        )
    latencies = [
        max(latency, LEAST_MS) for slices in sliced for latency in (*slices.p50_ms, *slices.max_ms)
    ]
    for above in axes[::2]:
        above.set_yscale("log")
        style.set_log_axis(above.yaxis, latencies, lambda ms: style.format_short_time(ms * 1e6), 1)
    axes[-1].set_xlabel("seconds", size=8)
    axes[-1].set_xlim(0, max(panel.outage.phases[-1].ends_us for panel in panels) / 1e6)
    _add_legend(axes[-1])
    return figure


def _shade_phases(axes: Axes, outage: Outage) -> None:
    for phase in outage.phases:
        starts_s, ends_s = phase.starts_us / 1e6, phase.ends_us / 1e6
        shade = SHADES.get(phase.mode, DARKEST)
        axes.axvspan(starts_s, ends_s, color=style.BLACK, alpha=shade, linewidth=0)
        axes.axvline(starts_s, color=style.GREY, linewidth=0.6)
        axes.annotate(
            phase.name,
            ((starts_s + ends_s) / 2, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, -2),
            textcoords="offset points",
            ha="center",
            va="top",
            size=7,
        )


def _draw_latencies(axes: Axes, slices: Slices) -> None:
    axes.plot(slices.middles_s, _lift(slices.max_ms), **MAX)
    axes.plot(slices.middles_s, _lift(slices.p50_ms), **MEDIAN)
    axes.tick_params(labelsize=7)
    axes.grid(axis="y")


MEDIAN: Final[Mapping[str, Any]] = {"color": style.OKABE_ITO[0], "linewidth": 1.6}
MAX: Final[Mapping[str, Any]] = {
    "color": style.OKABE_ITO[1],
    "linewidth": 0.9,
    "linestyle": (0, (1.5, 1.2)),
}


def _lift(latencies_ms: Sequence[float]) -> list[float]:
    return [max(latency_ms, LEAST_MS) for latency_ms in latencies_ms]


def _draw_answers(axes: Axes, slices: Slices) -> None:
    axes.stackplot(
        slices.middles_s,
        *(slices.shares[word] for word in ANSWERS),
        colors=[colour for colour, _ in ANSWERS.values()],
        hatch=[hatch for _, hatch in ANSWERS.values()],
        edgecolor="white",
        linewidth=0,
        step="mid",
    )
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 1], ["0", "100 %"])
    axes.tick_params(labelsize=7)


def _add_legend(axes: Axes) -> None:
    handles = [
        Line2D([], [], label="median", **MEDIAN),
        Line2D([], [], label="slowest", **MAX),
        *(
            Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=word)
            for word, (colour, hatch) in ANSWERS.items()
        ),
    ]
    axes.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, LEGEND_AT),
        ncols=len(handles),
        frameon=False,
        fontsize=7,
    )
