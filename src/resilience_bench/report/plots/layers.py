"""Real calls: the bare call in grey, what each layer adds on top of it, payload by payload."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from resilience_bench._model import Estimate, Measurement
from resilience_bench.report.load_rows import format_share
from resilience_bench.report.plots import style
from resilience_bench.report.real_calls import RealCall

COLUMNS: Final = 2
ROW_INCHES: Final = 0.24
PANEL_INCHES: Final = 0.8
HEAD_INCHES: Final = 0.9
GREY: Final = "#b8b8b8"
ADDED: Final = "#c2571a"
BAR: Final = 0.72
AXIS_LENGTH: Final = 1.3
"""The length of the axis, relative to the longest bar: the text behind the bar needs room."""
CUT: Final = 3
"""The longest bar is cut off, and marked with », if it is so much longer than the next one."""
SUBTITLE: Final = (
    "Grey: the bare call. Hatched: what the layer adds, with its 95 % interval; »: cut off"
)


def draw(title: str, foot: str, calls: Sequence[RealCall]) -> Figure:
    """Draw one panel a payload, with one bar a layer, in the order of the file."""
    rows = -(-len(calls) // COLUMNS)
    columns = min(COLUMNS, len(calls))
    most = max(len(call.layers) for call in calls)
    height = rows * (PANEL_INCHES + ROW_INCHES * most)
    figure = style.make_figure(title, SUBTITLE, foot, HEAD_INCHES + height)
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes, call in zip(panels.flat, calls, strict=False):
        _draw_panel(axes, call)
    for axes in list(panels.flat)[len(calls) :]:
        axes.set_axis_off()
    return figure


def _draw_panel(axes: Axes, call: RealCall) -> None:
    bare_us = call.bare.quantities["call_ns"].value / 1e3
    added = {label: _compute_added_us(one, bare_us) for label, one in call.layers.items()}
    end_us = bare_us + _choose_end([max(one.high, 0.0) for one in added.values()])
    for row, (label, extra) in enumerate(added.items()):
        _draw_bar(axes, row, bare_us, extra)
        share = call.layers[label].quantities["share"].value
        text_at = bare_us + max(extra.high, 0.0)
        sign = "+" if share > 0 else ""
        cut = "» " if text_at > end_us else ""
        axes.annotate(
            f"{cut}{sign}{format_share(share)}",
            (min(text_at, end_us), row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            backgroundcolor="white" if cut else "none",
        )
    axes.set_yticks(range(len(added)), [style.wrap_label(label, 40) for label in added])
    axes.tick_params(axis="y", labelsize=7, length=0)
    axes.invert_yaxis()
    axes.set_xlim(0, end_us * AXIS_LENGTH)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel("µs per call", size=8)
    title = f"{call.payload}: {bare_us:,.1f} µs"
    axes.set_title(title, loc="left", size=8, weight="bold")


def _draw_bar(axes: Axes, row: int, bare_us: float, added_us: Estimate) -> None:
    axes.barh(row, bare_us, BAR, color=GREY)
    axes.barh(
        row,
        max(added_us.value, 0.0),
        BAR,
        left=bare_us,
        color=ADDED,
        hatch="///",
        edgecolor="white",
        linewidth=0,
    )
    error = [[added_us.value - added_us.low], [added_us.high - added_us.value]]
    end = bare_us + added_us.value
    axes.errorbar(end, row, xerr=error, color="black", linewidth=1, capsize=2)


def _choose_end(ends: Sequence[float]) -> float:
    """Return the longest bar's end, or the next one's if the longest is far longer than it."""
    *others, longest = sorted(ends)
    return others[-1] if others and 0 < others[-1] < longest / CUT else longest


def _compute_added_us(measured: Measurement, bare_us: float) -> Estimate:
    share = measured.quantities["share"]
    return Estimate(*(bare_us * part for part in (share.value, share.low, share.high)))
