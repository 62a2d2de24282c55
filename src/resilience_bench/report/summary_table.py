"""The summary of a large run for the terminal: about fifty lines of at most 100 columns."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from resilience_bench._model import Result
from resilience_bench.files.checked_json import format_path
from resilience_bench.report.blocks import format_factor
from resilience_bench.report.caveats import describe_run
from resilience_bench.report.summary import Summary, SummaryRow
from resilience_bench.report.terminal import LABEL, Columns, choose_widths, print_line

HEADERS: Final = {
    LABEL: "",
    "cheapest": "cheapest",
    "lowest": "per call",
    "costliest": "costliest",
    "highest": "per call",
    "factor": "×",
}
GAP: Final = 2


def render(summary: Summary, result: Result, console: Console, path: Path) -> None:
    """Print a summary of a result, and where the rest of it is."""
    for line in describe_run(result):
        print_line(line, console, "dim")
    cells = [_list_cells(row) for section in summary.sections for row in section.rows]
    widths = choose_widths([(HEADERS, cells)], console.width, gap=GAP)
    columns = Columns(HEADERS, widths, GAP, words=["cheapest", "costliest"])
    console.print()
    columns.print_header(console)
    for section in summary.sections:
        more = f"  {section.hidden} more" if section.hidden else ""
        console.print()
        print_line(Text.assemble((section.title, "bold"), (more, "dim")), console)
        for row in section.rows:
            columns.print_row(_list_cells(row), console)
    console.print()
    for lines, style in (
        (summary.failures, "red"),
        ([f"! {doubt}" for doubt in summary.doubts], "yellow"),
        (summary.notes, "dim"),
    ):
        for line in lines:
            print_line(line, console, style)
    name = format_path(path)
    for purpose, what in (
        ("all cases", f"show {name}"),
        ("a page", f"report {name} -o report.html"),
    ):
        print_line(f"{purpose + ':':<11}resilience-bench {what}", console)


def _list_cells(row: SummaryRow) -> dict[str, str]:
    return {
        LABEL: f"  {row.scenario}",
        "cheapest": row.cheaper,
        "lowest": row.cheaper_cost,
        "costliest": row.costlier,
        "highest": row.costlier_cost,
        "factor": format_factor(row.factor),
    }
