"""A judgement for the terminal: what got worse first, what is fine only counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from resilience_bench._model import Judgement, Outcome, Verdict
from resilience_bench.gate.verdicts import exit_code
from resilience_bench.report.blocks import plain
from resilience_bench.report.verdicts import (
    CHANCE,
    CHANGING,
    MARKS,
    Row,
    by_case,
    few,
    largest_changes,
    not_measured,
    row,
    sections,
    summary,
)

HEADERS: Final = ("", "change", "seen", "expected", "acceptable")
STYLES: Final[Mapping[Outcome, str]] = {
    "regressed": "red",
    "improved": "green",
    "inconclusive": "yellow",
    "not measured": "yellow",
}
IN_FULL: Final[tuple[Outcome, ...]] = ("regressed", "improved", "inconclusive")
INDENT: Final = 2
GAP: Final = 2


def render(judgement: Judgement, console: Console) -> None:
    """Print a judgement: failures, improvements, doubts, what was held against what, a sum."""
    found = sections(judgement)
    shown = [verdict for outcome in IN_FULL for verdict in found[outcome]]
    widths = _widths(map(row, shown), console.width)
    for outcome in IN_FULL:
        _print_section(outcome, found[outcome], widths, console)
    _print_not_measured(judgement, console)
    for note in judgement.notes:
        _print(f"note: {plain(note)}", console, style="yellow")
    chances = [CHANCE] if any(each.p_value is not None for each in shown) else []
    for line in (judgement.title, *judgement.headline, *chances):
        if line:
            _print(plain(line), console, style="dim")
    colour = "red" if exit_code(judgement, strict=False) else "green"
    _print(summary(judgement), console, style=f"bold {colour}")


def render_changes(judgement: Judgement, console: Console) -> None:
    """Print what changed most among what lies within its range, a line a case."""
    changes = largest_changes(judgement)
    if not changes:
        return
    signals = [each for each in CHANGING if any(each in texts for texts in changes.values())]
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("within, changed most", *signals):
        table.add_column(name, overflow="fold")
    for name, texts in changes.items():
        table.add_row(*map(Text, (name, *(texts.get(signal, "-") for signal in signals))))
    console.print()
    console.print(table)


def render_explanation(
    judgement: Judgement, wanted: Callable[[str], bool], console: Console
) -> int:
    """Print how each decision on the wanted cases came about, a numbered step a line.

    Args:
        judgement: What was decided.
        wanted: Whether the case of this name is to be explained.
        console: Where to print.

    Returns:
        How many decisions were explained.
    """
    explained = [verdict for verdict in judgement.verdicts if wanted(verdict.case)]
    for verdict in explained:
        said = row(verdict)
        style = f"bold {STYLES.get(verdict.outcome, 'green')}"
        title = Text(_mark(verdict.outcome), style=style)
        title.append(f"  {said.case}  {said.signal}", style="not bold default")
        _print(title, console)
        for number, step in enumerate(verdict.steps, start=1):
            _print(f"{number:>2}. {plain(step)}", console, indent=INDENT)
        if said.reason:
            _print(said.reason, console, indent=INDENT, style="dim")
        console.print()
    return len(explained)


def _mark(outcome: Outcome) -> str:
    return MARKS.get(outcome, outcome)


def _print_section(
    outcome: Outcome, verdicts: Sequence[Verdict], widths: Sequence[int], console: Console
) -> None:
    if not verdicts:
        return
    _print_cells([Text(name, style="dim") for name in HEADERS], widths, console)
    for members in by_case(verdicts).values():
        title = Text(_mark(outcome), style=f"bold {STYLES[outcome]}")
        title.append(f"  {row(members[0]).case}", style="bold default")
        _print(title, console)
        for verdict in members:
            _print_verdict(row(verdict), widths, STYLES[outcome], console)
    console.print()


def _print_verdict(said: Row, widths: Sequence[int], style: str, console: Console) -> None:
    signal, change, *others = _cells(said)
    cells = [Text(signal), Text(change, style=f"bold {style}"), *map(Text, others)]
    _print_cells(cells, widths, console)
    below = INDENT + widths[0] + GAP
    if said.chance != "-":
        _print(f"by chance: {said.chance}", console, indent=below)
    if said.reason:
        _print(said.reason, console, indent=below, style="dim")


def _cells(said: Row) -> tuple[str, ...]:
    return (said.signal, said.change, said.seen, said.expected, said.range)


def _widths(rows: Iterable[Row], available: int) -> list[int]:
    """The widths of the columns; where they do not fit, signals wrap first, then the widest."""
    columns = list(zip(HEADERS, *map(_cells, rows), strict=True))
    widths = [max(map(cell_len, column)) for column in columns]
    over = INDENT + sum(widths) + GAP * (len(widths) - 1) - available
    longest_word = max((cell_len(part) for text in columns[0] for part in text.split()), default=0)
    for _ in range(over):
        wraps = 0 if widths[0] > longest_word else widths.index(max(widths))
        widths[wraps] = max(widths[wraps] - 1, 1)
    return widths


def _print_cells(cells: Sequence[Text], widths: Sequence[int], console: Console) -> None:
    grid = Table.grid(padding=(0, GAP, 0, 0))
    for name, width in zip(HEADERS, widths, strict=True):
        is_number = name in {"change", "expected"}
        grid.add_column(width=width, overflow="fold", justify="right" if is_number else "left")
    grid.add_row(*cells)
    console.print(Padding(grid, (0, 0, 0, INDENT), expand=False))


def _print_not_measured(judgement: Judgement, console: Console) -> None:
    groups = not_measured(judgement)
    for reason, names in groups.items():
        heading = Text("not measured", style=f"bold {STYLES['not measured']}")
        heading.append(f" ({len(names):,}): {reason}", style="not bold default")
        _print(heading, console)
        for name in few(names):
            _print(name, console, indent=INDENT, style="dim")
    if groups:
        console.print()


def _print(text: str | Text, console: Console, *, indent: int = 0, style: str = "") -> None:
    # Text, not str: a name in brackets is no markup.
    content = Text(text, style=style) if isinstance(text, str) else text
    content.overflow = "fold"
    indent = min(indent, console.width // 2)
    console.print(Padding(content, (0, 0, 0, indent), expand=False) if indent else content)
