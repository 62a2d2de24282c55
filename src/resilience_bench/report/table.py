"""A result for the terminal: aligned, within its width, coloured where colour is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from resilience_bench._model import Measurement, Result
from resilience_bench.report import drift_table, side_by_side
from resilience_bench.report.blocks import (
    NO_VALUE,
    PLACE_SEPARATOR,
    Block,
    explain_columns,
    find_best,
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

LABEL_WIDTH: Final = 20
"""Minimum width of the label column."""
LOAD_LABEL_WIDTH: Final = 12
"""The same under load, where there are more columns and labels name the library only."""
SHOWN_NAMES: Final = 6
FEW_REASONS: Final = 3
"""So many reasons why cases are not available are told; more would bury the rest."""
WIDTH: Final = 80
OPTIONAL_COLUMNS: Final = frozenset({"times", "call"})
"""The columns that are left out where the table would be too wide: the others imply them."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How wide the columns are, the same in all blocks; a column without a width is left out."""

    label: int
    columns: Mapping[str, int]

    def width(self, block: Block) -> int:
        """How wide a block becomes, with a space before each of its columns."""
        widths = [self.columns[key] for key in block.headers if key in self.columns]
        return self.label + sum(widths) + len(widths)


def render(
    result: Result, measurements: Sequence[Measurement], sort: str, console: Console
) -> None:
    """Print a result: a block a scenario, then doubts, then what was not measured."""
    for line in describe_run(result):
        console.print(Text(line, style="dim"), soft_wrap=True)
    for found in (
        make_blocks(result, measurements, sort),
        make_load_blocks(result, measurements, sort),
    ):
        _print_blocks(found, console)
    drift_table.render(estimate_drifts(result), console)
    if not measurements:
        console.print()
    for warning, names in collect_warnings(measurements).items():
        _print_names(f"! {warning}", names, console, style="yellow")
    for (signal, reason), names in collect_missing_signals(result).items():
        _print_names(f"no {signal}: {reason}", names, console, style="dim")
    _print_not_measured(result, console)
    for line in list_unavailable_signals(result):
        # Not wrapped: it ends with what to type, which people copy.
        console.print(Text(line, style="yellow"), soft_wrap=True)


def render_side_by_side(
    results: Sequence[Result], console: Console, files: Sequence[Path] = ()
) -> None:
    """Print several results of one plan, a column each; see `side_by_side.make_side_blocks`.

    Args:
        results: The results.
        console: Where.
        files: The file of each, if they come from files: columns may look alike otherwise.
    """
    places = [clean_text(str(each)) for each in files] or [""] * len(results)
    for result, name, place in zip(
        results, side_by_side.name_interpreters(results), places, strict=True
    ):
        for line in (f"{name}: {place}".rstrip(), *(f"  {each}" for each in describe_run(result))):
            console.print(Text(line, style="dim"), soft_wrap=True)
    found = side_by_side.make_side_blocks(results)
    _print_blocks(found, console)
    if found:
        _print_wrapped(side_by_side.explain_columns(results), console, style="dim")
    for result, name in zip(results, side_by_side.name_interpreters(results), strict=True):
        for (status, reason), cases in collect_not_measured(result).items():
            if status != "not available":
                _print_names(f"{name}: {status}: {reason}", cases, console, style="dim")
        for line in list_unavailable_signals(result):
            console.print(Text(f"{name}: {line}", style="yellow"), soft_wrap=True)


def _print_blocks(found: Sequence[Block], console: Console) -> None:
    limit = max(console.width, WIDTH)
    layouts = {
        kind: _choose_layout([block for block in found if block.kind == kind], limit)
        for kind in {block.kind for block in found}
    }
    for block in found:
        console.print()
        _print_block(block, layouts[block.kind], console)
    if text := explain_columns(found):
        console.print()
        _print_wrapped(text, console, style="dim")


def _choose_layout(found: Sequence[Block], limit: int) -> Layout:
    rows = [row for block in found for row in block.rows]
    least = LOAD_LABEL_WIDTH if any(block.kind for block in found) else LABEL_WIDTH
    longest = max((cell_len(row.label) for row in rows), default=least)
    parts = (part for row in rows for part in row.label.split(","))
    least = max([least, *(cell_len(part) + 1 for part in parts)])
    columns: dict[str, int] = {}
    for block in found:
        for key, header in block.headers.items():
            cells = (row.cells.get(key, NO_VALUE) for row in block.rows)
            columns[key] = max(columns.get(key, 0), cell_len(header), *map(cell_len, cells))
    layout = Layout(max(longest, least), columns)
    if _compute_excess(layout, found, limit) > 0:
        kept = {key: width for key, width in columns.items() if key not in OPTIONAL_COLUMNS}
        layout = Layout(layout.label, kept)
    # Numbers are never cut off; a label goes on in the next line, after a comma.
    excess = max(_compute_excess(layout, found, limit), 0)
    return Layout(max(layout.label - excess, least), layout.columns)


def _compute_excess(layout: Layout, found: Sequence[Block], limit: int) -> int:
    return max(map(layout.width, found), default=0) - limit


def _print_not_measured(result: Result, console: Console) -> None:
    unavailable = 0
    told = collect_not_measured(result)
    are_few = sum(status == "not available" for status, _ in told) <= FEW_REASONS
    for (status, reason), names in told.items():
        if status == "not available" and not are_few:
            unavailable += len(names)
            continue
        style = "red" if status in {"broken", "failed", "hung"} else "dim"
        first, *places = reason.split(PLACE_SEPARATOR)
        heading = "\n  ".join([f"{status}: {first}", *places])
        _print_names(heading, names, console, style=style)
    if unavailable:
        cases = "case is" if unavailable == 1 else "cases are"
        text = f"{unavailable} {cases} not available; 'resilience-bench list' says why"
        _print_wrapped(text, console, style="dim")


def _print_block(block: Block, layout: Layout, console: Console) -> None:
    title = Text(block.title, style="bold")
    if block.description:
        title.append(f"  {block.description}", style="not bold dim")
    _print_wrapped(title, console)
    keys = [key for key in block.headers if key in layout.columns]
    best = find_best(block)
    table = _make_table(block, layout, keys)
    for row in block.rows:
        # Text, not str: a label in brackets is no markup.
        label = Text(_fold_label(row.label, layout.label))
        cells = [label, *(Text(row.cells.get(key, NO_VALUE)) for key in keys)]
        table.add_row(*cells, style="bold" if row.is_control else "green" if row is best else "")
        if row.marks:
            # A table has no lines of its own width: it is ended here, and goes on below.
            console.print(table, width=max(console.width, layout.width(block)), crop=False)
            for mark in row.marks:
                _print_wrapped(f"  ! {mark}", console, style="yellow")
            table = _make_table(block, layout, keys, has_header=False)
    if table.row_count:
        console.print(table, width=max(console.width, layout.width(block)), crop=False)


def _make_table(
    block: Block, layout: Layout, keys: Sequence[str], *, has_header: bool = True
) -> Table:
    table = Table(
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="dim",
        expand=False,
        show_header=has_header,
    )
    table.add_column("", min_width=layout.label, no_wrap=True)
    for key in keys:
        header = block.headers[key]
        table.add_column(header, justify="right", min_width=layout.columns[key], no_wrap=True)
    return table


def _fold_label(label: str, width: int) -> str:
    lines = [""]
    for part in label.replace(",", ",\n").split("\n"):
        if lines[-1] and cell_len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _print_names(heading: str, names: Sequence[str], console: Console, *, style: str) -> None:
    _print_wrapped(f"{heading} ({len(names)})", console, style=style)
    shown = list(names[:SHOWN_NAMES])
    if len(names) > len(shown):
        shown.append(f"and {len(names) - len(shown)} more")
    for name in shown:
        console.print(Text(f"    {name}", style="dim"), soft_wrap=True)


def _print_wrapped(text: str | Text, console: Console, *, style: str = "") -> None:
    content = Text(text, style=style) if isinstance(text, str) else text
    console.print(content)
