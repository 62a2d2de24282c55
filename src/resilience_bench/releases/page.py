"""What the site shows of a package's releases: which moved what, and what each costs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from resilience_bench._model import Quantity
from resilience_bench.releases.history_file import Decision, History, Release, quantities_of
from resilience_bench.report.blocks import NOTHING, counted, plain, unit_of

SHOWN: Final[Mapping[str, str]] = {
    "latency_ns": "per call",
    "ratio": "ratio: per call divided by the reference",
    "instructions": "instructions per call",
    "calls_per_s": "calls per second",
    "scaling": "scaling",
}
"""The quantities of which the site has a table, and what they are."""
DEARER: Final = "regressed"
LEAST_CHANCE: Final = 1e-9
"""Nobody knows a smaller chance."""


@dataclass(frozen=True, slots=True)
class Step:
    """A release that moved a case."""

    release: str
    before: str
    case: str
    signal: str
    change: str
    interval: str
    outcome: str
    chance: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release: when, what became of it, and how many cases it made dearer and cheaper.

    ``largest`` is the case that it moved most, and ``change`` by how much.
    """

    version: str
    date: str
    status: str
    dearer: int
    cheaper: int
    largest: str = ""
    change: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """What cases cost, a row a release."""

    title: str
    cases: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class ReleasePage:
    """A release history as the site shows it."""

    package: str
    headline: tuple[str, ...]
    notes: tuple[str, ...]
    releases: tuple[ReleaseRow, ...]
    steps: tuple[Step, ...]
    undecided: tuple[Step, ...]
    tables: tuple[Table, ...]

    @property
    def measured(self) -> int:
        """How many releases were measured."""
        return sum(each.status == "measured" for each in self.releases)


def release_page(history: History) -> ReleasePage:
    """What the site shows of a release history."""
    environment = history.environment
    ending = "" if history.complete else "; IT DID NOT COME TO ITS END"
    where = f"{environment.python}, {environment.cpu_count} x {environment.cpu_model}"
    when = f"measured {history.started} to {history.ended}{ending}"
    left_out = (f"{each}: not available: {why}" for each, why in history.not_available.items())
    return ReleasePage(
        package=plain(history.package),
        headline=tuple(map(plain, (where, when, *history.headline))),
        notes=tuple(map(plain, (*left_out, *history.notes))),
        releases=tuple(_row(each, history) for each in reversed(history.releases)),
        steps=tuple(map(_step, history.steps)),
        undecided=tuple(map(_step, history.undecided)),
        tables=tuple(_tables(history)),
    )


def _row(release: Release, history: History) -> ReleaseRow:
    # A case counts once, as dearer first.
    made: dict[str, str] = {}
    steps = [each for each in history.steps if each.release == release.version]
    for step in steps:
        if made.get(step.case) != DEARER:
            made[step.case] = step.outcome
    largest = max(steps, key=lambda each: each.size, default=None)
    outcomes = list(made.values())
    status = f"{release.status}: {release.reason}" if release.reason else release.status
    yanked = " (yanked)" if release.is_yanked else ""
    return ReleaseRow(
        plain(f"{release.version}{yanked}"),
        plain(release.date[:10]) or NOTHING,
        plain(status),
        outcomes.count(DEARER),
        outcomes.count("improved"),
        plain(largest.case) if largest else "",
        _change(largest) if largest else "",
    )


def _change(decision: Decision) -> str:
    return f"{decision.change.value - 1:+.1%}" if decision.change else NOTHING


def _step(decision: Decision) -> Step:
    change, interval = _change(decision), ""
    if (seen := decision.change) and seen.low != seen.high:
        interval = f"× {seen.value:.3f} ({seen.low:.3f} - {seen.high:.3f})"
    return Step(
        plain(decision.release),
        plain(decision.before),
        plain(decision.case),
        plain(decision.signal),
        change,
        interval,
        decision.outcome,
        NOTHING if decision.p_value is None else f"{max(decision.p_value, LEAST_CHANCE):.1g}",
        plain(decision.reason),
    )


def _tables(history: History) -> Iterator[Table]:
    having = quantities_of(history)
    for quantity, title in SHOWN.items():
        names = [name for name in history.cases if name in having.get(quantity, ())]
        groups = itertools.groupby(names, key=lambda name: name.partition("[")[0])
        for group, members in groups:
            cases = list(members)
            rows = tuple(
                (plain(release.version), *(_cell(release, name, quantity) for name in cases))
                for release in reversed(history.measured)
            )
            heads = tuple(plain(name.removeprefix(group).strip("[]")) for name in cases)
            yield Table(f"{plain(group)}, {title}", heads, rows)


def _cell(release: Release, case: str, quantity: str) -> str:
    value = release.values.get(case)
    seen = value.quantities.get(quantity) if value else None
    return NOTHING if seen is None else _text(seen, quantity)


def _text(seen: Quantity, quantity: str) -> str:
    if quantity == "latency_ns":
        unit = unit_of([seen.value])
        return f"{unit.text(seen.value)} {unit.name}"
    if quantity in {"instructions", "calls_per_s"}:
        return counted(seen.value)
    return f"{seen.value:,.4g}"
