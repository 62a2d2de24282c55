"""A judgement for the terminal: what got worse first, what is fine only counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from resilience_bench._model import Judgement, Outcome, Verdict
from resilience_bench.gate.verdicts import compute_exit_code, group_by_case
from resilience_bench.report.blocks import NO_VALUE
from resilience_bench.report.terminal import (
    LABEL,
    Columns,
    choose_widths,
    print_line,
    print_prose,
)
from resilience_bench.report.text import clean_text
from resilience_bench.report.verdicts import (
    CHANCE_NOTE,
    CHANGE_SIGNALS,
    VerdictRow,
    collect_not_measured,
    find_largest_changes,
    format_outcome,
    group_by_outcome,
    make_verdict_row,
    shorten_names,
    summarise_judgement,
)

HEADERS: Final[Mapping[str, str]] = {
    LABEL: "",
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
SHOWN_OUTCOMES: Final[tuple[Outcome, ...]] = ("regressed", "improved", "inconclusive")
GAP: Final = 2
INDENT: Final = 2


def render(judgement: Judgement, console: Console) -> None:
    """Print a judgement: failures, improvements, doubts, what was held against what, a sum."""
    found = group_by_outcome(judgement)
    shown = [verdict for outcome in SHOWN_OUTCOMES for verdict in found[outcome]]
    rows = [_list_cells(make_verdict_row(verdict)) for verdict in shown]
    widths = choose_widths([(HEADERS, rows)], console.width, gap=GAP)
    for outcome in SHOWN_OUTCOMES:
        _print_section(outcome, found[outcome], widths, console)
    _print_not_measured(judgement, console)
    for note in judgement.notes:
        print_prose(f"note: {clean_text(note)}", console, "yellow")
    chances = [CHANCE_NOTE] if any(verdict.p_value is not None for verdict in shown) else []
    for line in filter(None, (judgement.title, *judgement.headline, *chances)):
        print_prose(clean_text(line), console, "dim")
    colour = "red" if compute_exit_code(judgement, strict=False) else "green"
    print_prose(summarise_judgement(judgement), console, f"bold {colour}")


def render_changes(judgement: Judgement, console: Console) -> None:
    """Print what changed most among what lies within its range, a line a case."""
    changes = find_largest_changes(judgement)
    if not changes:
        return
    signals = [
        signal for signal in CHANGE_SIGNALS if any(signal in texts for texts in changes.values())
    ]
    headers = {LABEL: "within, changed most", **dict(zip(signals, signals, strict=True))}
    rows = [{LABEL: name, **texts} for name, texts in changes.items()]
    widths = choose_widths([(headers, rows)], console.width, gap=GAP)
    console.print()
    columns = Columns(headers, widths, GAP, signals)
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
        row = make_verdict_row(verdict)
        _print_title(verdict.outcome, f"  {row.case}  {row.signal}", console, "not bold default")
        for number, step in enumerate(verdict.steps, start=1):
            print_prose(f"{number:>2}. {clean_text(step)}", console, indent=INDENT)
        if row.reason:
            print_prose(row.reason, console, "dim", indent=INDENT)
        console.print()
    return len(explained)


def _print_title(outcome: Outcome, text: str, console: Console, style: str) -> None:
    title = Text(format_outcome(outcome), style=f"bold {STYLES.get(outcome, 'green')}")
    print_line(title.append(text, style=style), console)


def _print_section(
    outcome: Outcome, verdicts: Sequence[Verdict], widths: Mapping[str, int], console: Console
) -> None:
    if not verdicts:
        return
    styles = {"change": f"bold {STYLES[outcome]}"}
    columns = Columns(HEADERS, widths, GAP, WORDS, styles)
    columns.print_header(console)
    for members in group_by_case(verdicts).values():
        rows = list(map(make_verdict_row, members))
        _print_title(outcome, f"  {rows[0].case}", console, "bold default")
        for row in rows:
            columns.print_row(_list_cells(row), console)
            below = widths[LABEL] + GAP
            if row.chance != NO_VALUE:
                print_prose(f"by chance: {row.chance}", console, indent=below)
            if row.reason:
                print_prose(row.reason, console, "dim", indent=below)
    console.print()


def _list_cells(row: VerdictRow) -> dict[str, str]:
    return {
        LABEL: f"{' ' * INDENT}{row.signal}",
        "change": row.change,
        "seen": row.seen,
        "expected": row.expected,
        "acceptable": row.range,
    }


def _print_not_measured(judgement: Judgement, console: Console) -> None:
    groups = collect_not_measured(judgement)
    for reason, names in groups.items():
        _print_title("not measured", f" ({len(names):,}): {reason}", console, "not bold default")
        for name in shorten_names(names):
            print_line(f"{' ' * INDENT}{name}", console, "dim")
    if groups:
        console.print()
