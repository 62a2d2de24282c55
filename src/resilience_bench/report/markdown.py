"""A result as GitHub's Markdown, for a pull request or a page."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from resilience_bench._model import Measurement, Result
from resilience_bench.report import caveats, side_by_side
from resilience_bench.report.blocks import (
    NO_VALUE,
    Block,
    explain_columns,
)
from resilience_bench.report.page import make_sections
from resilience_bench.report.text import clean_text
from resilience_bench.stats.drift import estimate_drifts


def render(result: Result, measurements: Sequence[Measurement], sort: str) -> str:
    """Return the whole result as one Markdown text."""
    return "\n".join(_format_lines(result, measurements, sort))


def render_side_by_side(results: Sequence[Result]) -> str:
    """Return several results of one plan as one Markdown text, a column for each."""
    lines = []
    for result, name in zip(results, side_by_side.name_interpreters(results), strict=True):
        described = "; ".join(map(escape_markdown, caveats.describe_run(result)))
        lines.append(f"{escape_markdown(name)}: {described}  ")
    for block in side_by_side.make_side_blocks(results):
        lines += _format_block(block)
    return "\n".join([*lines, "", escape_markdown(side_by_side.explain_columns(results))])


def _format_lines(result: Result, measurements: Sequence[Measurement], sort: str) -> Iterator[str]:
    for line in caveats.describe_run(result):
        yield f"{escape_markdown(line)}  "
    drifts = estimate_drifts(result)
    for blocks in make_sections(result, measurements, drifts, sort).values():
        for block in blocks:
            yield from _format_block(block)
        yield ""
        yield escape_markdown(explain_columns(blocks))
    for note in caveats.collect_notes(result, measurements, drifts):
        if note.kind != "defect":  # they stand beside the rows
            yield ""
            lines = "<br>".join(map(escape_markdown, note.lines))
            mark = "! " if note.is_doubt else ""
            yield f"{mark}{lines}: {', '.join(map(format_code, note.names))}"
    for line in caveats.list_unavailable_signals(result):
        yield ""
        yield escape_markdown(line)


def _format_block(block: Block) -> Iterator[str]:
    yield ""
    yield f"### {format_code(block.title)}"
    yield ""
    if block.description:
        yield escape_markdown(block.description)
        yield ""
    rows = []
    for row in block.rows:
        marks = (f"! {escape_markdown(mark)}" for mark in row.marks)
        cells = (escape_markdown(row.cells.get(key, NO_VALUE)) for key in block.headers)
        rows.append(("<br>".join([format_code(row.label), *marks]), *cells))
    yield from format_table(("case", *block.headers.values()), rows, left={"verdict"})


def format_table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], left: Collection[str] = ()
) -> Iterator[str]:
    """Yield the lines of a table; all but the first column and those of ``left`` are numbers."""
    sides = (" --- |" if header in left else " ---: |" for header in headers[1:])
    yield f"| {' | '.join(headers)} |"
    yield f"| --- |{''.join(sides)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def format_code(text: str) -> str:
    """Return a text as a code span that is safe in a table."""
    # A code span may not hold its own delimiter; a pipe would end the cell even in one.
    fence = "``" if "`" in text else "`"
    inner = clean_text(text).replace("|", "\\|")
    return f"{fence} {inner} {fence}" if "`" in text else f"{fence}{inner}{fence}"


def escape_markdown(text: str) -> str:
    """Return a text in which nothing is Markdown or HTML."""
    special = "\\`*_{}[]<>#|~&"
    return "".join(
        f"\\{character}" if character in special else character for character in clean_text(text)
    )
