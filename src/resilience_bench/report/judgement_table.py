"""A judgement for the terminal: what got worse first, what is fine only counted."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from resilience_bench._verdicts import Judgement, Outcome
from resilience_bench.errors import format_amount
from resilience_bench.report import terminal, verdicts
from resilience_bench.report.blocks import NO_VALUE
from resilience_bench.report.text import clean_text

HEADERS: Final[Mapping[str, str]] = {
    terminal.LABEL: "",
    "change": "change",
    "seen": "seen",
    "expected": "expected",
    "acceptable": "acceptable",
}
WORDS: Final = frozenset({"seen", "acceptable"})
STYLES: Final[Mapping[Outcome, str]] = {
    "regressed": "red",
    "improved": "green",
    "inconclusive": "yellow",
    "not measured": "yellow",
}
GAP: Final = 2
INDENT: Final = 2


def render(judgement: Judgement, console: Console) -> None:
    """Print a judgement: failures, improvements, doubts, what was held against what, a sum."""
    view = verdicts.make_judgement_view(judgement)
    cells = [_list_cells(row) for rows in view.sections.values() for row in rows]
    widths = terminal.choose_widths([(HEADERS, cells)], console.width, gap=GAP)
    for outcome, rows in view.sections.items():
        _print_section(outcome, rows, widths, console)
    for reason, names in view.not_measured.items():
        count = format_amount(len(names), "case")
        _print_title("not measured", f" ({count}): {reason}", console, "not bold default")
        for name in verdicts.shorten_names(names):
            terminal.print_line(f"{' ' * INDENT}{name}", console, "dim")
    if view.not_measured:
        console.print()
    for note in view.notes:
        terminal.print_prose(f"note: {note}", console, "yellow")
    for line in filter(None, (*view.headline, view.chance_note)):
        terminal.print_prose(line, console, "dim")
    terminal.print_prose(view.summary, console, f"bold {'red' if view.exit_code else 'green'}")


def render_changes(judgement: Judgement, console: Console) -> None:
    """Print what changed most among what lies within its range, a line a case."""
    changes = verdicts.find_largest_changes(judgement)
    if not changes:
        return
    signals = [
        signal
        for signal in verdicts.CHANGE_SIGNALS
        if any(signal in texts for texts in changes.values())
    ]
    headers = {terminal.LABEL: "within, changed most", **dict(zip(signals, signals, strict=True))}
    rows = [{terminal.LABEL: name, **texts} for name, texts in changes.items()]
    widths = terminal.choose_widths([(headers, rows)], console.width, gap=GAP)
    console.print()
    columns = terminal.Columns(headers, widths, GAP, signals)
    columns.print_header(console)
    for row in rows:
        columns.print_row(row, console)


def render_explanation(
    judgement: Judgement, wanted: Callable[[str], bool], console: Console
) -> int:
    """Print how each decision on the wanted cases came about, a numbered step a line.

    Returns:
        How many decisions were explained.
    """
    explained = [verdict for verdict in judgement.verdicts if wanted(verdict.case)]
    for verdict in explained:
        row = verdicts.make_verdict_row(verdict)
        _print_title(verdict.outcome, f"  {row.case}  {row.signal}", console, "not bold default")
        for number, step in enumerate(verdict.steps, start=1):
            terminal.print_prose(f"{number:>2}. {clean_text(step)}", console, indent=INDENT)
        if row.reason:
            terminal.print_prose(row.reason, console, "dim", indent=INDENT)
        console.print()
    return len(explained)


def _print_title(outcome: Outcome, text: str, console: Console, style: str) -> None:
    title = Text(verdicts.format_outcome(outcome), style=f"bold {STYLES.get(outcome, 'green')}")
    terminal.print_line(title.append(text, style=style), console)


def _print_section(
    outcome: Outcome,
    rows: Sequence[verdicts.VerdictRow],
    widths: Mapping[str, int],
    console: Console,
) -> None:
    styles = {"change": f"bold {STYLES[outcome]}"}
    columns = terminal.Columns(HEADERS, widths, GAP, WORDS, styles)
    columns.print_header(console)
    for case, members in itertools.groupby(rows, key=lambda row: row.case):
        _print_title(outcome, f"  {case}", console, "bold default")
        for row in members:
            columns.print_row(_list_cells(row), console)
            if row.chance != NO_VALUE:
                terminal.print_prose(
                    f"by chance: {row.chance}", console, indent=widths[terminal.LABEL] + GAP
                )
            if row.reason:
                terminal.print_prose(
                    row.reason, console, "dim", indent=widths[terminal.LABEL] + GAP
                )
    console.print()


def _list_cells(row: verdicts.VerdictRow) -> dict[str, str]:
    return {
        terminal.LABEL: f"{' ' * INDENT}{row.signal}",
        "change": row.change,
        "seen": row.seen,
        "expected": row.expected,
        "acceptable": row.range,
    }
