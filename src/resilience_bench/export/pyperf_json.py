"""A result as pyperf's JSON: ``python -m pyperf stats|hist|compare_to`` read it."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator
from typing import Any

import pyperf

from resilience_bench._model import Result, WorkerRecord
from resilience_bench.errors import UserError


def render(result: Result) -> str:
    """One pyperf benchmark a measured case, one pyperf run a worker, one value a sample.

    Raises:
        UserError: If nothing was measured; pyperf has no file for that.
    """
    benchmarks = [
        pyperf.Benchmark(runs)
        for record in result.cases
        if record.status != "broken" and (runs := list(_runs(result, record.case.name)))
    ]
    if not benchmarks:
        message = "nothing was measured, so there is nothing to export; type 'resilience-bench run'"
        raise UserError(message)
    file = io.StringIO()
    pyperf.BenchmarkSuite(benchmarks).dump(file)
    return file.getvalue()


def _runs(result: Result, name: str) -> Iterator[pyperf.Run]:
    for worker in result.workers:
        samples = worker.operations.get(name)
        # pyperf takes positive values only; a sample of 0 ns is what a coarse clock made of one.
        values = (
            [each / samples.calls / 1e9 for each in samples.elapsed_ns if each] if samples else []
        )
        if samples and values:
            metadata = _metadata(result, worker, name, samples.calls)
            yield pyperf.Run(values, metadata=metadata, collect_metadata=False)


def _metadata(result: Result, worker: WorkerRecord, name: str, calls: int) -> dict[str, Any]:
    environment = result.environment
    metadata = {
        "name": name,
        "unit": "second",
        "loops": calls,
        **_times(worker),
        "python_version": environment.python.rpartition(" ")[2],
        "python_implementation": environment.python.partition(" ")[0].lower(),
        "python_hash_seed": worker.hash_seed,
        "cpu_model_name": environment.cpu_model,
        "cpu_count": max(environment.cpu_count, 1),
        "platform": f"{environment.os} {environment.machine}",
        "resilience_bench_version": result.tool_version,
    }
    # pyperf refuses texts that are empty or of several lines.
    texts = {key: " ".join(text.split()) for key, text in metadata.items() if isinstance(text, str)}
    return {key: texts.get(key, value) for key, value in metadata.items() if texts.get(key) != ""}


def _times(worker: WorkerRecord) -> dict[str, Any]:
    try:
        started = dt.datetime.fromisoformat(worker.started)
        ended = dt.datetime.fromisoformat(worker.ended)
        duration = (ended - started).total_seconds()
    except (ValueError, TypeError):
        return {}  # a file that somebody edited; pyperf does without
    return {"date": str(started.replace(tzinfo=None)), "duration": max(duration, 0.0)}
