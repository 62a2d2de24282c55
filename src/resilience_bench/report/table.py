"""A result for the terminal: aligned, within its width, coloured where colour is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from resilience_bench._model import Measurement, Result
from resilience_bench.report import caveats, side_by_side, terminal
from resilience_bench.report.blocks import Block, BlockRow, Tone, explain_columns, find_best
from resilience_bench.report.page import make_sections
from resilience_bench.report.text import clean_text
from resilience_bench.report.verdicts import shorten_names
from resilience_bench.stats.drift import estimate_drifts

FEW_REASONS: Final = 3
"""Show at most this many reasons why cases are not available; more would bury the rest."""
TONE_STYLES: Final[Mapping[Tone, str]] = {"bad": "bold red", "doubt": "yellow"}


def render(
    result: Result, measurements: Sequence[Measurement], sort: str, console: Console
) -> None:
    """Print a result: a block a scenario, then doubts, then what was not measured."""
    for line in caveats.describe_run(result):
        terminal.print_prose(line, console, "dim")
    drifts = estimate_drifts(result)
    for blocks in make_sections(result, measurements, drifts, sort).values():
        print_blocks(blocks, console)
    if not measurements:
        console.print()
    notes = [
        note
        for note in caveats.collect_notes(result, measurements, drifts)
        if note.kind != "defect"
    ]
    unavailable = [note for note in notes if note.subject == "not available"]
    is_long = len(unavailable) > FEW_REASONS
    for note in notes:
        if not (is_long and note in unavailable):
            _print_note(note, console)
    if is_long:
        count = sum(len(note.names) for note in unavailable)
        text = f"{count} cases are not available; 'resilience-bench list' says why"
        terminal.print_prose(text, console, "dim")
    for line in caveats.list_unavailable_signals(result):
        terminal.print_line(line, console, "yellow")


def render_side_by_side(
    results: Sequence[Result], console: Console, files: Sequence[Path] = ()
) -> None:
    """Print several results of one plan, a column each; see `side_by_side.make_side_blocks`.

    Give their files, if they come from files: columns may look alike otherwise.
    """
    names = side_by_side.name_interpreters(results)
    places = [clean_text(str(path)) for path in files] or [""] * len(results)
    for result, name, place in zip(results, names, places, strict=True):
        for line in (
            f"{name}: {place}".rstrip(),
            *(f"  {line}" for line in caveats.describe_run(result)),
        ):
            terminal.print_line(line, console, "dim")
    blocks = side_by_side.make_side_blocks(results)
    print_blocks(blocks, console)
    if blocks:
        terminal.print_prose(side_by_side.explain_columns(results), console, "dim")
    for result, name in zip(results, names, strict=True):
        for note in caveats.collect_notes(result, ()):
            if note.kind == "not measured" and note.subject != "not available":
                _print_note(note, console, f"{name}: ")
        for line in caveats.list_unavailable_signals(result):
            terminal.print_line(f"{name}: {line}", console, "yellow")


def print_blocks(blocks: Sequence[Block], console: Console) -> None:
    """Print blocks, those of a kind with columns of the same widths, and explain the columns."""
    widths = {}
    for kind in {block.kind for block in blocks}:
        alike = [block for block in blocks if block.kind == kind]
        tables = [
            ({terminal.LABEL: "", **block.headers}, list(map(_list_cells, block.rows)))
            for block in alike
        ]
        widths[kind] = terminal.choose_widths(tables, console.width, optional=alike[0].optional)
    for block in blocks:
        console.print()
        _print_block(block, widths[block.kind], console)
    if text := explain_columns(blocks):
        console.print()
        terminal.print_prose(text, console, "dim")


def _list_cells(row: BlockRow) -> dict[str, str]:
    return {terminal.LABEL: row.label, **row.cells}


def _print_block(block: Block, widths: Mapping[str, int], console: Console) -> None:
    one_line = f"{block.title}  {block.description}".rstrip()
    fits = cell_len(one_line) <= console.width
    more = one_line.removeprefix(block.title) if fits else ""
    terminal.print_line(Text.assemble((block.title, "bold"), (more, "dim")), console)
    if not fits:
        terminal.print_prose(block.description, console, "dim", indent=2)
    columns = terminal.Columns({terminal.LABEL: "", **block.headers}, widths, words=["verdict"])
    columns.print_header(console)
    best = find_best(block)
    for row in block.rows:
        plain = "bold" if row.is_control else "green" if row is best else ""
        style = TONE_STYLES.get(row.tone, plain)
        columns.print_row(_list_cells(row), console, style)
        for mark in row.marks:
            terminal.print_prose(f"! {mark}", console, "yellow", indent=2)


def _print_note(note: caveats.Note, console: Console, prefix: str = "") -> None:
    styles = {"doubt": "yellow", "broken": "red", "failed": "red", "hung": "red"}
    style = styles.get(note.subject or note.kind, "dim")
    mark = "! " if note.is_doubt else ""
    first, *others = (*note.lines[:-1], f"{note.lines[-1]} ({len(note.names)})")
    terminal.print_prose(f"{prefix}{mark}{first}", console, style)
    for line in others:
        terminal.print_prose(line, console, style, indent=2)
    for name in shorten_names(note.names):
        terminal.print_line(f"    {name}", console, "dim")
