"""Small results for tests: every number in them is made up, and the same each time."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from resilience_bench._model import (
    AllocationRecord,
    Case,
    CaseRecord,
    Commit,
    Counts,
    Environment,
    InstructionRecord,
    Result,
    Samples,
    Weight,
    WorkerRecord,
)
from resilience_bench._verdicts import Baseline, Range

CONTROL = "1xreturns"
CONTROL_NS = 50.0
REFERENCE_NS = 500.0
CALLS = 10


def make_case(label: str = "pybreaker", group: str = "breaker.closed_success", **more: Any) -> Case:
    """A case by its group and its label: ``pybreaker`` or ``tenacity,metric=labels``."""
    family, _, scenario = group.partition(".")
    library, *pairs = label.split(",")
    parameters = tuple((key, value) for key, _, value in (pair.partition("=") for pair in pairs))
    return Case(family, scenario, library, parameters, **more)


def make_record(case: Case, status: str = "measured", reason: str = "") -> CaseRecord:
    """The status of a case."""
    return CaseRecord(case, status, reason, CONTROL, f"What {case.scenario} does.")  # type: ignore[arg-type]


def make_samples(call_ns: float, calls: int = CALLS, count: int = 12) -> Samples:
    """Samples that all say the same."""
    return Samples(calls, (round(call_ns * calls),) * count)


def make_worker(index: int, operations_ns: Mapping[str, float], **more: Any) -> WorkerRecord:
    """A worker in which the reference takes 500 ns and the control 50 ns a call."""
    parts: dict[str, Any] = {
        "index": index,
        "block": 0,
        "hash_seed": index,
        "started": f"2026-01-02T03:{index % 60:02}:00+00:00",
        "ended": f"2026-01-02T03:{index % 60:02}:30+00:00",
        "clock_resolution_ns": 1.0,
        "reference": make_samples(REFERENCE_NS, 200),
        "controls": {CONTROL: make_samples(CONTROL_NS, 2000)},
        "operations": {
            name: make_samples(call_ns, max(1, round(100_000 / max(call_ns, 1))))
            for name, call_ns in operations_ns.items()
        },
    }
    return WorkerRecord(**{**parts, **more})


def make_environment(**more: Any) -> Environment:
    """An environment."""
    parts: dict[str, Any] = {
        "python": "CPython 3.11.9",
        "python_build": "main Jan  2 2026 03:04:05; GCC 12.2.0",
        "free_threaded": False,
        "cpu_model": "AMD EPYC 7B13",
        "cpu_count": 2,
        "os": "Debian GNU/Linux 12 (bookworm)",
        "kernel": "6.1.0-18-amd64",
        "machine": "x86_64",
        "packages": {"pybreaker": "1.4.1", "tenacity": "9.2.1"},
    }
    return Environment(**{**parts, **more})


def make_result(
    records: Sequence[CaseRecord] = (), workers: Sequence[WorkerRecord] = (), **more: Any
) -> Result:
    """A result of these cases and workers."""
    parts: dict[str, Any] = {
        "schema": 1,
        "tool_version": "0.1.0",
        "reference_version": 1,
        "profile": "quick",
        "selectors": ("breaker.*",),
        "seeds": tuple(worker.hash_seed for worker in workers),
        "started": "2026-01-02T03:04:05+00:00",
        "ended": "2026-01-02T03:05:00+00:00",
        "complete": True,
        "load_average": (0.5, 0.25, 0.1),
        "commit": Commit("0123456789abcdef0123456789abcdef01234567", clean=False),
        "environment": make_environment(),
        "cases": tuple(records),
        "workers": tuple(workers),
    }
    return Result(**{**parts, **more})


def measured_result(
    latency_ns: Mapping[Case, float], workers: int = 8, spread: float = 0.0, **more: Any
) -> Result:
    """A result in which these cases take so long, give or take a relative spread over workers."""
    random = np.random.default_rng(1)
    factors = 1 + spread * random.standard_normal((workers, len(latency_ns)))
    names = [case.name for case in latency_ns]
    values = factors * np.array(list(latency_ns.values()), dtype=float)
    made = [
        make_worker(index, dict(zip(names, row, strict=True)))
        for index, row in enumerate(values.tolist())
    ]
    return make_result([make_record(case) for case in latency_ns], made, **more)


def sample_result() -> Result:
    """A result with several scenarios, long names, two loads, and every status."""
    latency_ns = {
        make_case("pybreaker"): 9_210.0,
        make_case("circuitbreaker"): 1_512.0,
        make_case("purgatory"): 2_244.0,
        make_case("interlock"): 812.0,
        make_case("pybreaker", "breaker.open_rejects"): 4_210.0,
        make_case("pyresilience", "breaker.open_rejects"): 612.0,
        make_case("prometheus_client", "metrics.increment"): 231.0,
        make_case("opentelemetry_sdk,attributes=5", "metrics.increment"): 10_842.0,
        make_case("opentelemetry_sdk,attributes=0", "metrics.increment"): 2_311.0,
        make_case("statsd", "metrics.increment"): 5_120.0,
        make_case("tenacity+pybreaker,metric=labels", "composed.guarded"): 21_312.0,
        make_case("stack,metric=labels", "composed.guarded"): 433.0,
        make_case("pybreaker", load="threads-8", payload="io"): 8_812_000.0,
        make_case("circuitbreaker", load="threads-8", payload="io"): 1_062_000.0,
        make_case("", "control.call"): 51.0,
    }
    result = measured_result(latency_ns, spread=0.012)
    wrong = [
        make_record(make_case("aiobreaker"), "not installed", "type: pip install aiobreaker"),
        make_record(
            make_case("retrying", "retry.reraises"),
            "not available",
            "it has no way to raise the last exception itself",
        ),
        make_record(
            make_case("backoff", "retry.reraises"),
            "broken",
            "the payload ran 2 times, expected 3: an operation that stops early looks fast",
        ),
        make_record(make_case("tenacity", "retry.reraises"), "failed", "was ended by SIGSEGV"),
        make_record(
            make_case("stamina", "retry.reraises"), "interrupted", "the run ended before it"
        ),
    ]
    return make_result((*result.cases, *wrong), result.workers)


def make_weight(**more: float) -> Weight:
    """What a call does to memory: 448 bytes at most, and nothing is kept or returned."""
    parts: dict[str, Any] = {
        "calls": 64,
        "kept_blocks": 0.0,
        "kept_bytes": 0.0,
        "result_blocks": 0.0,
        "result_bytes": 0.0,
        "peak_bytes": 448.0,
    }
    return Weight(**{**parts, **more})


def make_instructions(per_call: Mapping[Case, int], index: int = 0) -> InstructionRecord:
    """A process that counted so many instructions per call, and 400 for the control."""
    times = ("2026-01-02T03:10:00+00:00", "2026-01-02T03:10:30+00:00")
    counts = {
        case.name: Counts((10, 30), (10 * each + 99, 30 * each + 99))
        for case, each in per_call.items()
    }
    control = {CONTROL: Counts((10, 30), (4000, 12_000))}
    return InstructionRecord(index, index, *times, controls=control, operations=counts)


def make_allocations(weights: Mapping[Case, Weight], index: int = 0) -> AllocationRecord:
    """A process that weighed these cases."""
    times = ("2026-01-02T03:11:00+00:00", "2026-01-02T03:11:10+00:00")
    return AllocationRecord(
        index, index, *times, {case.name: each for case, each in weights.items()}
    )


def with_all_signals(result: Result) -> Result:
    """The same result, with instructions and allocations of all that was measured."""
    cases = [record.case for record in result.cases if record.status == "measured"]
    counts = {case: 4_321 + 9_876 * position for position, case in enumerate(cases)}
    weights = {case: make_weight(peak_bytes=448.0 + len(case.name)) for case in cases}
    return dataclasses.replace(
        result,
        signals=("latency", "instructions", "allocations"),
        instructions=(make_instructions(counts),),
        allocations=(make_allocations(weights),),
    )


def make_range(expected: float = 1.0, width: float = 0.1, **more: Any) -> Range:
    """A range of this half width."""
    parts: dict[str, Any] = {
        "expected": expected,
        "low": expected * (1 - width),
        "high": expected * (1 + width),
        "runs": 5,
        "workers": 40,
        "spread": 0.01,
    }
    return Range(**{**parts, **more})


def make_baseline(ranges: Mapping[str, Mapping[str, Range]] | None = None, **more: Any) -> Baseline:
    """A baseline with these ranges."""
    parts: dict[str, Any] = {
        "schema": 1,
        "tool_version": "0.1.0",
        "reference_version": 1,
        "environment": make_environment(),
        "commit": None,
        "learned": "2026-01-02T03:05:00+00:00",
        "reason": "first",
        "ranges": {make_case().name: {"ratio": make_range()}} if ranges is None else ranges,
    }
    return Baseline(**{**parts, **more})
