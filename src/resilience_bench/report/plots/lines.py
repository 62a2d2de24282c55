"""Lines of libraries beside the bare call's: rates by callers, and percentiles of one load."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from resilience_bench._model import Estimate, Measurement
from resilience_bench.report.plots import style

BARE_LABEL: Final = "bare call: the line to reach"
PERCENTILES: Final = {
    "p50_ns": "p50",
    "p90_ns": "p90",
    "p99_ns": "p99",
    "p999_ns": "p99.9",
    "longest_ns": "longest",
}
"""The quantities from left to right, and their labels; columns without any value are left out."""
HEIGHT_INCHES: Final = 4.4
HEADROOM: Final = 1.25
"""Room above the longest call, for its marker."""
DODGE: Final = 0.05
"""How far libraries are set apart, so that their intervals do not hide each other."""
ABSENT: Final = Estimate(math.nan, math.nan, math.nan)


def draw_rates(  # noqa: PLR0913 - what a picture shows stands in one place
    title: str,
    foot: str,
    kind: str,
    bare: Mapping[int, Measurement],
    libraries: Mapping[str, Mapping[int, Measurement]],
    *,
    look: Mapping[str, style.Look],
) -> Figure:
    """Draw calls per second by the number of callers of a kind, both axes logarithmic."""
    lines = [bare, *libraries.values()]
    rates = {callers: measured for line in lines for callers, measured in line.items()}
    figure, axes = _make_axes(title, f"Calls per second of all {kind} together", foot)
    handles, labels = [], []
    if bare:
        handles.append(_draw_line(axes, sorted(bare), _get_rates(bare), style.BARE))
        labels.append(BARE_LABEL)
    # In the order in which the lines end, so that the legend is read beside them.
    for label in sorted(libraries, key=lambda label: -_get_rates(libraries[label])[-1].value):
        points = libraries[label]
        settings = look[label].make_line_settings()
        handles.append(_draw_line(axes, sorted(points), _get_rates(points), settings))
        labels.append(style.wrap_label(label + style.format_defects(points.values())))
    style.set_count_axis(axes, sorted(rates))
    values = [estimate.value for line in lines for estimate in _get_rates(line)]
    style.set_log_axis(axes.yaxis, values, style.format_short_rate)
    axes.set_xlabel(f"Number of {kind}")
    axes.set_ylabel("Calls per second")
    axes.grid(visible=True, which="major", axis="x")
    style.add_legend(axes, handles, labels)
    return figure


def _get_rates(points: Mapping[int, Measurement]) -> list[Estimate]:
    return [points[callers].quantities["calls_per_s"] for callers in sorted(points)]


def draw_latencies(
    title: str,
    foot: str,
    bare: Measurement | None,
    libraries: Mapping[str, Measurement],
    look: Mapping[str, style.Look],
) -> Figure:
    """Draw how long single calls take, by percentile, with a logarithmic axis of times."""
    found = {label: select_percentiles(measured) for label, measured in libraries.items()}
    found_bare = select_percentiles(bare) if bare else {}
    lines = (found_bare, *found.values())
    columns = [name for name in PERCENTILES if any(name in line for line in lines)]
    subtitle = "How long single calls take; bars: lowest to highest worker"
    figure, axes = _make_axes(title, subtitle, foot)
    handles, labels = [], []
    # The slowest above, as their lines are.
    ordered = sorted(
        found, key=lambda label: -max(estimate.value for estimate in found[label].values())
    )
    for position, label in enumerate(ordered):
        shift = DODGE * (position - (len(ordered) - 1) / 2)
        places = [place + shift for place in range(len(columns))]
        estimates = [found[label].get(name, ABSENT) for name in columns]
        handles.append(_draw_line(axes, places, estimates, look[label].make_line_settings()))
        labels.append(style.wrap_label(label + style.format_defects([libraries[label]])))
    if found_bare:
        estimates = [found_bare.get(name, ABSENT) for name in columns]
        handles.append(
            _draw_line(axes, range(len(columns)), estimates, {**style.BARE, "marker": "o"})
        )
        labels.append(BARE_LABEL)
    values = [estimate.value for line in lines for estimate in line.values()]
    style.set_log_axis(axes.yaxis, values, style.format_short_time)
    axes.set_ylim(top=max(axes.get_ylim()[1], HEADROOM * max(values, default=0.0)) or None)
    axes.set_xticks(range(len(columns)), [PERCENTILES[name] for name in columns])
    axes.set_xlim(-0.4, len(columns) - 0.6)
    axes.set_xlabel("Percentile of the calls")
    axes.set_ylabel("Time of a call")
    style.add_legend(axes, handles, labels)
    return figure


def select_percentiles(measured: Measurement) -> dict[str, Estimate]:
    """Return the percentiles that have a place on a logarithmic axis."""
    found = {name: measured.quantities.get(name) for name in PERCENTILES}
    return {name: estimate for name, estimate in found.items() if estimate and estimate.value > 0}


def _make_axes(title: str, subtitle: str, foot: str) -> tuple[Figure, Axes]:
    figure = style.make_figure(title, subtitle, foot, HEIGHT_INCHES)
    axes = figure.add_subplot()
    axes.set_yscale("log")
    axes.grid(visible=True, which="major", axis="y")
    axes.grid(visible=True, which="minor", axis="y", linewidth=0.3)
    return figure, axes


def _draw_line(
    axes: Axes,
    places: Iterable[float],
    estimates: Sequence[Estimate],
    settings: Mapping[str, Any],
) -> Line2D:
    """Draw a line with the intervals of its points, and a gap where there is no estimate."""
    container = axes.errorbar(
        list(places),
        [estimate.value for estimate in estimates],
        yerr=style.compute_error_bars(estimates),
        elinewidth=1.2,
        **settings,
    )
    return container.lines[0]
