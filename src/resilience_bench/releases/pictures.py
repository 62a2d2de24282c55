"""Cost by release date: a panel per scenario, a line per library, marks where it changed."""

from __future__ import annotations

import datetime as dt
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter, MonthLocator, YearLocator
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, Locator, MaxNLocator

from resilience_bench.releases import history_file
from resilience_bench.releases.history_file import Decision, History, Release
from resilience_bench.report.plots import style
from resilience_bench.report.plots.pictures import Picture
from resilience_bench.report.text import clean_text

COLUMNS: Final = 3
PANEL_INCHES: Final = 1.55
MARGIN_INCHES: Final = 1.1
LEGEND_COLUMNS: Final = 2
LEGEND_LINE_INCHES: Final = 0.19
HEADROOM: Final = 1.25
MARKS: Final = {"regressed": ("^", style.OKABE_ITO[1]), "improved": ("v", style.OKABE_ITO[2])}
DAY_S: Final = 86_400
"""matplotlib counts days since 1970."""
YEAR_DAYS: Final = 365.25
TWO_YEARS: Final = 2
FEW_TICKS: Final = 3
LABEL_WIDTH: Final = 0.17
LABEL_HEIGHT: Final = 0.13
"""The rough share of a panel's width and height that the name of a release takes."""


def format_short_count(value: float) -> str:
    """Format a number at a tick: 500, 20 k, 5 M."""
    for unit, least in ((" M", 1e6), (" k", 1e3)):
        if abs(value) >= least:
            return f"{value / least:,.3g}{unit}"
    return f"{value:,.3g}"


@dataclass(frozen=True, slots=True)
class PictureDefinition:
    """One picture of a quantity; ``judged`` is the quantity that decides its steps."""

    name: str
    quantity: str
    judged: str
    title: str
    text: Callable[[float], str] = format_short_count


PICTURES: Final = (
    PictureDefinition("latency", "latency_ns", "ratio", "time per call", style.format_short_time),
    PictureDefinition("instructions", "instructions", "instructions", "instructions per call"),
    PictureDefinition("allocations", "peak_bytes", "allocated_bytes", "peak bytes per call"),
    PictureDefinition("scaling", "scaling", "scaling", "calls/s divided by the bare call's"),
)


def make_pictures(history: History) -> list[Picture]:
    """Make a picture for each signal that was measured."""
    return [
        Picture(definition.name, functools.partial(draw, history, definition))
        for definition in PICTURES
        if history_file.group_cases(history, definition.quantity)
    ]


def draw(history: History, definition: PictureDefinition) -> Figure:
    """Draw what cases cost over the dates of the releases, with a panel for each scenario."""
    groups = history_file.group_cases(history, definition.quantity)
    looks = style.assign_looks(_make_label(name) for names in groups.values() for name in names)
    rows = math.ceil(len(groups) / COLUMNS)
    legend_lines = math.ceil(len(looks) / LEGEND_COLUMNS) if len(looks) > 1 else 0
    legend_inches = LEGEND_LINE_INCHES * legend_lines
    figure = style.make_figure(
        f"{clean_text(history.package)}: {definition.title}, release by release",
        "A release lasts until the next one. Marked: releases that surely changed a case, "
        "slower ▲ or faster ▼",
        _make_footer(history),
        rows * PANEL_INCHES + MARGIN_INCHES + legend_inches,
    )
    grid = figure.subplots(rows, min(COLUMNS, len(groups)), sharex=True, squeeze=False)
    panels = list(grid.flat)
    for axes, (scenario, names) in zip(panels, groups.items(), strict=False):
        _draw_panel(axes, history, definition, {name: looks[_make_label(name)] for name in names})
        axes.set_title(clean_text(scenario), fontsize=8, loc="left")
    for axes in panels[len(groups) :]:
        axes.set_visible(False)
    for axes in panels[max(len(groups) - COLUMNS, 0) : len(groups)]:
        axes.tick_params(labelbottom=True)
    if legend_lines:
        _add_legend(figure, looks, legend_inches / figure.get_figheight())
    return figure


def _add_legend(figure: Figure, looks: Mapping[str, style.Look], height: float) -> None:
    """Add a legend between the panels and the footer, of this share of the picture's height."""
    engine = figure.get_layout_engine()
    assert engine is not None
    left, below, width, inner = engine.get()["rect"]
    engine.set(rect=(left, below + height, width, inner - height))  # type: ignore[call-arg]
    figure.legend(
        [Line2D([], [], **_make_line_style(look)) for look in looks.values()],
        list(looks),
        loc="lower left",
        bbox_to_anchor=(0.005, below),
        ncols=LEGEND_COLUMNS,
        frameon=False,
        fontsize=7.5,
        borderpad=0,
        borderaxespad=0,
        handlelength=3.4,
    )


def _draw_panel(
    axes: Axes, history: History, definition: PictureDefinition, looks: Mapping[str, style.Look]
) -> None:
    places = _find_places(history.measured)
    highest = 0.0
    marks: dict[str, tuple[float, Decision]] = {}
    for name, look in looks.items():
        points = _find_points(history, name, definition.quantity, places)
        # What a release costs holds until the next one comes out.
        line = _make_line_style(look)
        axes.plot(*zip(*points.values(), strict=True), drawstyle="steps-post", **line)
        highest = max(highest, *(value for _, value in points.values()))
        for step in history.steps:
            if step.case == name and step.quantity == definition.judged and step.release in points:
                x, value = points[step.release]
                marker, colour = MARKS[step.outcome]
                axes.plot(x, value, marker, color=colour, ms=6, mec="white", mew=0.5, zorder=4)
                if value > marks.get(step.release, (-1.0, step))[0]:
                    marks[step.release] = value, step
    axes.set_ylim(0, highest * HEADROOM or 1)
    _name_marks(axes, marks, places)
    axes.grid(visible=True, axis="y")
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.set_major_formatter(lambda value, _position: definition.text(value))
    axes.tick_params(labelsize=7)
    _set_date_axis(axes, history.measured, places)


def _find_points(
    history: History, name: str, quantity: str, places: Mapping[str, float]
) -> dict[str, tuple[float, float]]:
    """Return the points of the line of a case, by version, in the order of the dates."""
    found = {
        release.version: (places[release.version], cost.quantities[quantity].value)
        for release in history.measured
        if (cost := release.values.get(name)) and quantity in cost.quantities
    }
    return dict(sorted(found.items(), key=lambda item: item[1][0]))


def _name_marks(
    axes: Axes, marks: Mapping[str, tuple[float, Decision]], places: Mapping[str, float]
) -> None:
    """Name the releases; of two names that would overlap, the larger step's stays."""
    first, last = min(places.values()), max(places.values())
    span, height = last - first or 1.0, axes.get_ylim()[1]
    named: list[tuple[float, float]] = []
    for release, (value, step) in sorted(marks.items(), key=lambda mark: -mark[1][1].size):
        x, y = (places[release] - first) / span, value / height
        # Below a marker that points down there is no line: it comes from above.
        is_below = step.outcome == "improved" and y > LABEL_HEIGHT
        y -= LABEL_HEIGHT * is_below
        to_the_right = x < LABEL_WIDTH
        left = x if to_the_right else x - LABEL_WIDTH
        if any(
            abs(left - other) < LABEL_WIDTH and abs(y - low) < LABEL_HEIGHT for other, low in named
        ):
            continue
        named.append((left, y))
        axes.annotate(
            clean_text(release),
            (places[release], value),
            xytext=(4 if to_the_right else -4, -3 if is_below else 3),
            textcoords="offset points",
            ha="left" if to_the_right else "right",
            va="top" if is_below else "bottom",
            fontsize=6.5,
            color=style.GREY,
        )


def _find_places(releases: Sequence[Release]) -> dict[str, float]:
    """Place each release at its date, or at its number where a date is not known."""
    if not all(release.date for release in releases):
        return {release.version: float(number) for number, release in enumerate(releases)}
    return {
        release.version: dt.datetime.fromisoformat(release.date).timestamp() / DAY_S
        for release in releases
    }


def _set_date_axis(axes: Axes, releases: Sequence[Release], places: Mapping[str, float]) -> None:
    if all(release.date for release in releases):
        locator, form = _choose_date_ticks(min(places.values()), max(places.values()))
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(DateFormatter(form))  # type: ignore[no-untyped-call]
        return
    few = list(places.items())[:: max(1, len(places) // 3)]
    axes.set_xticks([place for _, place in few], [clean_text(version) for version, _ in few])


def _choose_date_ticks(first: float, last: float) -> tuple[Locator, str]:
    """Choose about three ticks between two days, at round dates, and their format."""
    years = (last - first) / YEAR_DAYS
    if years >= TWO_YEARS:
        return YearLocator(max(1, round(years / FEW_TICKS))), "%Y"  # type: ignore[no-untyped-call]
    months = years * 12
    interval = next((step for step in (1, 2, 3) if months <= FEW_TICKS * step), 6)
    if months < FEW_TICKS:
        return FixedLocator([first, last] if last > first else [first]), "%Y-%m-%d"
    return MonthLocator(interval=interval), "%Y-%m"  # type: ignore[no-untyped-call]


def _make_label(name: str) -> str:
    return clean_text(history_file.split_name(name)[1]) or "(no library)"


def _make_line_style(look: style.Look) -> dict[str, Any]:
    return look.make_line_settings() | {"markersize": 2.6, "linewidth": 1.2, "markeredgewidth": 0.9}


def _make_footer(history: History) -> str:
    here = history.environment
    machine = f"{here.cpu_count} × {here.cpu_model}"
    tool = f"resilience-bench {history.tool_version}"
    parts = (history.started[:10], here.python, machine, here.os, tool)
    return clean_text(" · ".join(filter(None, parts)))
