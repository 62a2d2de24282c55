"""The gate tested on itself: what is planted, what is drawn again, and how often it was right."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from resilience_bench._model import InstructionRecord, Result, Signal
from resilience_bench._verdicts import Verdict
from resilience_bench.gate.comparison import (
    COMPARISON_POLICY,
)
from resilience_bench.gate.decide import (
    FLAGS,
    Criterion,
    Evidence,
    Key,
    Observations,
    Policy,
    decide,
    extend_evidence,
)
from resilience_bench.gate.decide_counts import decide_counts
from resilience_bench.gate.evidence import Records, collect_evidence

SEED: Final = 20150823


def find_regressed_cases(
    questions: Sequence[Criterion], verdicts: Sequence[Verdict], signal: str | None = None
) -> set[str]:
    """Find the cases that fail a build, by one signal or all; none if BASE differs from itself."""
    pairs = [
        (question, verdict)
        for question, verdict in zip(questions, verdicts, strict=True)
        if signal in {None, question.signal}
    ]
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


def collect_screening(gate: str, read: Sequence[Result], names: Collection[str]) -> Evidence:
    """Collect the evidence of the screening of a recorded build, of which these are the files."""
    screen = Policy().screen if gate == "check" else COMPARISON_POLICY.screen
    first = [[worker for worker in result.workers if worker.index < screen] for result in read]
    records = [record for record in read[0].cases if record.case.name in names]
    sides = [Records(workers) for workers in first]
    if gate == "check":
        return collect_evidence(records, sides[0])
    base, head, null = sides
    return collect_evidence(records, head, base, null)


def make_pool(gate: str, signal: Signal, recorded: Sequence[Evidence]) -> Pool:
    """Make the pool that builds of a gate are simulated from, out of healthy real builds."""
    together: dict[Key, Observations] = {}
    for each in recorded:
        extend_evidence(together, each)
    if signal == "instructions":
        # HEAD and BASE are drawn independently, although a gate gives both the same seed: another
        # version of the code has another layout, and that may pass for a difference.
        paired = {key: Observations(each.heads, each.heads) for key, each in together.items()}
        return Pool(paired if gate == "compare" else together)
    if gate == "check":
        return Pool(together, estimate_drifts(recorded))
    return Pool(merge_base_and_null(together))
