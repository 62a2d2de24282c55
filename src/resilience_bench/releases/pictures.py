"""Cost by release date: a panel a scenario, a line a library, and the releases that moved it."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter, MonthLocator, YearLocator
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, Locator, MaxNLocator

from resilience_bench.releases.history_file import Decision, History, Release, find_quantities
from resilience_bench.report.plots.pictures import Picture
from resilience_bench.report.plots.style import (
    GREY,
    OKABE_ITO,
    Look,
    assign_looks,
    format_short_time,
    make_figure,
)
from resilience_bench.report.text import clean_text

COLUMNS: Final = 3
PANEL_INCHES: Final = 1.55
MARGIN_INCHES: Final = 1.1
LEGEND_COLUMNS: Final = 2
LEGEND_LINE_INCHES: Final = 0.19
HEADROOM: Final = 1.25
REGRESSED_COLOUR: Final = OKABE_ITO[1]
IMPROVED_COLOUR: Final = OKABE_ITO[2]
DAY_S: Final = 86_400
"""matplotlib counts days since 1970."""
YEAR_DAYS: Final = 365.25
TWO_YEARS: Final = 2
FEW_TICKS: Final = 3
LABEL_WIDTH: Final = 0.17
LABEL_HEIGHT: Final = 0.13
"""About the parts of a panel's width and height that the name of a release takes."""


@dataclass(frozen=True, slots=True)
class PictureDefinition:
    """One picture: a quantity, the steps of which are judged by another one where it is noisy."""

    name: str
    quantity: str
    judged: str
    title: str
    text: Callable[[float], str]


def format_short_count(value: float) -> str:
    """A number at a tick: 500, 20 k, 5 M."""
    for unit, least in ((" M", 1e6), (" k", 1e3)):
        if abs(value) >= least:
            return f"{value / least:,.3g}{unit}"
    return f"{value:,.3g}"


PICTURES: Final = (
    PictureDefinition("latency", "latency_ns", "ratio", "time per call", format_short_time),
    PictureDefinition(
        "instructions", "instructions", "instructions", "instructions per call", format_short_count
    ),
    PictureDefinition(
        "allocations", "peak_bytes", "allocated_bytes", "peak bytes per call", format_short_count
    ),
    PictureDefinition(
        "scaling", "scaling", "scaling", "calls/s divided by the bare call's", format_short_count
    ),
)


def make_pictures(history: History) -> list[Picture]:
    """A picture for each signal that was measured."""
    having = find_quantities(history)
    return [
        Picture(each.name, functools.partial(draw, history, each))
        for each in PICTURES
        if having.get(each.quantity)
    ]


def draw(history: History, drawn: PictureDefinition) -> Figure:
    """A panel a scenario: what it costs over the dates of the releases.

    Args:
        history: What was measured.
        drawn: What of it.
    """
    having = find_quantities(history)[drawn.quantity]
    groups: dict[str, list[str]] = {}
    for name in history.cases:
        if name in having:
            groups.setdefault(name.partition("[")[0], []).append(name)
    look = assign_looks(_make_label(name) for names in groups.values() for name in names)
    rows = -(-len(groups) // COLUMNS)
    legend_lines = -(-len(look) // LEGEND_COLUMNS) if len(look) > 1 else 0
    legend_inches = LEGEND_LINE_INCHES * legend_lines
    figure = make_figure(
        f"{clean_text(history.package)}: {drawn.title}, release by release",
        "A release holds until the next one. Marked: those that surely moved a case, dearer ▲ or "
        "cheaper ▼",
        _make_footer(history),
        rows * PANEL_INCHES + MARGIN_INCHES + legend_inches,
    )
    places = _find_places(history.measured)
    grid = figure.subplots(rows, min(COLUMNS, len(groups)), sharex=True, squeeze=False)
    panels = list(itertools.chain.from_iterable(grid))
    for axes, (group, names) in zip(panels, groups.items(), strict=False):
        _draw_panel(axes, group, names, drawn, history=history, look=look, places=places)
    for axes in panels[len(groups) :]:
        axes.set_visible(False)
    for axes in panels[max(len(groups) - COLUMNS, 0) : len(groups)]:
        axes.tick_params(labelbottom=True)
    if legend_lines:
        _add_legend(figure, look, legend_inches / figure.get_figheight())
    return figure


def _add_legend(figure: Figure, look: Mapping[str, Look], height: float) -> None:
    """A legend between the panels and the foot, of this part of the picture's height."""
    engine = figure.get_layout_engine()
    assert engine is not None
    left, below, width, inner = engine.get()["rect"]
    engine.set(rect=(left, below + height, width, inner - height))  # type: ignore[call-arg]
    figure.legend(
        [Line2D([], [], **_make_line_style(each)) for each in look.values()],
        list(look),
        loc="lower left",
        bbox_to_anchor=(0.005, below),
        ncols=LEGEND_COLUMNS,
        frameon=False,
        fontsize=7.5,
        borderpad=0,
        borderaxespad=0,
        handlelength=3.4,
    )


def _draw_panel(  # noqa: PLR0913 - what a panel shows stands in one place
    axes: Axes,
    group: str,
    names: Sequence[str],
    drawn: PictureDefinition,
    *,
    history: History,
    look: Mapping[str, Look],
    places: Mapping[str, float],
) -> None:
    highest = 0.0
    marks: dict[str, tuple[float, Decision]] = {}
    for name in names:
        points = _find_points(history, name, drawn.quantity, places)
        # What a release costs holds until the next one comes out.
        line = _make_line_style(look[_make_label(name)])
        axes.plot(*zip(*points.values(), strict=True), drawstyle="steps-post", **line)
        highest = max(highest, *(value for _, value in points.values()))
        for step in history.steps:
            if step.case == name and step.quantity == drawn.judged and step.release in points:
                x, value = points[step.release]
                _draw_mark(axes, x, value, step)
                if value > marks.get(step.release, (-1.0, step))[0]:
                    marks[step.release] = value, step
    axes.set_ylim(0, highest * HEADROOM or 1)
    _name_marks(axes, marks, places)
    axes.set_title(clean_text(group), fontsize=8, loc="left")
    axes.grid(visible=True, axis="y")
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _position: drawn.text(value)))
    axes.tick_params(labelsize=7)
    _set_date_axis(axes, history.measured, places)


def _find_points(
    history: History, name: str, quantity: str, places: Mapping[str, float]
) -> dict[str, tuple[float, float]]:
    """Where the line of a case goes, by version, in the order of the dates."""
    found = {
        release.version: (places[release.version], value.quantities[quantity].value)
        for release in history.measured
        if (value := release.values.get(name)) and quantity in value.quantities
    }
    return dict(sorted(found.items(), key=lambda each: each[1][0]))


def _draw_mark(axes: Axes, x: float, value: float, step: Decision) -> None:
    dearer = step.outcome == "regressed"
    axes.plot(
        [x],
        [value],
        marker="^" if dearer else "v",
        color=REGRESSED_COLOUR if dearer else IMPROVED_COLOUR,
        markersize=6,
        markeredgecolor="white",
        markeredgewidth=0.5,
        linestyle="",
        zorder=4,
    )


def _name_marks(
    axes: Axes, marks: Mapping[str, tuple[float, Decision]], places: Mapping[str, float]
) -> None:
    """Name the releases; where two names would cover each other, that of the larger step stays."""
    first, last = min(places.values()), max(places.values())
    span, height = last - first or 1.0, axes.get_ylim()[1]
    named: list[tuple[float, float]] = []
    for release, (value, step) in sorted(marks.items(), key=lambda each: -each[1][1].size):
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
            color=GREY,
        )


def _find_places(releases: Sequence[Release]) -> dict[str, float]:
    """Where each release stands: at its date, or at its number where a date is not known."""
    if all(each.date for each in releases):
        return {
            each.version: dt.datetime.fromisoformat(each.date).timestamp() / DAY_S
            for each in releases
        }
    return {each.version: float(number) for number, each in enumerate(releases)}


def _set_date_axis(axes: Axes, releases: Sequence[Release], places: Mapping[str, float]) -> None:
    if all(each.date for each in releases):
        locator, form = _choose_date_ticks(min(places.values()), max(places.values()))
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(DateFormatter(form))  # type: ignore[no-untyped-call]
        return
    few = list(places.items())[:: max(1, len(places) // 3)]
    names = {place: version for version, place in few}
    axes.xaxis.set_major_locator(FixedLocator([place for _, place in few]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda place, _: clean_text(names.get(place, ""))))


def _choose_date_ticks(first: float, last: float) -> tuple[Locator, str]:
    """About three ticks between two days, at round dates, and how they are written."""
    years = (last - first) / YEAR_DAYS
    if years >= TWO_YEARS:
        return YearLocator(max(1, round(years / FEW_TICKS))), "%Y"  # type: ignore[no-untyped-call]
    months = years * 12
    interval = next((each for each in (1, 2, 3) if months <= FEW_TICKS * each), 6)
    if months < FEW_TICKS:
        return FixedLocator([first, last] if last > first else [first]), "%Y-%m-%d"
    return MonthLocator(interval=interval), "%Y-%m"  # type: ignore[no-untyped-call]


def _make_label(name: str) -> str:
    return clean_text(name.partition("[")[2].removesuffix("]")) or "(no library)"


def _make_line_style(look: Look) -> dict[str, Any]:
    settings = look.make_line_settings()
    return settings | {"markersize": 2.6, "linewidth": 1.2, "markeredgewidth": 0.9}


def _make_footer(history: History) -> str:
    here = history.environment
    parts = (
        history.started[:10],
        here.python,
        f"{here.cpu_count} × {here.cpu_model}",
        here.os,
        f"resilience-bench {history.tool_version}",
    )
    return clean_text(" · ".join(filter(None, parts)))
