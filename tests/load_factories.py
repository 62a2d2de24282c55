"""Small results of cases under load: every number in them is made up, and the same each time."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from resilience_bench._model import (
    BUCKET,
    Case,
    CaseRecord,
    LoadRecord,
    LoadSamples,
    Result,
    Tally,
    WorkerRecord,
)
from resilience_bench.scenarios.loads import MIXED, STANDARD_LOADS, TASKS, parse_load
from tests.factories import make_case, make_result, sample_result

ROUNDS: Final = 6
WINDOW_NS: Final = 50_000_000
WHEN: Final = ("2026-01-02T03:20:00+00:00", "2026-01-02T03:20:30+00:00")
BARE_MS: Final = {"noop": 0.0001, "cpu": 0.012, "io": 1.06}
BREAKERS: Final = {
    "circuitbreaker": 0.95,
    "purgatory": 0.90,
    "interlock_cb": 0.71,
    "pyresilience": 0.62,
    "resilience_stack": 0.99,
    "pybreaker": 0.08,
}
"""What part of the bare call's rate is left under the most callers."""


def control_of(case: Case) -> str:
    """The name of the control of a case."""
    return f"1xreturns {case.load} {case.payload}"


def make_load_record(case: Case, status: str = "measured", reason: str = "") -> CaseRecord:
    """The status of a case under a load."""
    description = f"What {case.scenario} does."
    return CaseRecord(case, status, reason, control_of(case), description)  # type: ignore[arg-type]


def make_load_samples(
    rates_per_s: Sequence[float], callers: int = 16, elapsed_ns: int = WINDOW_NS, **more: Any
) -> LoadSamples:
    """Samples of these rates, one a round; the slowest caller makes 9 calls, the fastest 10."""
    calls = [round(each * elapsed_ns / 1e9) for each in rates_per_s]
    parts: dict[str, Any] = {
        "callers": callers,
        "calls": tuple(calls),
        "elapsed_ns": (elapsed_ns,) * len(calls),
        "fewest": tuple(call // callers * 9 for call in calls),
        "most": tuple(each // callers * 10 for each in calls),
    }
    return LoadSamples(**{**parts, **more})


def make_loads(
    case: Case,
    rates_per_s: Sequence[float],
    bare_per_s: Sequence[float] = (10_000.0,) * ROUNDS,
    **more: Any,
) -> LoadRecord:
    """One worker in which a case and its control had these rates, one a round."""
    load = parse_load(case.load)
    parts: dict[str, Any] = {
        "index": 0,
        "block": 0,
        "hash_seed": 0,
        "started": WHEN[0],
        "ended": WHEN[1],
        "controls": {control_of(case): make_load_samples(bare_per_s, load.callers)},
        "operations": {case.name: make_load_samples(rates_per_s, load.callers)},
    }
    return LoadRecord(**{**parts, **more})


def loaded_result(records: Iterable[LoadRecord], cases: Iterable[Case], **more: Any) -> Result:
    """A result of these workers and cases under load."""
    parts: dict[str, Any] = {"signals": ("scaling",), "loads": tuple(records)}
    return make_result([make_load_record(case) for case in cases], **{**parts, **more})


def make_tally(lost: float = 0, **more: Any) -> Tally:
    """What 1,000 calls counted, less what was lost."""
    parts: dict[str, Any] = {
        "calls": 1000,
        "payload_runs": 1000,
        "promised_runs": 1000,
        "counted": 1000 - lost,
        "promised_count": 1000.0,
    }
    return Tally(**{**parts, **more})


def histogram(elapsed_ns: Iterable[float]) -> dict[int, int]:
    """Latencies in buckets."""
    return dict(Counter(int(math.log(each) / math.log(BUCKET)) for each in elapsed_ns))


def _bare_per_s(load: str, payload: str) -> float:
    """A machine on which 11,000 sleeps a second are the most, and work is done one at a time."""
    callers = parse_load(load).callers
    one = 1000 / BARE_MS[payload]
    if load.startswith("processes"):
        return one * min(callers, 2)
    return 1 / (1 / (callers * one) + 1 / 11_500) if payload == "io" else one


def _rate_per_s(case: Case, left: float) -> float:
    """Alone nearly the bare call's, and the more callers, the nearer to what is left."""
    bare = _bare_per_s(case.load, case.payload)
    weight = min(math.log2(parse_load(case.load).callers) / 5, 1)
    alone = 0.97 if case.payload == "io" else 0.4 + left / 2
    return float(bare * alone * (left / alone) ** weight)


def _samples(rate: float, load: str, random: np.random.Generator, noise: float) -> LoadSamples:
    callers = parse_load(load).callers
    rates = rate * (1 + noise * random.standard_normal(ROUNDS))
    mean_ns = callers / rate * 1e9
    timed = mean_ns * random.lognormal(-0.02, 0.2, 2000)
    timed[::97] *= 4
    more: dict[str, Any] = {}
    if load.startswith(MIXED):
        more["reads"] = tuple(int(each) for each in rates / 60)
    if load.startswith(TASKS):
        more["lags_ns"] = tuple(int(each) for each in random.lognormal(12, 1, 40))
    return make_load_samples(
        rates.tolist(),
        callers,
        latencies=histogram(timed),
        longest_ns=int(timed.max()),
        clock_ns=40.0,
        **more,
    )


def _workers(
    cases: Mapping[Case, float], workers: int, tallies: Mapping[str, Tally]
) -> Iterable[LoadRecord]:
    for index in range(workers):
        random = np.random.default_rng(index)
        controls = {}
        operations = {}
        for case, left in cases.items():
            if (key := control_of(case)) not in controls:
                bare = _bare_per_s(case.load, case.payload)
                controls[key] = _samples(bare, case.load, random, 0.01)
            rate = _rate_per_s(case, left)
            operations[case.name] = _samples(rate, case.load, random, 0.02)
        yield LoadRecord(index, 0, index, *WHEN, controls, operations, dict(tallies))


def _without(worker: WorkerRecord, names: Collection[str]) -> WorkerRecord:
    operations = {name: each for name, each in worker.operations.items() if name in names}
    return dataclasses.replace(worker, operations=operations)


def concurrency_result(workers: int = 8) -> Result:
    """Breakers and a metric under every load, one of them serialised, one that loses counts."""
    threads, tasks, processes, mixed = (
        STANDARD_LOADS[kind] for kind in ("threads", "tasks", "processes", "mixed")
    )
    cases: dict[Case, float] = {}
    for payload in ("io", "noop"):
        for load in ("single", *threads) if payload == "io" else threads:
            for library, left in BREAKERS.items():
                cases[make_case(library, load=load, payload=payload)] = left
    for load in (*threads, *processes, *mixed):
        for label, left in (("prometheus_client", 0.6), ("statsd", 0.3), ("naive_counter", 0.93)):
            cases[make_case(label, "metrics.labels_inc", load=load)] = left
    for load in tasks:
        for label, left in (("aiobreaker", 0.5), ("purgatory", 0.8)):
            group = "breaker.async_closed_success"
            cases[make_case(label, group, load=load, payload="io")] = left
    lossy = {case.name: make_tally(12) for case in cases if case.library == "naive_counter"}
    alone = sample_result()
    kept = [record for record in alone.cases if not record.case.is_loaded]
    names = {record.case.name for record in kept}
    hung = "no call ended for 30 s: breaker.py:12 in call | threading.py:34 in wait"
    return dataclasses.replace(
        alone,
        signals=("latency", "scaling"),
        cases=(
            *kept,
            *map(make_load_record, cases),
            make_load_record(make_case("aiobreaker", load="threads-8"), "hung", hung),
        ),
        workers=tuple(_without(worker, names) for worker in alone.workers),
        loads=tuple(_workers(cases, workers, lossy)),
    )
