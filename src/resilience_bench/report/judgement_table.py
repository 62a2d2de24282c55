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
from resilience_bench.gate.verdicts import compute_exit_code
from resilience_bench.report.text import clean_text
from resilience_bench.report.verdicts import (
    CHANCE_NOTE,
    CHANGE_SIGNALS,
    OUTCOME_WORDS,
    VerdictRow,
    collect_not_measured,
    find_largest_changes,
    group_by_case,
    group_by_outcome,
    make_verdict_row,
    shorten_names,
    summarise_judgement,
)

HEADERS: Final = ("", "change", "seen", "expected", "acceptable")
STYLES: Final[Mapping[Outcome, str]] = {
    "regressed": "red",
    "improved": "green",
    "inconclusive": "yellow",
    "not measured": "yellow",
}
SHOWN_OUTCOMES: Final[tuple[Outcome, ...]] = ("regressed", "improved", "inconclusive")
INDENT: Final = 2
GAP: Final = 2


def render(judgement: Judgement, console: Console) -> None:
    """Print a judgement: failures, improvements, doubts, what was held against what, a sum."""
    found = group_by_outcome(judgement)
    shown = [verdict for outcome in SHOWN_OUTCOMES for verdict in found[outcome]]
    widths = _choose_widths(map(make_verdict_row, shown), console.width)
    for outcome in SHOWN_OUTCOMES:
        _print_section(outcome, found[outcome], widths, console)
    _print_not_measured(judgement, console)
    for note in judgement.notes:
        _print(f"note: {clean_text(note)}", console, style="yellow")
    chances = [CHANCE_NOTE] if any(each.p_value is not None for each in shown) else []
    for line in (judgement.title, *judgement.headline, *chances):
        if line:
            _print(clean_text(line), console, style="dim")
    colour = "red" if compute_exit_code(judgement, strict=False) else "green"
    _print(summarise_judgement(judgement), console, style=f"bold {colour}")


def render_changes(judgement: Judgement, console: Console) -> None:
    """Print what changed most among what lies within its range, a line a case."""
    changes = find_largest_changes(judgement)
    if not changes:
        return
    signals = [each for each in CHANGE_SIGNALS if any(each in texts for texts in changes.values())]
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
        said = make_verdict_row(verdict)
        style = f"bold {STYLES.get(verdict.outcome, 'green')}"
        title = Text(_format_outcome(verdict.outcome), style=style)
        title.append(f"  {said.case}  {said.signal}", style="not bold default")
        _print(title, console)
        for number, step in enumerate(verdict.steps, start=1):
            _print(f"{number:>2}. {clean_text(step)}", console, indent=INDENT)
        if said.reason:
            _print(said.reason, console, indent=INDENT, style="dim")
        console.print()
    return len(explained)


def _format_outcome(outcome: Outcome) -> str:
    return OUTCOME_WORDS.get(outcome, outcome)


def _print_section(
    outcome: Outcome, verdicts: Sequence[Verdict], widths: Sequence[int], console: Console
) -> None:
    if not verdicts:
        return
    _print_cells([Text(name, style="dim") for name in HEADERS], widths, console)
    for members in group_by_case(verdicts).values():
        title = Text(_format_outcome(outcome), style=f"bold {STYLES[outcome]}")
        title.append(f"  {make_verdict_row(members[0]).case}", style="bold default")
        _print(title, console)
        for verdict in members:
            _print_verdict(make_verdict_row(verdict), widths, STYLES[outcome], console)
    console.print()


def _print_verdict(said: VerdictRow, widths: Sequence[int], style: str, console: Console) -> None:
    signal, change, *others = _list_cells(said)
    cells = [Text(signal), Text(change, style=f"bold {style}"), *map(Text, others)]
    _print_cells(cells, widths, console)
    below = INDENT + widths[0] + GAP
    if said.chance != "-":
        _print(f"by chance: {said.chance}", console, indent=below)
    if said.reason:
        _print(said.reason, console, indent=below, style="dim")


def _list_cells(said: VerdictRow) -> tuple[str, ...]:
    return (said.signal, said.change, said.seen, said.expected, said.range)


def _choose_widths(rows: Iterable[VerdictRow], available: int) -> list[int]:
    """The widths of the columns; where they do not fit, signals wrap first, then the widest."""
    columns = list(zip(HEADERS, *map(_list_cells, rows), strict=True))
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
    groups = collect_not_measured(judgement)
    for reason, names in groups.items():
        heading = Text("not measured", style=f"bold {STYLES['not measured']}")
        heading.append(f" ({len(names):,}): {reason}", style="not bold default")
        _print(heading, console)
        for name in shorten_names(names):
            _print(name, console, indent=INDENT, style="dim")
    if groups:
        console.print()


def _print(text: str | Text, console: Console, *, indent: int = 0, style: str = "") -> None:
    # Text, not str: a name in brackets is no markup.
    content = Text(text, style=style) if isinstance(text, str) else text
    content.overflow = "fold"
    indent = min(indent, console.width // 2)
    console.print(Padding(content, (0, 0, 0, indent), expand=False) if indent else content)
