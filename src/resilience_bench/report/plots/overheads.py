"""What libraries add to a call, without a load: a dot each with its interval, by scenario."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from resilience_bench._model import Estimate, Measurement
from resilience_bench.report.plots import style

LOGARITHMIC_FROM: Final = 30
"""Minimum ratio of the largest to the smallest overhead for a logarithmic axis; else from 0."""
NARROW_SPARSE_FROM: Final = 1.5
"""The same as `SPARSE_FROM` for the shorter axes of two columns of panels."""
PANELS_IN_A_COLUMN: Final = 3
ROW_INCHES: Final = 0.2
LINE_INCHES: Final = 0.16
PANEL_INCHES: Final = 0.62
HEAD_INCHES: Final = 0.75

WARNING_NOTE: Final = "!: 'resilience-bench show' says what to doubt"

Panel = tuple[str, Mapping[str, Measurement]]
"""The name of a scenario, and its measurements by library."""


def draw(title: str, foot: str, panels: Sequence[Panel], look: Mapping[str, style.Look]) -> Figure:
    """Draw a panel for each scenario with a row for each library, the cheapest first.

    There is at least one panel, none is empty, and each measurement has an overhead.
    """
    columns = split_into_columns(panels)
    height = max(sum(map(_compute_height, column)) for column in columns)
    subtitle = "Time per call minus the time of the bare call; bars: 95 % intervals"
    if len(panels) > 1:
        subtitle += "; each panel has its own axis"
    if any(measured.warnings for _name, members in panels for measured in members.values()):
        foot += f" · {WARNING_NOTE}"
    figure = style.make_figure(title, subtitle, foot, HEAD_INCHES + height)
    outer = figure.add_gridspec(1, len(columns))
    for number, column in enumerate(columns):
        heights = [_compute_height(panel) for panel in column]
        rest = height - sum(heights)
        inner = outer[0, number].subgridspec(
            len(column) + 1, 1, height_ratios=[*heights, max(rest, 0.001)]
        )
        for row, (name, members) in enumerate(column):
            axes = figure.add_subplot(inner[row, 0])
            _draw_panel(
                axes, members, look, NARROW_SPARSE_FROM if columns[1:] else style.SPARSE_FROM
            )
            axes.set_title(style.wrap_label(name, 40), loc="left", size=9, weight="bold", pad=3)
    return figure


def split_into_columns(panels: Sequence[Panel]) -> list[list[Panel]]:
    """Return the panels in one column, or in two of about the same height."""
    if len(panels) <= PANELS_IN_A_COLUMN:
        return [list(panels)]
    heights = [_compute_height(panel) for panel in panels]
    half = sum(heights) / 2
    cut = min(range(1, len(panels)), key=lambda at: abs(sum(heights[:at]) - half))
    return [list(panels[:cut]), list(panels[cut:])]


def _compute_height(panel: Panel) -> float:
    _name, members = panel
    lines = sum(style.wrap_label(label).count("\n") for label in members)
    return PANEL_INCHES + ROW_INCHES * len(members) + LINE_INCHES * lines


def _scale_axis(axes: Axes, quantities: Sequence[Estimate], sparse_from: float) -> float:
    """Scale the axis; return its left end if overheads that are not above 0 belong there."""
    positive = [estimate.value for estimate in quantities if estimate.value > 0]
    highest = max(estimate.high for estimate in quantities)
    if positive and max(positive) > LOGARITHMIC_FROM * min(positive):
        axes.set_xscale("log")
        lows = [estimate.low for estimate in quantities if estimate.low > 0]
        style.set_log_axis(
            axes.xaxis, [*positive, *lows, highest], style.format_short_time, sparse_from
        )
        return float(axes.get_xlim()[0])
    lowest = min(0.0, *(estimate.low for estimate in quantities))
    room = 0.06 * (max(highest, 0.0) - lowest or 1.0)
    axes.set_xlim(lowest - room if lowest else 0.0, max(highest, 0.0) + room)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _position: style.format_short_time(value))
    )
    return -math.inf


def _get_overhead(measured: Measurement) -> Estimate:
    return measured.quantities["overhead_ns"]


def _draw_panel(
    axes: Axes,
    members: Mapping[str, Measurement],
    look: Mapping[str, style.Look],
    sparse_from: float,
) -> None:
    ordered = sorted(members, key=lambda label: _get_overhead(members[label]).value)
    left_end = _scale_axis(
        axes, [_get_overhead(measured) for measured in members.values()], sparse_from
    )
    axes.autoscale(enable=False)
    for row, label in enumerate(ordered):
        quantity = _get_overhead(members[label])
        _draw_dot(
            axes, row, quantity, look[label], at=left_end if quantity.value < left_end else None
        )
        note = f"{style.format_short_time(quantity.value)}{' !' if members[label].warnings else ''}"
        axes.text(
            1.015, row, note, transform=axes.get_yaxis_transform(), va="center_baseline", size=8
        )
    axes.set_yticks(range(len(ordered)), [style.wrap_label(label) for label in ordered], size=8)
    axes.set_ylim(len(ordered) - 0.4, -0.6)
    axes.grid(visible=True, axis="x")
    axes.tick_params(axis="x", labelsize=7.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _draw_dot(axes: Axes, row: int, quantity: Estimate, look: style.Look, at: float | None) -> None:
    """Draw a dot with its interval, or an arrow at the edge for what lies beyond it."""
    if at is not None:
        axes.plot([at], [row], marker="<", color=style.GREY, markersize=6, clip_on=False)
        return
    axes.errorbar(
        [quantity.value],
        [row],
        xerr=style.compute_error_bars([quantity]),
        marker=look.marker,
        color=look.colour,
        markersize=5.5,
        elinewidth=1.6,
        linestyle="none",
    )
