"""How long single calls take under a load: the middle, the slow ones, the slowest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from resilience_bench._model import Estimate, Measurement
from resilience_bench.report.plots.style import (
    BARE,
    BARE_LABEL,
    Look,
    add_legend,
    compute_error_bars,
    format_defects,
    make_figure,
    set_time_axis,
    wrap_label,
)

COLUMNS: Final = {
    "p50_ns": "p50",
    "p90_ns": "p90",
    "p99_ns": "p99",
    "p999_ns": "p99.9",
    "longest_ns": "longest",
}
"""The quantities from left to right, and what stands below them; without those nobody has."""
HEADROOM: Final = 1.25
"""Above the longest call there is room for its marker."""
DODGE: Final = 0.05
"""How far libraries are set apart, so that their intervals do not hide each other."""


def draw(
    title: str,
    foot: str,
    bare: Measurement | None,
    libraries: Mapping[str, Measurement],
    look: Mapping[str, Look],
) -> Figure:
    """A line a library over the percentiles, with a logarithmic axis of times.

    Args:
        title: What was called, and under which load.
        foot: Where it was measured.
        bare: The bare call.
        libraries: Their measurements.
        look: How each library is drawn.
    """
    told = {label: select_percentiles(each) for label, each in libraries.items()}
    # The slowest above, as their lines are.
    ordered = sorted(told, key=lambda label: -max(each.value for each in told[label].values()))
    subtitle = "How long single calls take; bars: from the least to the most of the workers"
    figure = make_figure(title, subtitle, foot, 4.4)
    axes = figure.add_subplot()
    axes.set_yscale("log")
    bare_told = select_percentiles(bare) if bare else {}
    columns = [
        name for name in COLUMNS if any(name in each for each in (bare_told, *told.values()))
    ]
    handles: list[Line2D] = []
    for position, label in enumerate(ordered):
        shift = DODGE * (position - (len(ordered) - 1) / 2)
        handles.append(
            _draw_line(axes, columns, told[label], shift, look[label].make_line_settings())
        )
    labels = [wrap_label(label + format_defects([libraries[label]])) for label in ordered]
    if bare_told:
        handles.append(_draw_line(axes, columns, bare_told, 0.0, {**BARE, "marker": "o"}))
        labels.append(f"{BARE_LABEL}: the line to reach")
    everything = (bare_told, *told.values())
    _finish_axes(axes, columns, [each.value for members in everything for each in members.values()])
    add_legend(axes, handles, labels)
    return figure


def select_percentiles(measured: Measurement) -> dict[str, Estimate]:
    """The percentiles that were told, and that have a place on a logarithmic axis."""
    found = {name: measured.quantities.get(name) for name in COLUMNS}
    return {name: each for name, each in found.items() if each and each.value > 0}


def _draw_line(
    axes: Axes,
    columns: Sequence[str],
    told: Mapping[str, Estimate],
    shift: float,
    more: Mapping[str, Any],
) -> Line2D:
    """A line over the columns, with a gap where nothing was told."""
    places = [position + shift for position in range(len(columns))]
    values = [told[name].value if name in told else math.nan for name in columns]
    [line] = axes.plot(places, values, **more)
    quantities = [told[name] for name in columns if name in told]
    axes.errorbar(
        [place for place, name in zip(places, columns, strict=True) if name in told],
        [each.value for each in quantities],
        yerr=compute_error_bars(quantities),
        fmt="none",
        ecolor=more["color"],
        elinewidth=0.9,
        capsize=2.0,
        zorder=1.8,
    )
    return line


def _finish_axes(axes: Axes, columns: Sequence[str], values: Sequence[float]) -> None:
    set_time_axis(axes.yaxis, values)
    axes.set_ylim(top=max(axes.get_ylim()[1], HEADROOM * max(values, default=0.0)) or None)
    axes.set_xticks(range(len(columns)), [COLUMNS[name] for name in columns])
    axes.set_xlim(-0.4, len(columns) - 0.6)
    axes.set_xlabel("Percentile of the calls")
    axes.set_ylabel("Time of a call")
    axes.grid(visible=True, which="major", axis="y")
    axes.grid(visible=True, which="minor", axis="y", linewidth=0.3)
