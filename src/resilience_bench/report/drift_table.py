"""Cases that were kept going, for the terminal."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from resilience_bench.report.drift_rows import (
    HEADERS,
    LEGEND,
    DriftRow,
    collect_warnings,
    make_drift_row,
)
from resilience_bench.stats.drift import Drift

WIDTH: Final = 80
INDENT: Final = "  "
LEAST_LABEL_WIDTH: Final = 16
VERDICT_WIDTH: Final = 12
OPTIONAL_COLUMNS: Final = ("in_all", "bytes")
"""The columns that are left out where the table would be too wide, the first one first; bytes only
where no process grows."""


def render(drifts: Sequence[Drift], console: Console) -> None:
    """Print how cost and memory of each case grow, by scenario; nothing if there is no case."""
    if not drifts:
        return
    rows = [make_drift_row(each) for each in drifts]
    limit = max(console.width, WIDTH)
    label, widths = _choose_widths(rows, limit)
    console.print()
    heading = _make_table(label, widths)
    heading.show_header = True
    console.print(heading, width=limit)
    for group, members in itertools.groupby(rows, key=lambda each: each.group):
        console.print(Text(group, style="bold"), soft_wrap=True)
        table = _make_table(label, widths)
        for each in members:
            style = "bold red" if each.grows else "" if each.is_decided else "yellow"
            # Text, not str: a name in brackets is no markup.
            cells = [Text(f"{INDENT}{each.label}"), *(Text(each.cells[key]) for key in widths)]
            table.add_row(*cells, style=style)
        console.print(table, width=limit)
    console.print()
    console.print(Text(LEGEND, style="dim"), width=min(console.width, WIDTH))
    for warning, names in collect_warnings(drifts).items():
        console.print(Text(f"! {warning}: {', '.join(names)}", style="yellow"), soft_wrap=True)


def _make_table(label: int, widths: Mapping[str, int]) -> Table:
    table = Table(
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="dim",
        show_header=False,
    )
    table.add_column("", width=label, overflow="fold")
    for key, width in widths.items():
        is_verdict = key == "verdict"
        table.add_column(
            HEADERS[key],
            justify="left" if is_verdict else "right",
            width=width,
            no_wrap=not is_verdict,
        )
    return table


def _choose_widths(rows: Sequence[DriftRow], limit: int) -> tuple[int, dict[str, int]]:
    """The widths of the label and of the other columns, within the limit if that can be."""
    widths = {
        key: max(cell_len(header), *(cell_len(each.cells[key]) for each in rows))
        for key, header in HEADERS.items()
    }
    widths["verdict"] = min(widths["verdict"], VERDICT_WIDTH)
    longest = len(INDENT) + max(cell_len(each.label) for each in rows)
    needed = {"bytes"} if any(each.grows_in_bytes for each in rows) else set()
    for key in OPTIONAL_COLUMNS:
        if key not in needed and longest + sum(widths.values()) + len(widths) > limit:
            del widths[key]
    left = limit - sum(widths.values()) - len(widths)
    return max(min(longest, left), LEAST_LABEL_WIDTH), widths
