"""A table of releases and interpreters for the terminal, and who is to blame for what."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from resilience_bench.quantities import JUDGED
from resilience_bench.releases import blame
from resilience_bench.releases.blame import Histories, InterpreterStep, LibraryStep
from resilience_bench.releases.history_file import Release
from resilience_bench.report.blocks import NO_VALUE
from resilience_bench.report.terminal import print_prose
from resilience_bench.report.text import clean_text

STYLES: Final = {"slower": "red", "faster": "green"}
LEGEND: Final = (
    "A release's row: its cases that cost more or less than in the release before. The last rows: "
    "cases that cost more or less under that interpreter in every release. Interpreters do not "
    "take turns: they are compared by instructions, or else by the ratio to plain Python code."
)
SHOWN: Final = 12
"""So many steps of a kind are listed; the files have all."""


def render(histories: Histories, console: Console) -> None:
    """Print the table, then each step with its factors and its culprit."""
    library = blame.find_library_steps(histories)
    interpreters = blame.find_interpreter_steps(histories)
    package = next(iter(histories.values())).package
    console.print(Text(f"{package} under {len(histories)} interpreters", style="bold"))
    console.print(_make_table(histories, library, interpreters))
    for one in library[:SHOWN]:
        factors = ", ".join(
            f"{name} {f'{factor:,.3f}' if factor is not None else 'no step'}"
            for name, factor in one.factors.items()
        )
        text = f"{one.release} {one.case} {JUDGED[one.quantity].heading} ×: {factors}"
        print_prose(clean_text(f"{text}: {one.culprit}"), console)
    _print_more(library, console)
    for step in interpreters[:SHOWN]:
        values = sorted(step.factors.values())
        span = f"{values[0]:,.3f}" + (f" to {values[-1]:,.3f}" if len(values) > 1 else "")
        where = f"{step.after} against {step.before}"
        text = f"{where} {step.case} {JUDGED[step.quantity].heading} ×: {span}"
        print_prose(clean_text(f"{text}: {step.culprit}"), console)
    _print_more(interpreters, console)
    print_prose(LEGEND, console, style="dim")


def _print_more(steps: Sequence[object], console: Console) -> None:
    if len(steps) > SHOWN:
        print_prose(f"and {len(steps) - SHOWN} more", console, style="dim")


def _make_table(
    histories: Histories,
    library: Sequence[LibraryStep],
    interpreters: Sequence[InterpreterStep],
) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("release", *histories):
        table.add_column(heading)
    table.add_column("to blame")
    for version in blame.list_versions(histories):
        own = [step for step in library if step.release == version]
        cells = [_describe_cell(histories, name, version, own) for name in histories]
        table.add_row(version, *cells, _blame_release(own))
    first = next(iter(histories))
    always = [step for step in interpreters if not step.others and len(step.factors) > 1]
    cells = [_describe_ways([step for step in always if step.after == name]) for name in histories]
    if len(histories) > 1:
        culprit = "the interpreter" if always else NO_VALUE
        table.add_row("every", Text(f"(against {first})", style="dim"), *cells[1:], culprit)
    return table


def _describe_cell(
    histories: Histories, name: str, version: str, steps: Sequence[LibraryStep]
) -> Text:
    releases: dict[str, Release] = {one.version: one for one in histories[name].releases}
    if version not in releases or releases[version].status != "measured":
        status = releases[version].status if version in releases else "not asked for"
        return Text(clean_text(status), style="yellow")
    return _describe_ways([step for step in steps if step.factors.get(name) is not None])


def _describe_ways(steps: Sequence[LibraryStep | InterpreterStep]) -> Text:
    ways = blame.count_ways(steps)
    text = ", ".join(f"{count} {way}" for way, count in ways.items())
    return Text(text or NO_VALUE, style=STYLES[next(iter(ways))] if ways else "")


def _blame_release(steps: Sequence[LibraryStep]) -> str:
    """Name the culprit of a release: the library, unless no step is everywhere."""
    if not steps:
        return NO_VALUE
    if all(step.is_everywhere for step in steps):
        return "the library"
    counts = [
        f"{culprit}: {len({step.case for step in members})}"
        for culprit, members in _group_by_culprit(steps)
    ]
    return "; ".join(counts)


def _group_by_culprit(steps: Sequence[LibraryStep]) -> list[tuple[str, list[LibraryStep]]]:
    ordered = sorted(steps, key=lambda step: (not step.is_everywhere, step.culprit))
    grouped = itertools.groupby(ordered, key=lambda step: step.culprit)
    return [(culprit, list(members)) for culprit, members in grouped]
