"""Pages: every name from elsewhere is escaped, and no page loads or runs anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import jinja2
from markupsafe import Markup, escape

from resilience_bench import __version__
from resilience_bench._model import Judgement, Measurement, Outcome, Result
from resilience_bench.gate.verdicts import exit_code
from resilience_bench.report import verdicts
from resilience_bench.report.blocks import NOTHING, best_of, plain
from resilience_bench.report.page import Figure, run_page
from resilience_bench.report.plots.inline import inlined
from resilience_bench.report.plots.pictures import pictures
from resilience_bench.report.plots.style import saved, settings
from resilience_bench.report.two_runs import Against

TABLES: Final[tuple[Outcome, ...]] = ("regressed", "improved", "inconclusive")
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
        best_of=best_of, nothing=NOTHING, plain=plain, tool_version=__version__
    )
    environment.filters["breakable"] = breakable
    return environment.get_template(f"{template}.html.jinja").render(**values)


def breakable(name: str) -> Markup:
    """A name that may go on in the next line where its parts meet."""
    return Markup(re.sub(r"([,+._\[])", r"\1<wbr>", str(escape(name))))  # noqa: S704 - escaped


def report(
    result: Result,
    measurements: Sequence[Measurement],
    name: str,
    against: Against | None = None,
) -> str:
    """A results file as one page that needs no other file.

    Args:
        result: The file.
        measurements: What `statistics.measure` returned of it.
        name: What the file is called.
        against: What another run says beside it.
    """
    return render(
        "report",
        run=run_page(result, measurements, name, inline_figures(result, measurements)),
        against=against,
        judgement=judgement_view(against.judgement) if against else None,
    )


def drawings(result: Result, measurements: Sequence[Measurement]) -> Iterator[tuple[str, bytes]]:
    """The pictures of a result: the name of each, and its SVG."""
    for picture in pictures(result, measurements):
        with settings():
            yield picture.name, saved(picture.draw(), ["svg"])["svg"]


def inline_figures(result: Result, measurements: Sequence[Measurement]) -> list[Figure]:
    """The pictures of a result, to stand in a page themselves."""
    return [
        # Safe: made from XML by us, and serialised again.
        Figure(name, svg=Markup(inlined(svg, name, number)))  # noqa: S704
        for number, (name, svg) in enumerate(drawings(result, measurements))
    ]


def judgement_view(judgement: Judgement) -> Mapping[str, Any]:
    """What a template shows of a judgement: its word, its sum, its tables, what was not judged."""
    found = verdicts.sections(judgement)
    row: Callable[[Any], verdicts.Row] = verdicts.row
    shown = [each for outcome in TABLES for each in found[outcome]]
    return {
        "word": verdicts.word(judgement),
        "style": STYLES[exit_code(judgement, strict=False)],
        "summary": verdicts.summary(judgement),
        "tables": {outcome: list(map(row, found[outcome])) for outcome in TABLES if found[outcome]},
        "within": list(map(row, found["within"])),
        "not_measured": verdicts.not_measured(judgement),
        "notes": list(map(plain, judgement.notes)),
        "headline": [plain(each) for each in (judgement.title, *judgement.headline) if each],
        "chance": verdicts.CHANCE if any(each.p_value is not None for each in shown) else "",
    }
