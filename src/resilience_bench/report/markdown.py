"""A result as GitHub's Markdown, for a pull request or a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from resilience_bench._model import Measurement, Result
from resilience_bench.report import drift_rows, side_by_side
from resilience_bench.report.blocks import (
    NO_VALUE,
    PLACE_SEPARATOR,
    Block,
    explain_columns,
    make_blocks,
)
from resilience_bench.report.caveats import (
    collect_missing_signals,
    collect_not_measured,
    collect_warnings,
    describe_run,
    list_unavailable_signals,
)
from resilience_bench.report.load_rows import make_load_blocks
from resilience_bench.report.text import clean_text
from resilience_bench.stats.drift import estimate_drifts


def render(result: Result, measurements: Sequence[Measurement], sort: str) -> str:
    """The whole result as one Markdown text."""
    return "\n".join(_format_lines(result, measurements, sort))


def render_side_by_side(results: Sequence[Result]) -> str:
    """Several results of one plan as one Markdown text, a column each."""
    lines = []
    for result, name in zip(results, side_by_side.name_interpreters(results), strict=True):
        lines += [
            f"{escape_markdown(name)}: {'; '.join(map(escape_markdown, describe_run(result)))}  "
        ]
    for block in side_by_side.make_side_blocks(results):
        lines += _format_block(block)
    return "\n".join([*lines, "", escape_markdown(side_by_side.explain_columns(results))])


def _format_lines(result: Result, measurements: Sequence[Measurement], sort: str) -> Iterator[str]:
    for line in describe_run(result):
        yield f"{escape_markdown(line)}  "
    for found in (
        make_blocks(result, measurements, sort),
        make_load_blocks(result, measurements, sort),
    ):
        for block in found:
            yield from _format_block(block)
        if found:
            yield ""
            yield escape_markdown(explain_columns(found))
    yield from _format_drifts(result)
    for warning, names in collect_warnings(measurements).items():
        yield from _format_names(f"! {warning}", names)
    for (signal, reason), names in collect_missing_signals(result).items():
        yield from _format_names(f"no {signal}: {reason}", names)
    for (status, reason), names in collect_not_measured(result).items():
        yield from _format_names(f"{status}: {reason}", names)
    for line in list_unavailable_signals(result):
        yield ""
        yield escape_markdown(line)


def _format_block(block: Block) -> Iterator[str]:
    yield ""
    yield f"### {format_code(block.title)}"
    yield ""
    if block.description:
        yield escape_markdown(block.description)
        yield ""
    yield f"| case | {' | '.join(block.headers.values())} |"
    yield f"| --- |{' ---: |' * len(block.headers)}"
    for row in block.rows:
        cells = [row.cells.get(key, NO_VALUE) for key in block.headers]
        label = "<br>".join(
            [format_code(row.label), *(f"! {escape_markdown(mark)}" for mark in row.marks)]
        )
        yield f"| {' | '.join((label, *cells))} |"


def _format_drifts(result: Result) -> Iterator[str]:
    drifts = estimate_drifts(result)
    if not drifts:
        return
    yield ""
    yield f"| case | {' | '.join(drift_rows.HEADERS.values())} |"
    yield f"| --- |{' ---: |' * (len(drift_rows.HEADERS) - 1)} --- |"
    for drift in drifts:
        each = drift_rows.make_drift_row(drift)
        cells = [escape_markdown(each.cells[key]) for key in drift_rows.HEADERS]
        cells[-1] = f"**{cells[-1]}**" if each.grows else cells[-1]
        yield f"| {' | '.join((format_code(drift.case.name), *cells))} |"
    yield ""
    yield escape_markdown(drift_rows.LEGEND)
    for warning, names in drift_rows.collect_warnings(drifts).items():
        yield from _format_names(f"! {warning}", names)


def _format_names(heading: str, names: Sequence[str]) -> Iterator[str]:
    yield ""
    lines = "<br>".join(map(escape_markdown, heading.split(PLACE_SEPARATOR)))
    yield f"{lines}: {', '.join(map(format_code, names))}"


def format_code(text: str) -> str:
    """Text from elsewhere as a code span, also inside a table."""
    # A code span may not hold its own delimiter; a pipe would end the cell even in one.
    fence = "``" if "`" in text else "`"
    inner = clean_text(text).replace("|", "\\|")
    return f"{fence} {inner} {fence}" if "`" in text else f"{fence}{inner}{fence}"


def escape_markdown(text: str) -> str:
    """Text from elsewhere in which nothing is Markdown or HTML."""
    special = "\\`*_{}[]<>#|~&"
    return "".join(f"\\{each}" if each in special else each for each in clean_text(text))
