"""Long runs for the terminal: how cost and memory of each case grow."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from rich.console import Console

from resilience_bench.report.drift_rows import HEADERS, LEGEND, DriftRow, make_drift_row
from resilience_bench.report.terminal import (
    LABEL,
    Columns,
    choose_widths,
    print_line,
    print_prose,
)
from resilience_bench.stats.drift import Drift

OPTIONAL_COLUMNS: Final = ("in_all", "bytes")
"""The columns to leave out, in this order, where the table would be too wide."""


def render(drifts: Sequence[Drift], console: Console) -> None:
    """Print how cost and memory of each case grow, by scenario; nothing if there is no case."""
    if not drifts:
        return
    rows = [make_drift_row(drift) for drift in drifts]
    headers = {LABEL: "", **HEADERS}
    grow_in_bytes = any(row.grows_in_bytes for row in rows)
    optional = [key for key in OPTIONAL_COLUMNS if key != "bytes" or not grow_in_bytes]
    cells = [_list_cells(row) for row in rows]
    widths = choose_widths([(headers, cells)], console.width, optional=optional)
    console.print()
    columns = Columns(headers, widths, words=["verdict"])
    columns.print_header(console)
    for group, members in itertools.groupby(rows, key=lambda row: row.group):
        print_line(group, console, "bold")
        for row in members:
            columns.print_row(_list_cells(row), console, _choose_style(row))
    console.print()
    print_prose(LEGEND, console, "dim")


def _list_cells(row: DriftRow) -> dict[str, str]:
    return {LABEL: f"  {row.label}", **row.cells}


def _choose_style(row: DriftRow) -> str:
    return "bold red" if row.grows else "" if row.is_decided else "yellow"
