"""The gate tested on itself: what is planted, what is drawn again, and how often it was right."""

from __future__ import annotations

import collections
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from scipy.stats import binomtest

from resilience_bench._model import (
    CaseInfo,
    InstructionRecord,
    Measurement,
    Signal,
    Verdict,
)
from resilience_bench.gate.decide import (
    FLAGS,
    Criterion,
    Evidence,
    Key,
    Observations,
    Policy,
    decide,
)
from resilience_bench.gate.decide_counts import decide_counts

TURNS: Final = 2000
"""So many turns of the empty loop tell what one costs."""
PROBE: Final = "control.call"
"""The case that shows what planting costs; the suite always has it."""
CONFIDENCE: Final = 0.95
SEED: Final = 20150823
Kind = Literal["work", "wait"]
"""What is planted: turns of an empty loop, or nanoseconds of waiting, which are no instructions."""


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
class PlantingCost:
    """What planting costs in a signal: ``fixed + turns * per_turn``."""

    fixed: float
    per_turn: float

    def estimate_turns(self, extra: float) -> int | None:
        """How many turns make a call dearer by so much; None if that cannot be planted."""
        if self.per_turn <= 0:  # the probe was too noisy to tell a price
            return None
        turns = round((extra - self.fixed) / self.per_turn)
        return turns if turns >= 0 else None


def estimate_planting_cost(bare: float, no_turns: float, many_turns: float) -> PlantingCost:
    """What planting costs, from the probe without it, with no turns and with `TURNS`."""
    return PlantingCost(no_turns - bare, (many_turns - no_turns) / TURNS)


def compute_turns(
    percents: Mapping[str, float], expected: Mapping[str, float], cost: PlantingCost
) -> dict[str, int]:
    """How many turns make each case dearer by so many per cent, where that is possible."""
    found = {
        name: cost.estimate_turns(percent / 100 * expected[name])
        for name, percent in percents.items()
        if name in expected
    }
    return {name: turns for name, turns in found.items() if turns is not None}


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


Size = tuple[float, Kind]
"""How many per cent are planted, of what."""
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


def extract_values(measurements: Iterable[Measurement], quantity: str) -> dict[str, float]:
    """The value of a quantity by case."""
    return {
        each.case.name: each.quantities[quantity].value
        for each in measurements
        if quantity in each.quantities
    }


def choose_cases(cases: Sequence[CaseInfo], costs: Mapping[str, float], count: int) -> list[str]:
    """So many cases to plant something in, evenly from cheap to dear.

    Args:
        cases: Those that something can be planted in.
        costs: What they cost.
        count: How many are wanted.
    """
    known = [info.case.name for info in cases if info.case.name in costs]
    ordered = sorted(known, key=lambda name: costs[name])
    places = np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int)
    return [ordered[place] for place in dict.fromkeys(places.tolist())]


def find_regressed_cases(questions: Sequence[Criterion], verdicts: Sequence[Verdict]) -> set[str]:
    """The cases that a gate is red for; none if BASE differs from itself."""
    pairs = list(zip(questions, verdicts, strict=True))
    if any(question.is_null and each.outcome in FLAGS for question, each in pairs):
        return set()
    return {
        each.case
        for question, each in pairs
        if each.outcome == "regressed" and not question.is_null
    }


def collect_distinct_counts(
    records: Iterable[InstructionRecord], cases: Collection[str]
) -> dict[Key, Observations]:
    """What processes counted of these cases, once for every hash seed and layout that was met.

    Processes with one seed and one layout repeat a number exactly; two seeds may agree on it.
    """
    told: dict[str, set[tuple[int, float]]] = {}
    for record in records:
        for name, counts in record.operations.items():
            if name in cases:
                told.setdefault(name, set()).add((record.hash_seed, counts.per_call))
    return {
        (name, "instructions", False): Observations(tuple(value for _, value in sorted(pairs)))
        for name, pairs in told.items()
    }


def merge_base_and_null(recorded: Mapping[Key, Observations]) -> dict[Key, Observations]:
    """The same numbers, with those of BASE and of its null control put together.

    Both are workers of one variant. Drawn from apart, they would differ by what the two samples
    happened to differ by, and a null control with a difference of its own is none.
    """
    found: dict[Key, Observations] = {}
    for (case, quantity, is_null), numbers in recorded.items():
        null = recorded.get((case, quantity, True), Observations())
        both = numbers.bases + null.heads
        found[case, quantity, is_null] = Observations(both if is_null else numbers.heads, both)
    return found


@dataclass(slots=True)
class Pool:
    """What workers or processes once measured, to draw builds from, with replacement.

    ``numbers`` holds them by key, of all recorded builds together. ``drifts`` holds, for each
    recorded build, how its location differed from that of all: a drawn build drifts as one of them
    did. A comparison measures both sides in the same seconds, so it needs none.
    """

    numbers: Mapping[Key, Observations]
    drifts: Sequence[Mapping[Key, float]] = ({},)
    generator: np.random.Generator = field(default_factory=lambda: np.random.default_rng(SEED))

    def simulate_build(self, dearer: Mapping[str, float]) -> SimulatedBuild:
        """A build in which these cases cost so many times as much."""
        drift = self.drifts[int(self.generator.integers(len(self.drifts)))]
        return SimulatedBuild(self, drift, dearer)


@dataclass(slots=True)
class SimulatedBuild:
    """One build that is drawn: a source of numbers for the gate, see `gate.Draw`."""

    pool: Pool
    drift: Mapping[Key, float]
    dearer: Mapping[str, float]

    def __call__(self, workers: int, cases: Collection[str]) -> Evidence:
        """So many workers, drawn with replacement; HEAD's and BASE's independently."""
        drawn: dict[Key, Observations] = {}
        for key, numbers in self.pool.numbers.items():
            if key[0] in cases:
                times = self.drift.get(key, 1.0) * (1.0 if key[2] else self.dearer.get(key[0], 1.0))
                heads = tuple(each * times for each in self._resample(numbers.heads, workers))
                drawn[key] = Observations(heads, self._resample(numbers.bases, workers))
        return drawn

    def _resample(self, values: Sequence[float], count: int) -> tuple[float, ...]:
        if not values:
            return ()
        places = self.pool.generator.integers(len(values), size=count).tolist()
        return tuple(values[place] for place in places)


def estimate_drifts(builds: Sequence[Evidence]) -> list[dict[Key, float]]:
    """How the location of each build differs from that of all of them together."""
    middles = [
        {key: float(np.median(numbers.heads)) for key, numbers in build.items() if numbers.heads}
        for build in builds
    ]
    keys = {key for each in middles for key in each}
    overall = {
        key: float(np.median([each[key] for each in middles if key in each])) for key in keys
    }
    return [{key: value / overall[key] for key, value in each.items()} for each in middles]


def simulate_outcomes(  # noqa: PLR0913 - one experiment, described by all of them
    questions: Sequence[Criterion],
    pool: Pool,
    policy: Policy,
    *,
    percent: float,
    cases: Sequence[str],
    trials: int,
) -> list[bool]:
    """What became of builds that are drawn.

    Args:
        questions: What the gate asks; all of one kind, latencies or counts.
        pool: Where the workers come from.
        policy: The gate's.
        percent: How much dearer one case is in each build; 0 for healthy builds.
        cases: The cases that take turns in being dearer.
        trials: How many builds.

    Returns:
        For each build whether the gate was red: for any case in a healthy build, for the dearer one
        in another.
    """
    decider = decide if questions[0].signal == "latency" else decide_counts
    outcomes = []
    for trial in range(trials):
        dearer = {cases[trial % len(cases)]: 1 + percent / 100} if percent else {}
        red = find_regressed_cases(
            questions, decider(questions, pool.simulate_build(dearer), policy)
        )
        outcomes.append(bool(red & set(dearer)) if percent else bool(red))
    return outcomes
