"""A release history for the terminal: the releases, then what each of them changed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from resilience_bench.errors import format_amount
from resilience_bench.quantities import JUDGED
from resilience_bench.releases import page
from resilience_bench.releases.history_file import Decision, History
from resilience_bench.report.blocks import NO_VALUE
from resilience_bench.report.text import clean_text

STYLES: Final[Mapping[str, str]] = {"regressed": "red", "improved": "green"}
WORDS: Final[Mapping[str, str]] = {"regressed": "slower", "improved": "faster"}
LEGEND: Final = (
    "×: the release divided by the one before; ±: half of the 95 % interval.",
    (
        "by chance: how often chance alone shows as much or more when nothing changed. Counts "
        "(instr, B) have no such chance: all processes agree, with other hash seeds and memory "
        "layouts."
    ),
)
MAX_UNDECIDED: Final = 8
UNBOUNDED: Final = 10_000
"""A width at which nothing is wrapped, in characters."""


def render(history: History, console: Console) -> None:
    """Print a history."""
    counts = (
        f"{len(history.measured)} of {format_amount(len(history.releases), 'release')} measured"
    )
    _print(
        f"{history.package}: {counts}, {format_amount(len(history.cases), 'case')}",
        console,
        style="bold",
    )
    where = page.describe_environment(history)
    _print(f"{where}, measured {history.started[:10]}", console, style="dim")
    dates = {release.version: release.date[:10] or page.NO_DATE for release in history.releases}
    console.print(_make_release_table(history))
    for release, members in itertools.groupby(history.steps, key=lambda step: step.release):
        steps = list(members)
        heading = f"\n{release} ({dates[release]}) against {steps[0].before}"
        console.print(Text(heading, style="bold"))
        console.print(_make_step_table(steps, console))
    console.print()
    if history.undecided:
        _print(f"not decided ({len(history.undecided)}):", console, style="yellow")
    for step in history.undecided[:MAX_UNDECIDED]:
        seen = f", seen {step.change.value:,.3f} ×" if step.change else ""
        line = f"{step.release} {step.case} {step.signal}{seen}: {step.reason}"
        _print(line, console, style="dim")
    if len(history.undecided) > MAX_UNDECIDED:
        _print(f"and {len(history.undecided) - MAX_UNDECIDED} more", console, style="dim")
    missing = (f"{signal}: {reason}" for signal, reason in history.not_available.items())
    for note in (*history.notes, *missing):
        _print(f"note: {note}", console, style="yellow")
    legend = LEGEND if history.steps else ()
    for line in filter(None, (*legend, describe_threshold(history), *history.headline)):
        _print(line, console, style="dim")
    _print(summarise(history), console, style="bold")


def describe_threshold(history: History) -> str:
    """Describe in a line what counts as a step."""
    names = {"ratio": "latency", "instructions": "instructions"}
    limits = [
        f"{100 * share:g} % of {names[quantity]}"
        for quantity, share in history.tolerances.items()
        if names.get(quantity) in history.signals
    ]
    return f"a step is surely more than {' or '.join(limits)}" if limits else ""


def summarise(history: History) -> str:
    """Summarise a history in a line."""
    changing = len({step.release for step in history.steps})
    compared = max(len(history.measured) - 1, 0)
    summary = f"{changing} of {format_amount(compared, 'release')} changed something"
    undecided = len(history.undecided)
    stay = "stays" if undecided == 1 else "stay"
    return (
        f"{summary}; {format_amount(undecided, 'decision')} {stay} open" if undecided else summary
    )


def _make_release_table(history: History) -> Table:
    table = _make_table()
    table.add_column("release", no_wrap=True)
    table.add_column("date", no_wrap=True)
    table.add_column("cases", justify="right", no_wrap=True)
    table.add_column("changed")
    for release in history.releases:
        row = page.make_release_row(release, history.steps)
        changed = [outcome for outcome in WORDS if outcome in row.changed]
        text = ", ".join(f"{row.changed[outcome]} {WORDS[outcome]}" for outcome in changed)
        shown = Text(text or NO_VALUE, style=STYLES[changed[0]] if changed else "")
        cases = str(row.cases)
        if not row.is_measured:
            cases, shown = NO_VALUE, Text(row.status, style="yellow")
        table.add_row(row.version, row.date, cases, shown)
    return table


def _make_step_table(steps: Sequence[Decision], console: Console) -> Table:
    """Make a row for each case; a name that is too long for its line continues at its library."""
    unbounded = console.options.update_width(UNBOUNDED)
    quantities = {step.quantity for step in steps}
    headings = {name: one.heading for name, one in JUDGED.items() if name in quantities}
    for line_break in ("", "\n  "):
        table = _make_table()
        table.add_column("", overflow="fold")
        for heading in headings.values():
            table.add_column(f"{heading} ×", justify="right", no_wrap=True)
        table.add_column("by chance", justify="right", no_wrap=True)
        for case, members in itertools.groupby(steps, key=lambda step: step.case):
            found = {step.quantity: step for step in members}
            name = clean_text(case).replace("[", f"{line_break}[", 1)
            chances = [step.p_value for step in found.values() if step.p_value is not None]
            table.add_row(
                Text(name),
                *(_format_change(found.get(quantity)) for quantity in headings),
                Text(page.format_chance(max(chances, default=None))),
            )
        if console.measure(table, options=unbounded).maximum <= console.width:
            break
    return table


def _format_change(step: Decision | None) -> Text:
    if step is None:
        return Text(NO_VALUE)
    change = step.change
    if change is None:
        return Text("from 0", style=STYLES[step.outcome])
    half_width = f" ±{(change.high - change.low) / 2:.3f}" if step.p_value is not None else ""
    return Text(f"{change.value:,.3f}{half_width}", style=STYLES[step.outcome])


def _make_table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")


def _print(text: str, console: Console, *, style: str = "") -> None:
    console.print(Text(clean_text(text), style=style))
