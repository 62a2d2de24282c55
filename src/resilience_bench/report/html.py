"""Pages: every name from elsewhere is escaped, and no page loads or runs anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import jinja2
from markupsafe import Markup, escape

from resilience_bench import __version__
from resilience_bench._model import Judgement, Measurement, Outcome, Result
from resilience_bench.gate.verdicts import compute_exit_code
from resilience_bench.report import verdicts
from resilience_bench.report.blocks import NO_VALUE, find_best
from resilience_bench.report.page import PageFigure, make_run_page
from resilience_bench.report.plots.inline import inline_svg
from resilience_bench.report.plots.pictures import plan_pictures
from resilience_bench.report.plots.style import render_figure, use_settings
from resilience_bench.report.text import clean_text
from resilience_bench.report.two_runs import RunComparison

SHOWN_OUTCOMES: Final[tuple[Outcome, ...]] = ("regressed", "improved", "inconclusive")
"""The outcomes of which every verdict is shown."""
STYLES: Final[Mapping[int, str]] = {0: "passed", 1: "failed", 2: "warned"}
"""How a judgement looks, by the exit code of the command that makes it."""


def render(template: str, **values: Any) -> str:
    """A page made from one of the templates of this package.

    Args:
        template: Its name, without the ending.
        values: What it is made from.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("resilience_bench.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        best_of=find_best, nothing=NO_VALUE, plain=clean_text, tool_version=__version__
    )
    environment.filters["breakable"] = allow_line_breaks
    return environment.get_template(f"{template}.html.jinja").render(**values)


def allow_line_breaks(name: str) -> Markup:
    """A name that may go on in the next line where its parts meet."""
    return Markup(re.sub(r"([,+._\[])", r"\1<wbr>", str(escape(name))))  # noqa: S704 - escaped


def render_report(
    result: Result,
    measurements: Sequence[Measurement],
    name: str,
    against: RunComparison | None = None,
) -> str:
    """A results file as one page that needs no other file.

    Args:
        result: The file.
        measurements: What `latency.estimate` returned of it.
        name: What the file is called.
        against: What another run says beside it.
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
    """The pictures of a result: the name of each, and its SVG."""
    for picture in plan_pictures(result, measurements):
        with use_settings():
            yield picture.name, render_figure(picture.draw(), ["svg"])["svg"]


def inline_figures(result: Result, measurements: Sequence[Measurement]) -> list[PageFigure]:
    """The pictures of a result, to stand in a page themselves."""
    return [
        # Safe: made from XML by us, and serialised again.
        PageFigure(name, svg=Markup(inline_svg(svg, name, number)))  # noqa: S704
        for number, (name, svg) in enumerate(draw_pictures(result, measurements))
    ]


def make_judgement_view(judgement: Judgement) -> Mapping[str, Any]:
    """What a template shows of a judgement: its word, its sum, its tables, what was not judged."""
    found = verdicts.group_by_outcome(judgement)
    row: Callable[[Any], verdicts.VerdictRow] = verdicts.make_verdict_row
    shown = [each for outcome in SHOWN_OUTCOMES for each in found[outcome]]
    return {
        "word": verdicts.name_conclusion(judgement),
        "style": STYLES[compute_exit_code(judgement, strict=False)],
        "summary": verdicts.summarise_judgement(judgement),
        "tables": {
            outcome: list(map(row, found[outcome])) for outcome in SHOWN_OUTCOMES if found[outcome]
        },
        "within": list(map(row, found["within"])),
        "not_measured": verdicts.collect_not_measured(judgement),
        "notes": list(map(clean_text, judgement.notes)),
        "headline": [clean_text(each) for each in (judgement.title, *judgement.headline) if each],
        "chance": verdicts.CHANCE_NOTE if any(each.p_value is not None for each in shown) else "",
    }
