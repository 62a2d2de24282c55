"""A judgement as GitHub's Markdown, for a pull request or the summary of a job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from resilience_bench._model import Judgement, Verdict
from resilience_bench.report.markdown import code, escaped
from resilience_bench.report.verdicts import CHANCE, few, not_measured, row, sections, summary, word

SHOWN_ROWS: Final = 60
"""GitHub refuses a comment of more than 65,536 characters."""


def render(judgement: Judgement) -> str:
    """The judgement as one Markdown text; its first line says how it came out."""
    return "\n".join(_lines(judgement))


def _lines(judgement: Judgement) -> Iterator[str]:
    yield f"**{word(judgement)}**: {escaped(summary(judgement))}"
    found = sections(judgement)
    yield from _table("Regressed", found["regressed"])
    yield from _table("Improved", found["improved"])
    yield from _table("Inconclusive", found["inconclusive"])
    yield from _not_measured(judgement)
    yield from _details("Notes", judgement.notes)
    about = "What was held against what"
    yield from _details(about, [judgement.title, *judgement.headline, CHANCE])


def _table(heading: str, verdicts: Sequence[Verdict]) -> Iterator[str]:
    if not verdicts:
        return
    yield ""
    yield f"### {heading} ({len(verdicts):,})"
    yield ""
    yield "| case | signal | change | seen | expected | acceptable | by chance | reason |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | --- | --- |"
    for verdict in verdicts[:SHOWN_ROWS]:
        said = row(verdict)
        texts = (said.seen, said.expected, said.range, said.chance, said.reason)
        cells = (code(said.case), escaped(said.signal), f"**{said.change}**", *map(escaped, texts))
        yield f"| {' | '.join(cells)} |"
    if len(verdicts) > SHOWN_ROWS:
        yield ""
        yield f"and {len(verdicts) - SHOWN_ROWS:,} more"


def _not_measured(judgement: Judgement) -> Iterator[str]:
    groups = not_measured(judgement)
    if not groups:
        return
    yield from _opened("Not measured")
    for reason, names in groups.items():
        yield f"- {escaped(reason)} ({len(names):,})"
        yield from (f"  - {escaped(name)}" for name in few(names))
    yield from _closed()


def _details(heading: str, lines: Sequence[str]) -> Iterator[str]:
    if not lines:
        return
    yield from _opened(heading)
    yield from (f"- {escaped(line)}" for line in lines)
    yield from _closed()


def _opened(heading: str) -> Iterator[str]:
    # GitHub reads Markdown inside HTML only after an empty line.
    yield ""
    yield f"<details><summary>{heading}</summary>"
    yield ""


def _closed() -> Iterator[str]:
    yield ""
    yield "</details>"
