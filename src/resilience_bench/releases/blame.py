"""Several histories of one package, each under its own Python: what the library is to blame for.

A step that a release shows under every interpreter is the library's. What another interpreter costs
more or less in every release is the interpreter's. Either may depend on the other: then both are
named. Interpreters do not take turns as releases do, so they are compared by the intervals of what
was measured, and by instructions where there are any.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from resilience_bench._model import Estimate
from resilience_bench.quantities import JUDGED
from resilience_bench.releases.history_file import Decision, History

Way = Literal["slower", "faster"]
WAYS: Final[Mapping[str, Way]] = {"regressed": "slower", "improved": "faster"}
COMPARED: Final = ("instructions", "ratio")
"""By which quantity interpreters are compared: the first that both histories have."""

Histories = Mapping[str, History]
"""The histories of one package by the interpreter's name; the first is compared with the others."""


@dataclass(frozen=True, slots=True)
class LibraryStep:
    """A case that a release moved: by what factor under which interpreter, None if it did not.

    ``factors`` holds the interpreters that measured the case in that release and in one before.
    """

    release: str
    case: str
    quantity: str
    way: Way
    factors: Mapping[str, float | None]

    @property
    def is_everywhere(self) -> bool:
        """Whether every interpreter that measured it, and more than one, saw it."""
        return len(self.factors) > 1 and None not in self.factors.values()

    @property
    def culprit(self) -> str:
        """Who is to blame."""
        if self.is_everywhere:
            return "the library"
        seen = [name for name, factor in self.factors.items() if factor is not None]
        return f"the library under {' and '.join(seen)} only"


@dataclass(frozen=True, slots=True)
class InterpreterStep:
    """A case that costs more or less under another interpreter: factors by release.

    ``others`` are releases in which it does not, or the other way.
    """

    before: str
    after: str
    case: str
    quantity: str
    way: Way
    factors: Mapping[str, float]
    others: tuple[str, ...]

    @property
    def culprit(self) -> str:
        """Who is to blame."""
        if self.others:
            return f"the interpreter, but not in {', '.join(self.others)}"
        return "the interpreter" if len(self.factors) > 1 else "unknown: one release only"


def find_library_steps(histories: Histories) -> list[LibraryStep]:
    """Return what releases moved, by release, case and quantity, in the order of the first."""
    decided = {
        name: {(one.release, one.case, one.quantity): one for one in history.steps}
        for name, history in histories.items()
    }
    versions = list_versions(histories)
    keys = sorted(
        {key for steps in decided.values() for key in steps},
        key=lambda key: (versions.index(key[0]), key[1], list(JUDGED).index(key[2])),
    )
    found = []
    for release, case, quantity in keys:
        seen = {name: steps.get((release, case, quantity)) for name, steps in decided.items()}
        ways = {WAYS[one.outcome] for one in seen.values() if one}
        for way in sorted(ways, reverse=True):
            factors = {
                name: _get_factor(one, way)
                for name, one in seen.items()
                if one or _has_measured(histories[name], release, case, quantity)
            }
            found.append(LibraryStep(release, case, quantity, way, factors))
    return found


def _get_factor(step: Decision | None, way: Way) -> float | None:
    if step is None or WAYS[step.outcome] != way:
        return None
    return step.change.value if step.change else float("inf")


def _has_measured(history: History, version: str, case: str, quantity: str) -> bool:
    """Return whether a case was measured in a release and in an earlier one, and decided."""
    versions = [
        release.version
        for release in history.measured
        if case in release.values and quantity in release.values[case].quantities
    ]
    is_open = any(
        (one.release, one.case, one.quantity) == (version, case, quantity)
        for one in history.undecided
    )
    return version in versions[1:] and not is_open


def find_interpreter_steps(histories: Histories) -> list[InterpreterStep]:
    """Return the cases in which interpreters differ from the first, by interpreter and case."""
    (first, base), *rest = histories.items()
    return [
        step
        for name, history in rest
        for case in base.cases
        if case in history.cases
        for step in _compare(first, base, name, history, case)
    ]


def _compare(
    first: str, base: History, name: str, history: History, case: str
) -> list[InterpreterStep]:
    quantity = next(
        (one for one in COMPARED if _read(base, case, one) and _read(history, case, one)), None
    )
    if quantity is None:
        return []
    before, after = _read(base, case, quantity), _read(history, case, quantity)
    tolerance = JUDGED[quantity].release_tolerance
    shared = [version for version in before if version in after]
    ways = {version: _judge(before[version], after[version], tolerance) for version in shared}
    return [
        InterpreterStep(
            first,
            name,
            case,
            quantity,
            way,
            {one: after[one].value / before[one].value for one in shared if ways[one] == way},
            tuple(one for one in shared if ways[one] != way),
        )
        for way in ("slower", "faster")
        if way in ways.values()
    ]


def _read(history: History, case: str, quantity: str) -> dict[str, Estimate]:
    """Return a quantity of a case by release; what costs nothing has no factor."""
    return {
        release.version: release.values[case].quantities[quantity]
        for release in history.measured
        if case in release.values
        and quantity in release.values[case].quantities
        and release.values[case].quantities[quantity].low > 0
    }


def _judge(before: Estimate, after: Estimate, tolerance: float) -> Way | None:
    """Return the way of a change that is surely larger than the tolerance."""
    if after.low > before.high * (1 + tolerance):
        return "slower"
    if after.high < before.low / (1 + tolerance):
        return "faster"
    return None


def list_versions(histories: Histories) -> list[str]:
    """Return the versions of all histories, from the oldest: all list the same releases."""
    releases = itertools.chain.from_iterable(history.releases for history in histories.values())
    return list(dict.fromkeys(release.version for release in releases))


def count_ways(steps: Sequence[LibraryStep | InterpreterStep]) -> dict[Way, int]:
    """Count the cases that moved each way."""
    found: dict[Way, int] = {}
    for way in ("slower", "faster"):
        if cases := {step.case for step in steps if step.way == way}:
            found[way] = len(cases)
    return found
