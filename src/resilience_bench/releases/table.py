"""A release history for the terminal: which releases there are, then what each of them moved."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from resilience_bench.releases.history_file import Decision, History, Release
from resilience_bench.report.blocks import NO_VALUE
from resilience_bench.report.text import clean_text

WORDS: Final[Mapping[str, str]] = {"regressed": "dearer", "improved": "cheaper"}
STYLES: Final[Mapping[str, str]] = {"regressed": "red", "improved": "green"}
QUANTITIES: Final[Mapping[str, str]] = {
    "ratio": "latency",
    "instructions": "instr",
    "allocated_bytes": "alloc. B",
    "object_bytes": "object B",
    "scaling": "scaling",
}
"""What is judged, and the heading of its column."""
FACTORS: Final = "×: the release divided by the one before; ±: half of the 95 % interval."
CHANCES: Final = (
    "by chance: how often chance alone shows as much or more when nothing moved. What is counted "
    "(instr, B) has no such chance: all processes agree, with other hash seeds and other memory "
    "layouts."
)
MAX_UNDECIDED: Final = 8
MIN_P_VALUE: Final = 1e-9
NO_DATE: Final = "not known"
UNBOUNDED: Final = 10_000
"""Characters: a line that nothing is cut off of."""


def render(history: History, console: Console) -> None:
    """Print a history."""
    _print(f"{history.package}: {_describe_counts(history)}", console, style="bold")
    here = history.environment
    where = f"{here.python}, {here.cpu_count} x {here.cpu_model}"
    _print(f"{where}, measured {history.started[:10]}", console, style="dim")
    console.print(_make_release_table(history))
    for release, members in itertools.groupby(history.steps, key=lambda each: each.release):
        steps = list(members)
        date = _format_date(next(each for each in history.releases if each.version == release))
        console.print()
        _print(f"{release} ({date}) against {steps[0].before}", console, style="bold")
        console.print(_make_fitting_table(steps, console))
    console.print()
    _print_undecided(history.undecided, console)
    for note in (*history.notes, *(f"{k}: {v}" for k, v in history.not_available.items())):
        _print(f"note: {note}", console, style="yellow")
    for line in (
        *((FACTORS, CHANCES) if history.steps else ()),
        describe_threshold(history),
        *history.headline,
    ):
        if line:
            _print(line, console, style="dim")
    _print(summarise(history), console, style="bold")


def describe_threshold(history: History) -> str:
    """What counts as a step, in a line."""
    names = {"ratio": "latency", "instructions": "instructions"}
    told = [
        f"{100 * share:g} % of {names[key]}"
        for key, share in history.tolerances.items()
        if key in names and names[key] in history.signals
    ]
    return f"a step is surely more than {' or '.join(told)}" if told else ""


def summarise(history: History) -> str:
    """What was found, in a line."""
    moving = dict.fromkeys(each.release for each in history.steps)
    compared = max(len(history.measured) - 1, 0)
    said = f"{len(moving)} of {compared} releases moved something"
    undecided = len(history.undecided)
    return f"{said}; {undecided} decisions stay open" if undecided else said


def count_moved_cases(history: History) -> dict[str, Counter[str]]:
    """How many cases each release made dearer or cheaper; a case counts once, as dearer first."""
    found: dict[str, dict[str, str]] = {}
    for step in history.steps:
        cases = found.setdefault(step.release, {})
        if cases.get(step.case) != "regressed":
            cases[step.case] = step.outcome
    return {release: Counter(cases.values()) for release, cases in found.items()}


def format_chance(steps: Iterable[Decision]) -> str:
    """How often chance alone shows what was seen of a case, at the most; nothing for counts."""
    chances = [each.p_value for each in steps if each.p_value is not None]
    if not chances:
        return NO_VALUE
    largest = max(chances)
    return f"{largest:.1g}" if largest >= MIN_P_VALUE else f"<{MIN_P_VALUE:g}"


def _describe_counts(history: History) -> str:
    measured = len(history.measured)
    return f"{measured} of {len(history.releases)} releases measured, {len(history.cases)} cases"


def _make_release_table(history: History) -> Table:
    table = _make_table()
    for name, justify in (("release", "left"), ("date", "left"), ("cases", "right")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("moved")
    counts = count_moved_cases(history)
    for release in history.releases:
        if release.status != "measured":
            text = Text(f"{release.status}: {clean_text(release.reason)}", style="yellow")
            cells: list[str | Text] = [NO_VALUE, text]
        else:
            count = counts.get(release.version, Counter())
            parts = [f"{count[key]} {word}" for key, word in WORDS.items() if count[key]]
            style = STYLES["regressed" if count["regressed"] else "improved"] if parts else ""
            cells = [
                str(_count_working_cases(release)),
                Text(", ".join(parts) or NO_VALUE, style=style),
            ]
        yanked = " (withdrawn)" if release.is_yanked else ""
        table.add_row(clean_text(release.version) + yanked, _format_date(release), *cells)
    return table


def _count_working_cases(release: Release) -> int:
    return sum(bool(value.quantities) for value in release.values.values())


def _format_date(release: Release) -> str:
    return release.date[:10] or NO_DATE


def _make_fitting_table(steps: Sequence[Decision], console: Console) -> Table:
    """The steps, with the names of the cases in two lines each where they are too long for one."""
    table = _make_step_table(steps, clean_text)
    return table if _fits(table, console) else _make_step_table(steps, _break_in_two_lines)


def _fits(table: Table, console: Console) -> bool:
    unbounded = console.options.update_width(UNBOUNDED)
    return console.measure(table, options=unbounded).maximum <= console.width


def _break_in_two_lines(case: str) -> str:
    scenario, bracket, rest = clean_text(case).partition("[")
    return f"{scenario}\n  {bracket}{rest}"


def _make_step_table(steps: Sequence[Decision], named: Callable[[str], str]) -> Table:
    table = _make_table()
    having = [each for each in QUANTITIES if any(step.quantity == each for step in steps)]
    table.add_column("", overflow="fold")
    for quantity in having:
        table.add_column(f"{QUANTITIES[quantity]} ×", justify="right", no_wrap=True)
    table.add_column("by chance", justify="right", no_wrap=True)
    for case, members in itertools.groupby(steps, key=lambda each: each.case):
        found = {each.quantity: each for each in members}
        cells = [
            _format_change(found[each]) if each in found else Text(NO_VALUE) for each in having
        ]
        table.add_row(Text(named(case)), *cells, Text(format_chance(found.values())))
    return table


def _format_change(step: Decision) -> Text:
    change = step.change
    if change is None:
        return Text("from 0", style=STYLES[step.outcome])
    text = f"{change.value:,.3f}"
    if step.p_value is not None:
        text += f" ±{(change.high - change.low) / 2:.3f}"
    return Text(text, style=STYLES[step.outcome])


def _print_undecided(undecided: Sequence[Decision], console: Console) -> None:
    if not undecided:
        return
    _print(f"not decided ({len(undecided)}):", console, style="yellow")
    for each in undecided[:MAX_UNDECIDED]:
        seen = f", seen {each.change.value:,.3f} ×" if each.change else ""
        said = f"  {each.release} {each.case} {each.signal}{seen}: {each.reason}"
        _print(said, console, style="dim")
    if len(undecided) > MAX_UNDECIDED:
        _print(f"  and {len(undecided) - MAX_UNDECIDED} more", console, style="dim")


def _make_table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")


def _print(text: str, console: Console, *, style: str = "") -> None:
    console.print(Text(clean_text(text), style=style))
