"""A result as GitHub's Markdown, for a pull request or a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from resilience_bench._model import Measurement, Result
from resilience_bench.report import drift_rows, side_by_side
from resilience_bench.report.blocks import NOTHING, PLACES, Block, blocks, legend, plain
from resilience_bench.report.caveats import (
    doubts,
    headline,
    missing,
    not_measured,
    unavailable_signals,
)
from resilience_bench.report.load_rows import load_blocks
from resilience_bench.stats.drift import measure_drifts


def render(result: Result, measurements: Sequence[Measurement], sort: str) -> str:
    """The whole result as one Markdown text."""
    return "\n".join(_lines(result, measurements, sort))


def render_side_by_side(results: Sequence[Result]) -> str:
    """Several results of one plan as one Markdown text, a column each."""
    lines = []
    for result, name in zip(results, side_by_side.names_of(results), strict=True):
        lines += [f"{escaped(name)}: {'; '.join(map(escaped, headline(result)))}  "]
    for block in side_by_side.side_blocks(results):
        lines += _block(block)
    return "\n".join([*lines, "", escaped(side_by_side.legend_of(results))])


def _lines(result: Result, measurements: Sequence[Measurement], sort: str) -> Iterator[str]:
    for line in headline(result):
        yield f"{escaped(line)}  "
    for found in (blocks(result, measurements, sort), load_blocks(result, measurements, sort)):
        for block in found:
            yield from _block(block)
        if found:
            yield ""
            yield escaped(legend(found))
    yield from _drifts(result)
    for warning, names in doubts(measurements).items():
        yield from _named(f"! {warning}", names)
    for (signal, reason), names in missing(result).items():
        yield from _named(f"no {signal}: {reason}", names)
    for (status, reason), names in not_measured(result).items():
        yield from _named(f"{status}: {reason}", names)
    for line in unavailable_signals(result):
        yield ""
        yield escaped(line)


def _block(block: Block) -> Iterator[str]:
    yield ""
    yield f"### {code(block.title)}"
    yield ""
    if block.description:
        yield escaped(block.description)
        yield ""
    yield f"| case | {' | '.join(block.headers.values())} |"
    yield f"| --- |{' ---: |' * len(block.headers)}"
    for row in block.rows:
        cells = [row.cells.get(key, NOTHING) for key in block.headers]
        label = "<br>".join([code(row.label), *(f"! {escaped(mark)}" for mark in row.marks)])
        yield f"| {' | '.join((label, *cells))} |"


def _drifts(result: Result) -> Iterator[str]:
    drifts = measure_drifts(result)
    if not drifts:
        return
    yield ""
    yield f"| case | {' | '.join(drift_rows.HEADERS.values())} |"
    yield f"| --- |{' ---: |' * (len(drift_rows.HEADERS) - 1)} --- |"
    for drift in drifts:
        each = drift_rows.row(drift)
        cells = [escaped(each.cells[key]) for key in drift_rows.HEADERS]
        cells[-1] = f"**{cells[-1]}**" if each.grows else cells[-1]
        yield f"| {' | '.join((code(drift.case.name), *cells))} |"
    yield ""
    yield escaped(drift_rows.LEGEND)
    for warning, names in drift_rows.doubts(drifts).items():
        yield from _named(f"! {warning}", names)


def _named(heading: str, names: Sequence[str]) -> Iterator[str]:
    yield ""
    lines = "<br>".join(map(escaped, heading.split(PLACES)))
    yield f"{lines}: {', '.join(map(code, names))}"


def code(text: str) -> str:
    """Text from elsewhere as a code span, also inside a table."""
    # A code span may not hold its own delimiter; a pipe would end the cell even in one.
    fence = "``" if "`" in text else "`"
    inner = plain(text).replace("|", "\\|")
    return f"{fence} {inner} {fence}" if "`" in text else f"{fence}{inner}{fence}"


def escaped(text: str) -> str:
    """Text from elsewhere in which nothing is Markdown or HTML."""
    special = "\\`*_{}[]<>#|~&"
    return "".join(f"\\{each}" if each in special else each for each in plain(text))
