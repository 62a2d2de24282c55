"""A result as GitHub's Markdown, for a pull request or a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from resilience_bench._model import Measurement, Result
from resilience_bench.report.rows import (
    LEGEND,
    Block,
    blocks,
    doubts,
    headline,
    not_measured,
    plain,
)


def render(result: Result, measurements: Sequence[Measurement], sort: str) -> str:
    """The whole result as one Markdown text."""
    return "\n".join(_lines(result, measurements, sort))


def _lines(result: Result, measurements: Sequence[Measurement], sort: str) -> Iterator[str]:
    for line in headline(result):
        yield f"{_escaped(line)}  "
    for block in blocks(result, measurements, sort):
        yield from _block(block)
    yield ""
    yield _escaped(LEGEND)
    for warning, names in doubts(measurements).items():
        yield from _named(f"! {warning}", names)
    for (status, reason), names in not_measured(result).items():
        yield from _named(f"{status}: {reason}", names)


def _block(block: Block) -> Iterator[str]:
    yield ""
    yield f"### {_code(block.title)}"
    yield ""
    if block.description:
        yield _escaped(block.description)
        yield ""
    yield f"| case | per call, {block.unit.name} | overhead | ratio | ± | × fastest |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for row in block.rows:
        mark = "! " if row.doubted else ""
        cells = (_code(row.label), row.per_call, row.overhead, row.ratio, mark + row.interval)
        yield f"| {' | '.join(cells)} | {row.times} |"


def _named(heading: str, names: Sequence[str]) -> Iterator[str]:
    yield ""
    yield f"{_escaped(heading)}: {', '.join(map(_code, names))}"


def _code(text: str) -> str:
    # A code span may not hold its own delimiter; a pipe would end the cell even in one.
    fence = "``" if "`" in text else "`"
    inner = plain(text).replace("|", "\\|")
    return f"{fence} {inner} {fence}" if "`" in text else f"{fence}{inner}{fence}"


def _escaped(text: str) -> str:
    special = "\\`*_{}[]<>#|~&"
    return "".join(f"\\{each}" if each in special else each for each in plain(text))
