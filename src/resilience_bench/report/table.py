"""A result for the terminal: aligned within 80 columns, coloured where colour is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from resilience_bench._model import CaseRecord, Measurement, Result
from resilience_bench.report.rows import (
    LEGEND,
    Block,
    Row,
    blocks,
    doubts,
    headline,
    is_available,
    not_measured,
    plain,
)

LABEL_WIDTH: Final = 32
COLUMN_WIDTHS: Final = (9, 9, 7, 6, 9)
SHOWN_NAMES: Final = 6
WIDTH: Final = 80


def render(
    result: Result, measurements: Sequence[Measurement], sort: str, console: Console
) -> None:
    """Print a result: a block a scenario, then doubts, then what was not measured."""
    for line in headline(result):
        console.print(Text(line, style="dim"), soft_wrap=True)
    for block in blocks(result, measurements, sort):
        console.print()
        _print_block(block, console)
    console.print()
    if measurements:
        _print_wrapped(LEGEND, console, style="dim")
    for warning, names in doubts(measurements).items():
        _print_names(f"! {warning}", names, console, style="yellow")
    _print_not_measured(result, console)


def _print_not_measured(result: Result, console: Console) -> None:
    unavailable = 0
    for (status, reason), names in not_measured(result).items():
        if status == "not available":
            unavailable += len(names)
            continue
        style = "red" if status in {"broken", "failed"} else "dim"
        _print_names(f"{status}: {reason}", names, console, style=style)
    if unavailable:
        cases = "case is" if unavailable == 1 else "cases are"
        text = f"{unavailable} {cases} not available; 'resilience-bench list' says why"
        _print_wrapped(text, console, style="dim")


def _print_block(block: Block, console: Console) -> None:
    title = Text(block.title, style="bold")
    if block.description:
        title.append(f"  {block.description}", style="not bold dim")
    _print_wrapped(title, console)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim", expand=False)
    table.add_column("", width=LABEL_WIDTH, overflow="fold")
    headers = (f"{block.unit.name}/call", "overhead", "ratio", "±", "× fastest")
    for name, width in zip(headers, COLUMN_WIDTHS, strict=True):
        table.add_column(name, justify="right", min_width=width, no_wrap=True)
    for position, row in enumerate(block.rows):
        table.add_row(*_cells(row), style="green" if position == 0 and len(block.rows) > 1 else "")
    console.print(table, width=max(console.width, WIDTH))


def _cells(row: Row) -> list[Text]:
    mark = "!" if row.doubted else ""
    values = (row.label, row.per_call, row.overhead, row.ratio, mark + row.interval, row.times)
    # Text, not str: a label in brackets is no markup.
    return [Text(value) for value in values]


def _print_names(heading: str, names: Sequence[str], console: Console, *, style: str) -> None:
    _print_wrapped(f"{heading} ({len(names)})", console, style=style)
    shown = list(names[:SHOWN_NAMES])
    if len(names) > len(shown):
        shown.append(f"and {len(names) - len(shown)} more")
    for name in shown:
        console.print(Text(f"    {name}", style="dim"), soft_wrap=True)


def _print_wrapped(text: str | Text, console: Console, *, style: str = "") -> None:
    content = Text(text, style=style) if isinstance(text, str) else text
    console.print(content, width=min(console.width, WIDTH))


def render_cases(records: Sequence[CaseRecord], console: Console) -> None:
    """Print a list of cases, a line each, with why one is not available."""
    for record in records:
        line = Text(plain(record.case.name))
        if not is_available(record):
            line.append(f"  {record.status}: {plain(record.reason)}", style="yellow")
        console.print(line, soft_wrap=True)
    available = sum(map(is_available, records))
    are = "is" if available == 1 else "are"
    summary = f"{available} of {len(records)} cases {are} available"
    console.print(Text(summary, style="bold"), soft_wrap=True)
