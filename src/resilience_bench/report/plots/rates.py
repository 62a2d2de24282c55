"""Calls a second against the number of callers: who stays on the bare call's line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resilience_bench._model import Estimate, Measurement
from resilience_bench.report.plots.style import (
    BARE,
    BARE_LABEL,
    Look,
    add_legend,
    compute_error_bars,
    format_defects,
    make_figure,
    set_count_axis,
    set_rate_axis,
    wrap_label,
)

Points = Mapping[int, Estimate]
"""Calls per second by the number of callers."""


def draw(  # noqa: PLR0913 - what a picture shows stands in one place
    title: str,
    kind: str,
    foot: str,
    *,
    bare: Points,
    libraries: Mapping[str, Mapping[int, Measurement]],
    look: Mapping[str, Look],
) -> Figure:
    """A line a library over the number of callers, both axes logarithmic.

    Args:
        title: What was called.
        kind: What the callers are: threads, tasks, processes.
        foot: Where it was measured.
        bare: The bare call's rates.
        libraries: Their measurements by the number of callers.
        look: How each library is drawn.
    """
    rates = {
        label: {callers: each.quantities["calls_per_s"] for callers, each in members.items()}
        for label, members in libraries.items()
    }
    # In the order in which the lines end, so that the legend is read beside them.
    ordered = sorted(rates, key=lambda label: -rates[label][max(rates[label])].value)
    figure = make_figure(title, f"Calls per second of all {kind} together", foot, 4.4)
    axes = figure.add_subplot()
    axes.set_yscale("log")
    handles, labels = [], []
    if bare:
        handles += axes.plot(sorted(bare), [bare[each].value for each in sorted(bare)], **BARE)
        labels.append(f"{BARE_LABEL}: the line to reach")
    for label in ordered:
        points = rates[label]
        counts = sorted(points)
        container = axes.errorbar(
            counts,
            [points[each].value for each in counts],
            yerr=compute_error_bars([points[each] for each in counts]),
            elinewidth=1.2,
            **look[label].make_line_settings(),
        )
        handles.append(container.lines[0])
        labels.append(wrap_label(label + format_defects(libraries[label].values())))
    _finish_axes(axes, kind, [bare, *rates.values()])
    add_legend(axes, handles, labels)
    return figure


def _finish_axes(axes: Axes, kind: str, lines: Sequence[Points]) -> None:
    set_count_axis(axes, sorted({callers for points in lines for callers in points}))
    set_rate_axis(axes.yaxis, [each.value for points in lines for each in points.values()])
    axes.set_xlabel(f"Number of {kind}")
    axes.set_ylabel("Calls per second")
    axes.grid(visible=True, which="major")
    axes.grid(visible=True, which="minor", axis="y", linewidth=0.3)
