"""Builds that are simulated from the workers and processes of real ones."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from resilience_bench._model import InstructionRecord, Result
from resilience_bench._verdicts import Verdict
from resilience_bench.files import results
from resilience_bench.gate import decide
from resilience_bench.gate.criteria import apply_null_control
from resilience_bench.gate.decide_counts import decide_counts
from resilience_bench.gate.evidence import Records, collect_evidence
from resilience_bench.gate.trial import (
    TINY,
    Criterion,
    DrawEvidence,
    Evidence,
    Key,
    Observations,
    Policy,
    extend_evidence,
)
from resilience_bench.selftest.builds import POLICIES, QUANTITY, Build, NoiseFloor, name_files
from resilience_bench.stats.trimmed_t import FEWEST, estimate_trimmed_means

SEED: Final = 20150823


def find_regressed_cases(
    criteria: Sequence[Criterion], verdicts: Sequence[Verdict], signal: str
) -> set[str]:
    """Find the cases that fail a build by a signal; none if BASE differs from itself in it."""
    kept, _ = apply_null_control(criteria, verdicts)
    regressed = [verdict for verdict in kept if verdict.outcome == "regressed"]
    return {verdict.case for verdict in regressed if verdict.signal == signal}


@dataclass(frozen=True, slots=True)
class Pool:
    """Measurements of workers or processes, to simulate builds from by drawing with replacement.

    ``numbers`` are those of all recorded builds together. ``drifts`` holds, for each recorded
    build, its location relative to that of all: a simulated build drifts as one of them did. A
    comparison measures both sides in the same seconds, so it needs none.
    """

    numbers: Mapping[Key, Observations]
    drifts: Sequence[Mapping[Key, float]] = ({},)

    def simulate_build(
        self, generator: np.random.Generator, slowdowns: Mapping[str, float]
    ) -> DrawEvidence:
        """Return the source of evidence of a build in which HEAD's cases are slower by factors."""
        drift = self.drifts[int(generator.integers(len(self.drifts)))]

        def resample(values: Sequence[float], count: int) -> tuple[float, ...]:
            places = generator.integers(len(values), size=count).tolist() if values else []
            return tuple(values[place] for place in places)

        def draw(workers: int, cases: Collection[str]) -> Evidence:
            drawn: dict[Key, Observations] = {}
            for key, numbers in self.numbers.items():
                case, _, is_null = key
                if case in cases:
                    factor = drift.get(key, 1.0) * (1.0 if is_null else slowdowns.get(case, 1.0))
                    heads = tuple(value * factor for value in resample(numbers.heads, workers))
                    drawn[key] = Observations(heads, resample(numbers.bases, workers))
            return drawn

        return draw


def simulate_outcomes(  # noqa: PLR0913 - one experiment, described by all of them
    criteria: Sequence[Criterion],
    pool: Pool,
    policy: Policy,
    *,
    percent: float,
    cases: Sequence[str],
    trials: int,
) -> list[bool]:
    """Return whether each build failed for the case that was slower, or for any with 0 %."""
    signal = criteria[0].signal
    generator = np.random.default_rng(SEED)
    decider = decide.decide if signal == "latency" else decide_counts
    outcomes = []
    for trial in range(trials):
        slowdowns = {cases[trial % len(cases)]: 1 + percent / 100} if percent else {}
        verdicts = decider(criteria, pool.simulate_build(generator, slowdowns), policy)
        red = find_regressed_cases(criteria, verdicts, signal)
        outcomes.append(bool(red & set(slowdowns)) if percent else bool(red))
    return outcomes


def read_pools(
    folder: Path, builds: Sequence[Build], names: Collection[str]
) -> dict[tuple[str, str], Pool]:
    """Read the pools by gate and signal; only healthy builds, and cases of these names, count."""
    screenings: dict[str, list[Evidence]] = {}
    counted: list[InstructionRecord] = []
    for number, build in enumerate(builds, start=1):
        if build.planted_percent:
            continue
        files = [results.read(folder / f"{name}.json") for name in name_files(build.gate, number)]
        if evidence := _collect_screening(build.gate, files, names):
            screenings.setdefault(build.gate, []).append(evidence)
        counted += [record for file in files for record in file.instructions]
    for path in sorted(folder.glob("learn-*.json")):
        counted += results.read(path).instructions
    pools = {(gate, "latency"): _pool_latencies(gate, some) for gate, some in screenings.items()}
    if counts := collect_distinct_counts(counted, names):
        # HEAD and BASE are drawn independently, although a gate gives both the same seed: another
        # version of the code has another layout, and that may pass for a difference.
        both = {key: Observations(own.heads, own.heads) for key, own in counts.items()}
        pools["check", "instructions"], pools["compare", "instructions"] = Pool(counts), Pool(both)
    return pools


def _collect_screening(gate: str, files: Sequence[Result], names: Collection[str]) -> Evidence:
    """Collect the evidence of the screening of a build, from its files."""
    screen = POLICIES[gate].screen
    sides = [
        Records([worker for worker in file.workers if worker.index < screen]) for file in files
    ]
    records = [record for record in files[0].cases if record.case.name in names]
    *base, head = sides[:2]
    return collect_evidence(records, head, *base, *sides[2:])


def _pool_latencies(gate: str, screenings: Sequence[Evidence]) -> Pool:
    together: dict[Key, Observations] = {}
    for evidence in screenings:
        extend_evidence(together, evidence)
    if gate == "check":
        return Pool(together, estimate_drifts(screenings))
    return Pool(merge_variants(together))


def estimate_noise_floor(gate: str, pool: Pool) -> NoiseFloor | None:
    """Estimate how precisely a gate's last look knows latencies; None without enough workers.

    The error of a mean falls with the square root of the number of workers, and a comparison has
    two sides.
    """
    workers = POLICIES[gate].confirm[-1]
    sides = 2 if gate == "compare" else 1
    errors = [
        float(estimate_trimmed_means(np.log(np.maximum([numbers.heads], TINY))).error[0])
        * math.sqrt(sides * len(numbers.heads) / workers)
        for (_, quantity, is_null), numbers in pool.numbers.items()
        if quantity == QUANTITY["latency"] and not is_null and len(numbers.heads) >= FEWEST
    ]
    if not errors:
        return None
    median, most = map(float, np.quantile(errors, (0.5, 0.9)))
    return NoiseFloor(gate, workers, median, most)


def estimate_drifts(builds: Sequence[Evidence]) -> list[dict[Key, float]]:
    """Estimate the location of each build relative to that of all of them together."""
    medians = [
        {key: float(np.median(numbers.heads)) for key, numbers in build.items() if numbers.heads}
        for build in builds
    ]
    overall = {
        key: float(np.median([build[key] for build in medians if key in build]))
        for key in {key for build in medians for key in build}
    }
    return [{key: value / overall[key] for key, value in build.items()} for build in medians]


def merge_variants(recorded: Mapping[Key, Observations]) -> dict[Key, Observations]:
    """Return the same numbers, with those of HEAD, of BASE and of its null control pooled.

    All are workers of one variant, because nothing is planted in a healthy build. Separate samples
    differ by chance, and drawing from them would give every simulated build that difference.
    """
    merged: dict[Key, Observations] = {}
    for case, quantity, is_null in recorded:
        head, null = (
            recorded.get((case, quantity, side), Observations()) for side in (False, True)
        )
        all_of = head.heads + (head.bases or null.bases) + null.heads
        merged[case, quantity, is_null] = Observations(all_of, all_of)
    return merged


def collect_distinct_counts(
    records: Iterable[InstructionRecord], cases: Collection[str]
) -> dict[Key, Observations]:
    """Collect instructions, once for every hash seed and layout; two seeds may agree."""
    counts = defaultdict[str, set[tuple[int, float]]](set)
    for record in records:
        for name, counted in record.operations.items():
            if name in cases:
                counts[name].add((record.hash_seed, counted.per_call))
    return {
        (name, "instructions", False): Observations(tuple(value for _, value in sorted(pairs)))
        for name, pairs in counts.items()
    }
