"""Looks at pictures as a reader does: which texts stand in them, and whether they can be read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from resilience_bench.report.plots import style
from resilience_bench.report.plots.pictures import Picture

TOUCHING_PIXELS = 1.5
"""Boxes of texts are a little larger than what is seen of them."""


def drawn(picture: Picture) -> Figure:
    """A picture, laid out."""
    with style.use_settings():
        figure = picture.draw()
        figure.draw_without_rendering()
    return figure


def texts(figure: Figure) -> Iterator[Text]:
    """Every text that is seen in a picture."""
    found = list(figure.texts)
    for axes in figure.axes:
        found += [*axes.texts, axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label]
        legend = axes.get_legend()
        found += legend.get_texts() if legend else []
        for axis in (axes.xaxis, axes.yaxis):
            found += tick_labels(axis)
    return (each for each in found if each.get_visible() and each.get_text())


def tick_labels(axis: Axis) -> list[Text]:
    """The labels of the ticks that are within the axis."""
    ticks = axis._update_ticks()
    return [label for tick in ticks for label in (tick.label1, tick.label2) if label.get_visible()]


def boxes(figure: Figure) -> list[tuple[str, Bbox]]:
    """The texts of a picture and where they stand, in pixels."""
    return [(each.get_text(), each.get_window_extent()) for each in texts(figure)]


def assert_readable(figure: Figure) -> None:
    """No text covers another one, and none leaves the picture."""
    found = boxes(figure)
    for (one, box), (other, second) in combinations(found, 2):
        common = Bbox.intersection(box, second)
        touching = common is None or min(common.width, common.height) <= TOUCHING_PIXELS
        assert touching, f"{one!r} and {other!r}"
    for text, box in found:
        inside = box.x0 >= 0 and box.y0 >= 0
        inside &= box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1
        assert inside, text
