"""Scaling as a heat map with its numbers: libraries by loads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from resilience_bench._model import Measurement
from resilience_bench.report.plots.style import GREY, format_defects, make_figure, wrap_label

MAP: Final = mpl.colormaps["cividis"]
"""One direction from dark to bright, the same to colour-blind people and in grey."""
NORM: Final = Normalize(0.0, 1.0, clip=True)
MISSING: Final = "#EDEDED"
CELL_INCHES: Final = 0.33
HEAD_INCHES: Final = 1.75
MANY_LOADS: Final = 12
"""With more loads than this the numbers are set smaller."""
SMALL_SCALING: Final = 0.01
"""A scaling below it is written with a third decimal."""
BRIGHT_FROM: Final = 0.47
"""On this colour and brighter ones black text is easier to read than white."""

ScalingTable = Mapping[str, Mapping[str, Measurement]]
"""Measurements by library, then by load."""


def draw(title: str, foot: str, table: ScalingTable, loads: Sequence[str]) -> Figure:
    """Draw the scalings: a row for each library, the best first, and a column for each load."""
    means = {
        label: fmean(measured.quantities["scaling"].value for measured in members.values())
        for label, members in table.items()
    }
    ordered = sorted(table, key=lambda label: -means[label])
    labels = [wrap_label(label) + format_defects(table[label].values(), "\n") for label in ordered]
    lines = sum(max(label.count("\n") * 0.55 + 0.55, 1) for label in labels)
    height = HEAD_INCHES + CELL_INCHES * lines
    figure = make_figure(
        title,
        "Calls per second, divided by those of the bare call under the same load",
        foot,
        height,
    )
    axes = figure.add_subplot()
    values = np.full((len(ordered), len(loads)), math.nan)
    for row, label in enumerate(ordered):
        for column, load in enumerate(loads):
            measured = table[label].get(load)
            if measured:
                values[row, column] = measured.quantities["scaling"].value
            _write_cell(axes, row, column, measured, len(loads))
    mesh = axes.pcolormesh(
        np.ma.masked_invalid(values), cmap=MAP, norm=NORM, edgecolors="white", linewidth=1.5
    )
    axes.set_facecolor(MISSING)
    axes.set_ylim(len(ordered), 0)
    axes.set_yticks(np.arange(len(ordered)) + 0.5, labels, size=8.5)
    _name_loads(axes, loads)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    _add_scale(figure, axes, mesh)
    return figure


def _add_scale(figure: Figure, axes: Axes, mesh: QuadMesh) -> None:
    bar = figure.colorbar(mesh, ax=axes, shrink=0.9, aspect=14, pad=0.02, ticks=[0, 0.5, 1])
    bar.ax.set_yticklabels(["0", "0.5", "1: as the\nbare call"], size=7.5)
    bar.outline.set_visible(False)


def _write_cell(
    axes: Axes, row: int, column: int, measured: Measurement | None, loads: int
) -> None:
    if measured is None:
        axes.text(column + 0.5, row + 0.5, "-", ha="center", va="center", color=GREY)
        return
    value = measured.quantities["scaling"].value
    axes.text(
        column + 0.5,
        row + 0.5,
        f"{value:.{2 if value >= SMALL_SCALING else 3}f}{'!' if measured.defects else ''}",
        ha="center",
        va="center",
        color="black" if value > BRIGHT_FROM else "white",
        size=8.5 if loads <= MANY_LOADS else 7,
    )


def _name_loads(axes: Axes, loads: Sequence[str]) -> None:
    """Write the number of callers above each column, and their kind above those of a kind."""
    axes.xaxis.tick_top()
    kinds = [load.partition("-")[0] for load in loads]
    numbers = [load.partition("-")[2].replace("-", ":") or "1" for load in loads]
    axes.set_xticks(np.arange(len(loads)) + 0.5, numbers, size=8.5)
    starts = [at for at, kind in enumerate(kinds) if at == 0 or kinds[at - 1] != kind]
    for start, end in zip(starts, [*starts[1:], len(loads)], strict=True):
        name = kinds[start] if kinds[start] != "mixed" else "writers:readers"
        axes.annotate(
            name,
            ((start + end) / 2, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 18),
            textcoords="offset points",
            ha="center",
            va="bottom",
            size=8.5,
            weight="bold",
        )
        if start:
            axes.axvline(start, color="white", linewidth=6)
