"""How long do statistics and gate take over many cases with many workers each?"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Collection

import click
import numpy as np

from resilience_bench._model import Case, CaseRecord, Result, Samples, WorkerRecord
from resilience_bench.environments.fingerprint import detect_environment
from resilience_bench.gate.decide import decide
from resilience_bench.gate.trial import Criterion, Evidence, Observations, Policy
from resilience_bench.stats.latency import compute_worker_latencies, estimate

SPEEDS = (1.1, 1.6)
"""Every other worker meets the machine at its slower speed some of the time."""


def made_up(cases: int, workers: int, samples: int) -> Result:
    """A result of so many cases, with noise in it."""
    generator = np.random.default_rng(20150823)
    records = tuple(
        CaseRecord(Case("made", f"up{number}"), "measured", control="bare")
        for number in range(cases)
    )
    measured = []
    for index in range(workers):
        most = int(100_000 * SPEEDS[index % 2])
        reference = generator.integers(100_000, most, 20 * samples).tolist()
        elapsed = generator.integers(100_000, 110_000, (cases, samples)).tolist()
        beside = tuple(range(0, 20 * samples, 20))
        operations = {
            record.case.name: Samples(50, tuple(row), beside)
            for record, row in zip(records, elapsed, strict=True)
        }
        controls = {"bare": Samples(500, tuple(elapsed[0]), beside)}
        measured.append(
            WorkerRecord(
                index, 0, index, "", "", 1.0, Samples(10, tuple(reference)), controls, operations
            )
        )
    seeds = tuple(range(workers))
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    return Result(
        schema=1,
        tool_version="",
        reference_version=1,
        profile="made up",
        selectors=(),
        seeds=seeds,
        started=now,
        ended=now,
        complete=True,
        load_average=(),
        commit=None,
        environment=detect_environment(),
        cases=records,
        workers=tuple(measured),
    )


@click.command()
@click.option("--cases", default=10_000, show_default=True)
@click.option("--workers", default=40, show_default=True)
@click.option("--samples", default=16, show_default=True)
def main(cases: int, workers: int, samples: int) -> None:
    """Print how long estimating and deciding take."""
    result = made_up(cases, workers, samples)
    here = result.environment
    print(f"{result.started}, {here.python}, {here.cpu_count} x {here.cpu_model}")
    started = time.monotonic()
    measurements = estimate(result)
    print(f"measure: {time.monotonic() - started:.1f} s for {cases} cases x {workers} workers")
    started = time.monotonic()
    (found,) = compute_worker_latencies(result.cases, [result.workers])
    evidence: dict[tuple[str, str, bool], Observations] = {
        (name, "ratio", False): Observations(tuple(each["ratio"])) for name, each in found.items()
    }
    questions = [
        Criterion(measurement.case.name, "latency", "ratio", 1.1 * ratio, 0.9 * ratio, ratio)
        for measurement in measurements
        for ratio in [measurement.quantities["ratio"].value]
    ]

    def draw(_workers: int, names: Collection[str]) -> Evidence:
        return {key: each for key, each in evidence.items() if key[0] in names}

    verdicts = decide(questions, draw, Policy())
    took = time.monotonic() - started
    print(f"decide: {took:.1f} s for {len(verdicts)} decisions")


if __name__ == "__main__":
    main()
