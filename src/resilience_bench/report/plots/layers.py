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
ROOM: Final = 1.3
"""The axis is so many times as long as the longest bar, for the text behind it."""
SUBTITLE: Final = (
    "Grey: the bare call. Hatched: what the layer adds, with its 95 % interval, "
    "also in per cent of the bare call"
)


def draw(title: str, foot: str, calls: Sequence[RealCall]) -> Figure:
    """Draw a panel for each payload with a bar for each layer, in the order of the file."""
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
    labels = list(call.layers)
    longest = bare_us
    for row, label in enumerate(labels):
        added_us = _compute_added_us(call.layers[label], bare_us)
        axes.barh(row, bare_us, BAR, color=GREY)
        error = [[added_us.value - added_us.low], [added_us.high - added_us.value]]
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
        end = bare_us + added_us.value
        axes.errorbar(end, row, xerr=error, color="black", linewidth=1, capsize=2)
        share = call.layers[label].quantities["share"].value
        text_at = bare_us + max(added_us.high, 0.0)
        axes.annotate(
            f"+{format_share(share)}" if share > 0 else format_share(share),
            (text_at, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
        longest = max(longest, text_at)
    axes.set_yticks(range(len(labels)), [style.wrap_label(label, 40) for label in labels])
    axes.tick_params(axis="y", labelsize=7, length=0)
    axes.invert_yaxis()
    axes.set_xlim(0, longest * ROOM)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("µs per call", size=8)
    axes.set_title(
        f"{call.payload}: bare call {bare_us:,.1f} µs", loc="left", size=9, weight="bold"
    )


def _compute_added_us(measured: Measurement, bare_us: float) -> Estimate:
    share = measured.quantities["share"]
    return Estimate(*(bare_us * part for part in (share.value, share.low, share.high)))
