"""A judgement as GitHub's Markdown, for a pull request or the summary of a job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from resilience_bench._model import Judgement, Verdict
from resilience_bench.report.markdown import escape_markdown, format_code, format_table
from resilience_bench.report.verdicts import (
    CHANCE_NOTE,
    collect_not_measured,
    group_by_outcome,
    make_verdict_row,
    name_conclusion,
    shorten_names,
    summarise_judgement,
)

SHOWN_ROWS: Final = 60
"""GitHub refuses a comment of more than 65,536 characters."""
HEADERS: Final = (
    "case",
    "signal",
    "change",
    "seen",
    "expected",
    "acceptable",
    "by chance",
    "reason",
)
WORDS: Final = frozenset({"signal", "by chance", "reason"})


def render(judgement: Judgement) -> str:
    """The judgement as one Markdown text; its first line says how it came out."""
    return "\n".join(_format_lines(judgement))


def _format_lines(judgement: Judgement) -> Iterator[str]:
    yield f"**{name_conclusion(judgement)}**: {escape_markdown(summarise_judgement(judgement))}"
    found = group_by_outcome(judgement)
    yield from _format_table("Regressed", found["regressed"])
    yield from _format_table("Improved", found["improved"])
    yield from _format_table("Inconclusive", found["inconclusive"])
    yield from _format_not_measured(judgement)
    yield from _format_details("Notes", judgement.notes)
    about = "What was held against what"
    yield from _format_details(about, [judgement.title, *judgement.headline, CHANCE_NOTE])


def _format_table(heading: str, verdicts: Sequence[Verdict]) -> Iterator[str]:
    if not verdicts:
        return
    yield ""
    yield f"### {heading} ({len(verdicts):,})"
    yield ""
    yield from format_table(HEADERS, map(_list_cells, verdicts[:SHOWN_ROWS]), WORDS)
    if len(verdicts) > SHOWN_ROWS:
        yield ""
        yield f"and {len(verdicts) - SHOWN_ROWS:,} more"


def _list_cells(verdict: Verdict) -> tuple[str, ...]:
    row = make_verdict_row(verdict)
    texts = (row.seen, row.expected, row.range, row.chance, row.reason)
    return (
        format_code(row.case),
        escape_markdown(row.signal),
        f"**{row.change}**",
        *map(escape_markdown, texts),
    )


def _format_not_measured(judgement: Judgement) -> Iterator[str]:
    groups = collect_not_measured(judgement)
    if not groups:
        return
    yield from _open_details("Not measured")
    for reason, names in groups.items():
        yield f"- {escape_markdown(reason)} ({len(names):,})"
        yield from (f"  - {escape_markdown(name)}" for name in shorten_names(names))
    yield from _close_details()


def _format_details(heading: str, lines: Sequence[str]) -> Iterator[str]:
    if not lines:
        return
    yield from _open_details(heading)
    yield from (f"- {escape_markdown(line)}" for line in lines)
    yield from _close_details()


def _open_details(heading: str) -> Iterator[str]:
    # GitHub reads Markdown inside HTML only after an empty line.
    yield ""
    yield f"<details><summary>{heading}</summary>"
    yield ""


def _close_details() -> Iterator[str]:
    yield ""
    yield "</details>"
