"""The picture of the page on free-threaded Pythons: speed-ups by threads, with the GIL and without."""  # noqa: E501

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from free_threading_tables import SCALED, THREADS, Run, list_libraries
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resilience_bench.report.plots import style

PANEL_INCHES: Final = 2.0
TITLE: Final = "What more threads bring, with the GIL and without"
SUBTITLE: Final = "Calls per second of all threads together ÷ those of one thread"


def draw(runs: Sequence[Run]) -> Figure:
    """Draw a row of panels for each scenario, and a column for each interpreter."""
    foot = style.format_foot(runs[-1].result)
    figure = style.make_figure(TITLE, SUBTITLE, foot, PANEL_INCHES * len(SCALED) + 0.9)
    figure.set_size_inches(style.WIDTH_INCHES * 1.25, figure.get_figheight())
    panels = figure.subplots(len(SCALED), len(runs), sharex=True, sharey="row", squeeze=False)
    for (group, payload), row in zip(SCALED, panels, strict=True):
        labels = list_libraries(runs, group.partition(".")[0])
        looks = style.assign_looks(labels)
        for run, axes in zip(runs, row, strict=True):
            for label in labels:
                _draw_line(axes, run, (group, label, payload), looks[label])
            axes.set_xscale("log", base=2)
            axes.set_xticks(THREADS, [str(threads) for threads in THREADS])
            axes.axhline(1, color=style.GREY, linewidth=0.8)
            axes.grid(visible=True, axis="y")
        row[0].set_ylim(bottom=0)  # of the whole row, once all its lines are drawn
        work = "no work" if payload == "noop" else f"{payload} payload"
        row[0].set_ylabel(f"{group}\n{work}", fontsize=7)
        row[-1].legend(*row[-1].get_legend_handles_labels(), **LEGEND)
    for run, axes in zip(runs, panels[0], strict=True):
        lock = "without the GIL" if run.result.environment.free_threaded else "with the GIL"
        axes.set_title(f"{run.name}\n{lock}", fontsize=8)
    for axes in panels[-1]:
        axes.set_xlabel("threads")
    return figure


LEGEND: Final = {
    "loc": "center left",
    "bbox_to_anchor": (1.0, 0.5),
    "fontsize": 6.5,
    "frameon": False,
}


def _draw_line(axes: Axes, run: Run, what: tuple[str, str, str], look: style.Look) -> None:
    rates = {threads: run.find_rate(*what, threads) for threads in THREADS}
    one = rates[1]
    if one:
        points = [(threads, rate / one) for threads, rate in rates.items() if rate is not None]
        settings = {**look.make_line_settings(), "markersize": 3.5, "linewidth": 1.2}
        axes.plot(*zip(*points, strict=True), label=what[1], **settings)
