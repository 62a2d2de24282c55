"""The builds of a proof: which to make, what each one showed, and the rates over them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from resilience_bench._model import Signal
from resilience_bench.gate.comparison import COMPARISON_POLICY
from resilience_bench.gate.trial import Policy

CONFIDENCE: Final = 0.95
POLICIES: Final[Mapping[str, Policy]] = {"check": Policy(), "compare": COMPARISON_POLICY}
"""The gates that are tested, and their policies."""
QUANTITY: Final[Mapping[Signal, str]] = {"latency": "ratio", "instructions": "instructions"}
"""The signals that are tested, and the quantity that stands for each."""
VARIANTS: Final = ("base", "head", "null")
HEADERS: Final = ("gate", "signal", "builds", "planted", "outcome", "seen", "rate", "95 % interval")
"""The columns of `format_cells`; the first `WORDS` of them hold words, the others numbers."""
WORDS: Final = 5

Kind = Literal["work", "wait"]
"""How a case is made slower: by turns of an empty loop, or by waiting without instructions."""
Size = tuple[float, Kind]
"""By how many per cent a case is made slower, and how."""
Step = tuple[str, float, Kind]
"""A build to make: its gate and the size of the slowdown, 0 for a healthy build."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a kind of build had an outcome: ``hits`` of ``trials``.

    ``low`` and ``high`` are the 95 % confidence interval. Source: C. J. Clopper and E. S. Pearson,
    "The use of confidence or fiducial limits illustrated in the case of the binomial",
    Biometrika 26 (1934), 404-413.
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


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """How precisely the last look of a gate, with all its workers, knows a latency.

    ``median`` is the standard error, as a share of the latency, in the median case; nine of ten
    cases have at most ``most``. A comparison knows a difference of two sides.
    """

    gate: str
    workers: int
    median: float
    most: float


@dataclass(frozen=True, slots=True)
class Build:
    """One real build: what was planted, for which cases the gate failed, how long it took."""

    gate: str
    signals: tuple[Signal, ...]
    planted_percent: float
    planted: tuple[str, ...]
    red: dict[str, tuple[str, ...]]
    inconclusive: int
    seconds: float
    kind: Kind = "work"

    @property
    def step(self) -> Step:
        """The kind of build that this is."""
        return self.gate, self.planted_percent, self.kind

    @property
    def every_red(self) -> frozenset[str]:
        """The cases for which it failed, by any signal."""
        return frozenset().union(*self.red.values())

    @property
    def has_false_alarm(self) -> bool:
        """Whether it failed for a case in which nothing was planted."""
        return not self.every_red <= set(self.planted)

    @property
    def missed(self) -> bool:
        """Whether it found no planted case, although it should have."""
        return self.planted_percent > 0 and self.every_red.isdisjoint(self.planted)

    def list_outcomes(self, signal: str) -> list[bool]:
        """Return whether each planted case was found by a signal, or a healthy build failed."""
        if signal not in self.red:
            return []
        if not self.planted_percent:
            return [bool(self.red[signal])]
        return [name in self.red[signal] for name in self.planted]


def format_cells(rate: Rate) -> tuple[str, ...]:
    """Return the cells of a rate, in the order of `HEADERS`."""
    planted = f"{rate.planted_percent:g} % {rate.kind}" if rate.planted_percent else "nothing"
    return (
        rate.gate,
        rate.signal,
        rate.builds,
        planted,
        rate.outcome,
        f"{rate.hits:,} of {rate.trials:,}",
        f"{rate.hits / rate.trials:.2%}" if rate.trials else "-",
        f"{rate.low:.2%} - {rate.high:.2%}",
    )


def describe_noise_floor(floor: NoiseFloor) -> str:
    """Describe in a line how precise a gate can be."""
    sides = " of each side" if floor.gate == "compare" else ""
    return (
        f"{floor.gate}: noise floor of {floor.workers} workers{sides}: standard error "
        f"{floor.median:.2%} of the latency in the median case, at most {floor.most:.2%} in nine "
        "of ten"
    )


def estimate_rate(step: Step, signal: str, builds: str, outcomes: Sequence[bool]) -> Rate:
    """Estimate how often builds of a kind, real or drawn, had the outcome that is counted."""
    from scipy.stats import binomtest  # noqa: PLC0415 - takes a second; the site needs none

    gate, percent, kind = step
    hits, trials = sum(outcomes), len(outcomes)
    interval = binomtest(hits, trials).proportion_ci(CONFIDENCE, "exact") if trials else (0.0, 1.0)
    low, high = map(float, interval)
    outcome = "planted case found" if percent else "healthy build failed"
    return Rate(gate, signal, builds, percent, outcome, hits, trials, low, high, kind)


def estimate_real_rates(builds: Sequence[Build]) -> list[Rate]:
    """Estimate the rates over the real builds, of every gate, signal and size among them."""
    sizes = sorted({build.step[1:] for build in builds})
    rates = []
    for gate, signal, (percent, kind) in itertools.product(POLICIES, QUANTITY, sizes):
        step = (gate, percent, kind)
        alike = [build.list_outcomes(signal) for build in builds if build.step == step]
        if outcomes := list(itertools.chain(*alike)):
            rates.append(estimate_rate(step, signal, "real", outcomes))
    return rates


def plan_builds(
    gates: Sequence[str], builds: int, sizes: Sequence[Size], planted_builds: int
) -> list[Step]:
    """Return the builds in their order; planted ones come early, between healthy ones."""
    steps: list[Step] = [(gate, 0.0, "work") for _ in range(builds) for gate in gates]
    for number in range(planted_builds):
        for place, size in enumerate(sizes):
            spot = (number * len(sizes) + place + 1) * len(gates) * 2
            steps[spot:spot] = [(gate, *size) for gate in gates]
    return steps


def find_missing_steps(steps: Iterable[Step], builds: Iterable[Build]) -> list[Step]:
    """Return the steps for which there are not enough builds of that kind yet."""
    made = Counter(build.step for build in builds)
    missing = []
    for step in steps:
        made[step] -= 1
        if made[step] < 0:
            missing.append(step)
    return missing


def name_files(gate: str, number: int) -> list[str]:
    """Return the names of the files, without suffix, that the build of this number records."""
    name = f"{gate}-{number}"
    return [name] if gate == "check" else [f"{name}-{variant}" for variant in VARIANTS]
