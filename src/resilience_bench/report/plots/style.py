"""What all pictures share: colours, markers, units on axes, titles and the line at the foot."""

from __future__ import annotations

import contextlib
import io
import math
import textwrap
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

from resilience_bench._model import DefectKind, Estimate, Measurement, Result
from resilience_bench.report.text import clean_text, fold_name

OKABE_ITO: Final = (
    "#0072B2",  # blue
    "#D55E00",  # vermillion
    "#009E73",  # bluish green
    "#CC79A7",  # reddish purple
    "#E69F00",  # orange
    "#56B4E9",  # sky blue
    "#6B6B6B",  # grey
)
"""Colours that colour-blind people can distinguish: M. Okabe and K. Ito, "Color Universal
Design", 2008, https://jfly.uni-koeln.de/color/. Grey instead of yellow, which is too pale on
paper; black is the bare call's."""
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
LINES: Final[tuple[Any, ...]] = (
    "-",
    (0, (5, 1.5)),
    (0, (1.5, 1.2)),
    (0, (5, 1.5, 1.2, 1.5)),
    (0, (8, 2, 1.2, 2, 1.2, 2)),
    (0, (2.4, 1.2)),
)
DEFECT_LABELS: Final[Mapping[DefectKind, str]] = {
    "lost counts": "loses counts",
    "surplus counts": "counts too much",
    "surplus runs": "payload runs too often",
    "missing runs": "payload runs too rarely",
    "simultaneous probes": "probes at once",
}
BLACK: Final = "#000000"
GREY: Final = "#595959"
GRID: Final = "#D9D9D9"
SETTINGS: Final[Mapping[str, Any]] = {
    "text.parse_math": False,  # names come from users: a dollar is a dollar
    "svg.fonttype": "none",  # text that can be searched and copied
    "svg.hashsalt": "resilience-bench",  # the same picture is the same file
    "font.family": "DejaVu Sans",  # matplotlib brings it along
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": BLACK,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": BLACK,
    "ytick.labelcolor": BLACK,
}
WIDTH_INCHES: Final = 7.6
FOOT_CHARACTERS: Final = 150
LABEL_CHARACTERS: Final = 24
LONGEST_LINE: Final = 32
TITLE_CHARACTERS: Final = 72
PNG_DPI: Final = 160
SPARSE_FROM: Final = 3.0
"""An axis that spans more powers of ten has no labels at 2 and 5."""
MARGIN: Final = 1.06
"""The part beyond the ends of a logarithmic axis, so that nothing lies on its edge."""
ROUNDING_TOLERANCE: Final = 1.03


@dataclass(frozen=True, slots=True)
class Look:
    """How a library is drawn: never by its colour alone."""

    colour: str
    marker: str
    line: Any

    def make_line_settings(self) -> dict[str, Any]:
        """Return the settings of a line with markers."""
        return {
            "color": self.colour,
            "linestyle": self.line,
            "linewidth": 1.6,
            "marker": self.marker,
            "markersize": 5.5,
            "markerfacecolor": "white",
            "markeredgewidth": 1.4,
        }


BARE: Final[Mapping[str, Any]] = {
    "color": BLACK,
    "linewidth": 3.0,
    "linestyle": "-",
    "marker": "",
    "solid_capstyle": "round",
    "zorder": 1.5,
}
"""The bare call: the line to reach, beneath the others, bold and without a marker."""


def assign_looks(labels: Iterable[str]) -> dict[str, Look]:
    """Return a look for each label: colours repeat, but not with the same marker and line."""
    return {
        label: Look(
            OKABE_ITO[position % len(OKABE_ITO)],
            MARKERS[position % len(MARKERS)],
            LINES[position % len(LINES)],
        )
        for position, label in enumerate(sorted(set(labels)))
    }


def make_figure(title: str, subtitle: str, foot: str, height_inches: float) -> Figure:
    """Return an empty picture with its title above and its origin below."""
    figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    foot_lines = textwrap.wrap(foot, FOOT_CHARACTERS, break_on_hyphens=False)
    heading = textwrap.wrap(title, TITLE_CHARACTERS)
    head = (0.22 * len(heading) + 0.2 * bool(subtitle) + 0.08) / height_inches
    below = (0.13 * len(foot_lines) + 0.1) / height_inches
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(rect=(0, below, 1, 1 - head - below))  # type: ignore[call-arg]
    figure.text(
        0.012, 1 - 0.08 / height_inches, "\n".join(heading), va="top", weight="bold", size=11
    )
    figure.text(0.012, 1 - head + 0.06 / height_inches, subtitle, va="bottom", color=GREY, size=9)
    figure.text(0.012, 0.06 / height_inches, "\n".join(foot_lines), color=GREY, size=6.5)
    return figure


def format_foot(result: Result) -> str:
    """Return where and when a result was measured, in a line."""
    environment = result.environment
    commit = f"commit {result.commit.revision[:10]}" if result.commit else ""
    if result.commit and not result.commit.clean:
        commit += " with changes"
    parts = (
        result.started[:10],
        environment.python + (", free-threaded" if environment.free_threaded else ""),
        f"{environment.cpu_count} × {environment.cpu_model}",
        environment.os,
        commit,
        f"resilience-bench {result.tool_version}",
        "" if result.complete else "THE RUN DID NOT COME TO ITS END",
    )
    return clean_text(" · ".join(filter(None, parts)))


def wrap_label(label: str, width: int = LABEL_CHARACTERS) -> str:
    """Return a long label in several lines, broken where its parts meet if that is possible."""
    lines = fold_name(label, width, ",+").split("\n")
    return "\n".join(piece for line in lines for piece in textwrap.wrap(line, LONGEST_LINE) or [""])


def format_defects(members: Iterable[Measurement], separator: str = " ") -> str:
    """Return the defects of several measurements of a library, in brackets; empty if none."""
    kinds = dict.fromkeys(
        DEFECT_LABELS[defect.kind] for measured in members for defect in measured.defects
    )
    return f"{separator}({', '.join(kinds)})" if kinds else ""


def compute_error_bars(quantities: Sequence[Estimate]) -> list[list[float]]:
    """Return how far the intervals reach below and above the values, as matplotlib wants it."""
    return [
        [max(estimate.value - estimate.low, 0) for estimate in quantities],
        [max(estimate.high - estimate.value, 0) for estimate in quantities],
    ]


def add_legend(axes: Axes, handles: Sequence[Line2D], labels: Sequence[str]) -> None:
    """Add a legend beside the axes, where it covers nothing.

    A label that starts with an underscore would be left out, so an invisible mark goes before it.
    """
    axes.legend(
        handles,
        [f"\u2060{label}" if label.startswith("_") else label for label in labels],
        loc="upper left",
        bbox_to_anchor=(1.01, 1.02),
        frameon=False,
        handlelength=3.4,
        labelspacing=0.7,
        fontsize=8.5,
    )


def set_log_axis(
    axis: Axis,
    values: Collection[float],
    format_value: Callable[[float], str],
    sparse_from: float = SPARSE_FROM,
) -> None:
    """Make an axis of values above 0 logarithmic in labels and limits: it ends at round numbers.

    An axis that spans more than ``sparse_from`` powers of ten has fewer labels.
    """
    low, high = round_down(min(values)), round_up(max(values))
    is_sparse = math.log10(high / low) > sparse_from
    axis.set_major_locator(LogLocator(subs=(1.0,) if is_sparse else (1.0, 2.0, 5.0), numticks=20))
    axis.set_minor_locator(LogLocator(subs=tuple(range(2, 10)), numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _position: format_value(value)))
    axis.set_minor_formatter(NullFormatter())
    axes = axis.axes
    (axes.set_xlim if axis is axes.xaxis else axes.set_ylim)(low / MARGIN, high * MARGIN)


def round_down(value: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20 … that is not above a value, or hardly."""
    return max(step for step in _list_steps(value) if step <= value * ROUNDING_TOLERANCE)


def round_up(value: float) -> float:
    """Return the smallest of 1, 2, 5, 10, 20 … that is not below a value, or hardly."""
    return min(step for step in _list_steps(value) if step >= value / ROUNDING_TOLERANCE)


def _list_steps(value: float) -> list[float]:
    power = 10.0 ** math.floor(math.log10(value))
    return [factor * power for factor in (0.5, 1, 2, 5, 10)]


def set_count_axis(axes: Axes, counts: Sequence[int]) -> None:
    """Make the x axis logarithmic, with a tick at each number of callers and no other."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(list(counts)))
    axes.xaxis.set_minor_locator(FixedLocator([]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:,.0f}"))
    axes.set_xlim(counts[0] / 1.12, counts[-1] * 1.12)


def format_short_rate(per_s: float) -> str:
    """Return a rate for a tick: 500, 20,000, 5 M."""
    return f"{per_s / 1e6:,g} M" if per_s >= 1e6 else f"{per_s:,g}"  # noqa: PLR2004


def format_short_time(ns: float) -> str:
    """Return a time with its unit, as short as it is exact: 50 ns, 2 µs, 1.5 ms."""
    if ns == 0:
        return "0"
    size = abs(ns)
    for unit, least in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if size >= least:
            return f"{ns / least:,.3g} {unit}"
    return f"{ns:,.3g} ns"


FORMS: Final[Mapping[str, Mapping[str, Any]]] = {
    "svg": {"metadata": {"Date": None}},
    "png": {"dpi": PNG_DPI, "metadata": {"Software": None}},
}
"""How pictures are saved, by the ending of the file's name; without what changes each time."""


def render_figure(figure: Figure, forms: Iterable[str] = tuple(FORMS)) -> dict[str, bytes]:
    """Return a picture in these forms, the same each time, by the ending of the file's name."""
    found = {}
    for form in forms:
        file = io.BytesIO()
        figure.savefig(file, format=form, **FORMS[form])
        found[form] = file.getvalue()
    return found


@contextlib.contextmanager
def use_settings() -> Iterator[None]:
    """Draw and save pictures with the same settings, whatever the user's own are."""
    chosen: Any = dict(SETTINGS)
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(chosen)
        # A name in a script that the font lacks is shown in boxes; that is no news for the user.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
