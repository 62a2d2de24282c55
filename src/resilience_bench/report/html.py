"""Pages in HTML: every name is escaped, and no page loads or runs anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import jinja2
from markupsafe import Markup, escape

from resilience_bench import __version__
from resilience_bench._model import Measurement, Result
from resilience_bench.report.blocks import NO_VALUE, find_best
from resilience_bench.report.page import PageFigure, make_run_page
from resilience_bench.report.plots.inline import inline_svg
from resilience_bench.report.plots.pictures import plan_pictures
from resilience_bench.report.plots.style import render_figure, use_settings
from resilience_bench.report.two_runs import RunComparison
from resilience_bench.report.verdicts import make_judgement_view


def render(template: str, **values: Any) -> str:
    """Return a page made from a template of this package, named without its ending."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("resilience_bench.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        best_of=find_best,
        card_styles={0: "passed", 1: "failed", 2: "warned"},  # by exit code
        nothing=NO_VALUE,
        tool_version=__version__,
    )
    environment.filters["breakable"] = allow_line_breaks
    return environment.get_template(f"{template}.html.jinja").render(**values)


def allow_line_breaks(name: str) -> Markup:
    """Return a name that may be broken where its parts meet."""
    return Markup(re.sub(r"([,+._\[])", r"\1<wbr>", str(escape(name))))  # noqa: S704 - escaped


def render_report(
    result: Result,
    measurements: Sequence[Measurement],
    name: str,
    against: RunComparison | None = None,
) -> str:
    """Return a results file of this name as one page that needs no other file.

    The page begins with the comparison, if there is one.
    """
    return render(
        "report",
        run=make_run_page(result, measurements, name, inline_figures(result, measurements)),
        against=against,
        judgement=make_judgement_view(against.judgement) if against else None,
    )


def draw_pictures(
    result: Result, measurements: Sequence[Measurement]
) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the SVG of each picture of a result."""
    for picture in plan_pictures(result, measurements):
        with use_settings():
            yield picture.name, render_figure(picture.draw(), ["svg"])["svg"]


def inline_figures(result: Result, measurements: Sequence[Measurement]) -> list[PageFigure]:
    """Return the pictures of a result as parts of a page."""
    return [
        # Safe: made from XML by us, and serialised again.
        PageFigure(name, svg=Markup(inline_svg(svg, name, number)))  # noqa: S704
        for number, (name, svg) in enumerate(draw_pictures(result, measurements))
    ]
