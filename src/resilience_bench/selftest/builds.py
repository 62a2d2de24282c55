"""The builds of a proof, real ones and simulated ones, and the rates over them."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from scipy.stats import binomtest

from resilience_bench._model import (
    Signal,
)

CONFIDENCE: Final = 0.95


Kind = Literal["work", "wait"]
"""What is planted: turns of an empty loop, or nanoseconds of waiting, which are no instructions."""
Size = tuple[float, Kind]
"""How many per cent are planted, of what."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a kind of build had an outcome: ``hits`` of ``trials``.

    ``low`` and ``high`` are the 95 % interval that so many trials allow. Source: C. J. Clopper and
    E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial", Biometrika 26 (1934), 404-413.
    """

    gate: str
    signal: str
    builds: str
    planted_percent: float
    outcome: str
    hits: int
    trials: int
    low: float
    high: float
    kind: Kind = "work"


HEADERS: Final = (
    "gate",
    "signal",
    "builds",
    "planted",
    "outcome",
    "seen",
    "rate",
    "95 % interval",
)
"""What the cells of a rate are, the first `WORDS` of them words."""


WORDS: Final = 5


def format_cells(each: Rate) -> tuple[str, ...]:
    """A rate in words and numbers, under `HEADERS`."""
    planted = f"{each.planted_percent:g} % {each.kind}" if each.planted_percent else "nothing"
    return (
        each.gate,
        each.signal,
        each.builds,
        planted,
        each.outcome,
        f"{each.hits:,} of {each.trials:,}",
        f"{each.hits / each.trials:.2%}" if each.trials else "-",
        f"{each.low:.2%} - {each.high:.2%}",
    )


def estimate_rate(  # noqa: PLR0913 - what the rate is of
    gate: str,
    signal: str,
    builds: str,
    percent: float,
    outcomes: Sequence[bool],
    *,
    kind: Kind = "work",
) -> Rate:
    """Count how often it was so."""
    hits, trials = sum(outcomes), len(outcomes)
    low, high = 0.0, 1.0
    if trials:
        found = binomtest(hits, trials).proportion_ci(CONFIDENCE, "exact")
        low, high = float(found.low), float(found.high)
    outcome = "planted case found" if percent else "healthy build failed"
    return Rate(gate, signal, builds, percent, outcome, hits, trials, low, high, kind)


@dataclass(frozen=True, slots=True)
class Build:
    """One real build: what was planted, what the gate was red for, and how long it took."""

    gate: str
    signals: tuple[Signal, ...]
    planted_percent: float
    planted: tuple[str, ...]
    red: dict[str, tuple[str, ...]]
    inconclusive: int
    seconds: float
    kind: Kind = "work"

    @property
    def every_red(self) -> frozenset[str]:
        """The cases that any of its signals was red for."""
        return frozenset(name for each in self.red.values() for name in each)

    @property
    def has_false_alarm(self) -> bool:
        """Whether it was red for a case in which nothing was planted."""
        return not self.every_red <= set(self.planted)

    @property
    def missed(self) -> bool:
        """Whether something should have been planted, and nothing planted was found."""
        return self.planted_percent > 0 and self.every_red.isdisjoint(self.planted)


Step = tuple[str, float, Kind]
"""A build to be made: the gate, and what is planted."""


def plan_builds(
    gates: Sequence[str], builds: int, sizes: Sequence[Size], planted_builds: int
) -> list[Step]:
    """The builds in their order; those with something planted come early, among the others."""
    steps: list[Step] = [(gate, 0.0, "work") for _ in range(builds) for gate in gates]
    for number in range(planted_builds):
        for place, size in enumerate(sizes):
            spot = (number * len(sizes) + place + 1) * len(gates) * 2
            steps[spot:spot] = [(gate, *size) for gate in gates]
    return steps


def count_builds(builds: Iterable[Build]) -> collections.Counter[Step]:
    """How many builds of each kind there are."""
    return collections.Counter((each.gate, each.planted_percent, each.kind) for each in builds)


def find_missing_steps(steps: Iterable[Step], builds: Iterable[Build]) -> list[Step]:
    """The steps without as many of each kind as there are builds of it."""
    made = count_builds(builds)
    missing = []
    for step in steps:
        made[step] -= 1
        if made[step] < 0:
            missing.append(step)
    return missing
