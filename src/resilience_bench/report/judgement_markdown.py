"""A judgement as GitHub's Markdown, for a pull request or the summary of a job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from resilience_bench._verdicts import Judgement
from resilience_bench.errors import format_amount
from resilience_bench.report import verdicts
from resilience_bench.report.markdown import escape_markdown, format_code, format_table

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
    """Return the judgement as one Markdown text, the conclusion first."""
    return "\n".join(_format_lines(judgement))


def _format_lines(judgement: Judgement) -> Iterator[str]:
    view = verdicts.make_judgement_view(judgement)
    yield f"**{view.word}**: {escape_markdown(view.summary)}"
    for outcome, rows in view.sections.items():
        yield from ("", f"### {outcome.capitalize()}: {view.count_section(outcome)}", "")
        yield from format_table(HEADERS, map(_list_cells, rows[:SHOWN_ROWS]), WORDS)
        if len(rows) > SHOWN_ROWS:
            yield from ("", f"and {len(rows) - SHOWN_ROWS:,} more")
    yield from _format_details("Not measured", _list_not_measured(view.not_measured))
    yield from _format_details("Notes", _list_items(view.notes))
    yield from _format_details(
        "What was compared", _list_items([*view.headline, verdicts.CHANCE_NOTE])
    )


def _list_cells(row: verdicts.VerdictRow) -> tuple[str, ...]:
    texts = (row.seen, row.expected, row.range, row.chance, row.reason)
    return (
        format_code(row.case),
        escape_markdown(row.signal),
        f"**{row.change}**",
        *map(escape_markdown, texts),
    )


def _list_not_measured(groups: Mapping[str, Sequence[str]]) -> list[str]:
    return [
        item
        for reason, names in groups.items()
        for item in (
            f"- {escape_markdown(reason)} ({format_amount(len(names), 'case')})",
            *(f"  - {escape_markdown(name)}" for name in verdicts.shorten_names(names)),
        )
    ]


def _list_items(lines: Iterable[str]) -> list[str]:
    return [f"- {escape_markdown(line)}" for line in lines]


def _format_details(heading: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        # GitHub reads Markdown inside HTML only after an empty line.
        yield from ("", f"<details><summary>{heading}</summary>", "", *items, "", "</details>")
