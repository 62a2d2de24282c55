"""The summary of a large run for the terminal: about fifty lines of at most 100 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Literal

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from resilience_bench._model import Result
from resilience_bench.files.checked_json import format_path
from resilience_bench.report.caveats import describe_run
from resilience_bench.report.summary import Summary, SummaryRow

HEADERS: Final = ("", "cheapest", "per call", "costliest", "per call", "×")
RIGHT_ALIGNED: Final = frozenset({2, 4, 5})


def render(summary: Summary, result: Result, console: Console, path: Path) -> None:
    """Print a summary of a result, and where the rest of it is."""
    for line in describe_run(result):
        console.print(Text(line, style="dim"), soft_wrap=True)
    cells = [_format_cells(row) for section in summary.sections for row in section.rows]
    widths = [max(map(cell_len, column)) for column in zip(HEADERS, *cells, strict=True)]
    console.print()
    _print_rows([HEADERS], widths, console, "dim")
    for section in summary.sections:
        more = f"  {section.hidden} more" if section.hidden else ""
        title = Text.assemble((section.title, "bold"), (more, "dim"))
        console.print()
        console.print(title, soft_wrap=True)
        _print_rows(map(_format_cells, section.rows), widths, console)
    console.print()
    for lines, style in (
        (summary.failures, "red"),
        ([f"! {doubt}" for doubt in summary.doubts], "yellow"),
        (summary.notes, "dim"),
    ):
        for line in lines:
            console.print(Text(line, style=style), soft_wrap=True)
    name = format_path(path)
    for purpose, what in (
        ("all cases", f"show {name}"),
        ("a page", f"report {name} -o report.html"),
    ):
        console.print(Text(f"{purpose + ':':<11}resilience-bench {what}"), soft_wrap=True)


def _print_rows(
    rows: Iterable[Sequence[str]], widths: Sequence[int], console: Console, style: str = ""
) -> None:
    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), collapse_padding=True, show_header=False
    )
    for index, width in enumerate(widths):
        side: Literal["left", "right"] = "right" if index in RIGHT_ALIGNED else "left"
        table.add_column("", justify=side, min_width=width, no_wrap=True)
    for row in rows:
        # Text, not str: a label in brackets is no markup.
        table.add_row(*map(Text, row), style=style)
    # A terminal that is too narrow wraps the line itself: nothing is cut off.
    console.print(table, width=max(console.width, sum(widths) + 2 * len(widths)), crop=False)


def _format_cells(row: SummaryRow) -> tuple[str, ...]:
    factor = f"{row.factor:.1f}" if row.factor < 100 else f"{row.factor:,.0f}"  # noqa: PLR2004
    return (
        f"  {row.scenario}",
        row.cheaper,
        row.cheaper_cost,
        row.costlier,
        row.costlier_cost,
        factor,
    )
