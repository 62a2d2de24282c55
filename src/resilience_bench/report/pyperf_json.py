"""A result as pyperf's JSON: ``python -m pyperf stats|hist|compare_to`` read it.

It is written without pyperf, which would bring psutil into every installation.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from resilience_bench._model import AllocationRecord, InstructionRecord, Result, WorkerRecord
from resilience_bench.report.exported import refuse_empty
from resilience_bench.stats.latency import LEAST_BLOCKS_PER_CALL

VERSION: Final = "1.0"
"""The format that pyperf 2 reads and writes."""


@dataclass(frozen=True, slots=True)
class _ProcessValues:
    """What one process measured of one case, under the name of a benchmark."""

    record: WorkerRecord | InstructionRecord | AllocationRecord
    name: str
    unit: Literal["second", "integer", "byte"]
    values: Sequence[float]
    calls: int = 1


def render(result: Result) -> str:
    """Return the benchmarks of every case: one pyperf run a process, in the unit of the signal.

    The latency is under the name of the case, one value a sample. ``<case> instructions``,
    ``<case> peak bytes`` and ``<case> object bytes`` (where calls return objects of their own) have
    one value a process, because that is all that there is.

    Raises:
        UserError: If nothing was measured; pyperf has no file for that.
    """
    runs: dict[str, list[dict[str, Any]]] = {}
    for record in result.cases:
        if record.status != "broken":
            for process in _collect_values(result, record.case.name):
                if run := _make_run(result, process):
                    runs.setdefault(process.name, []).append(run)
    if not runs:
        refuse_empty(result)
    benchmarks = [{"runs": members} for members in runs.values()]
    return json.dumps({"version": VERSION, "benchmarks": benchmarks}, separators=(",", ":")) + "\n"


def _collect_values(result: Result, case: str) -> Iterator[_ProcessValues]:
    for worker in result.workers:
        if samples := worker.operations.get(case):
            values = [elapsed_ns / samples.calls / 1e9 for elapsed_ns in samples.elapsed_ns]
            yield _ProcessValues(worker, case, "second", values, samples.calls)
    for counting in result.instructions:
        if counts := counting.operations.get(case):
            calls = counts.calls[1] - counts.calls[0]
            values = [round(counts.per_call)]
            yield _ProcessValues(counting, f"{case} instructions", "integer", values, calls)
    for weighing in result.allocations:
        if weight := weighing.operations.get(case):
            values = [weight.peak_bytes]
            yield _ProcessValues(weighing, f"{case} peak bytes", "byte", values)
            values = [weight.result_bytes] if weight.result_blocks >= LEAST_BLOCKS_PER_CALL else []
            yield _ProcessValues(weighing, f"{case} object bytes", "byte", values)


def _make_run(result: Result, process: _ProcessValues) -> dict[str, Any] | None:
    # pyperf takes positive values only; a sample of 0 ns is what a coarse clock made of one.
    values = [value for value in process.values if value > 0]
    if not values:
        return None
    metadata = _make_metadata(result, process)
    # pyperf refuses texts that are empty or of several lines.
    texts = {key: " ".join(text.split()) for key, text in metadata.items() if isinstance(text, str)}
    kept = {key: texts.get(key, value) for key, value in metadata.items() if texts.get(key) != ""}
    return {"metadata": kept, "values": values}


def _make_metadata(result: Result, process: _ProcessValues) -> dict[str, Any]:
    environment = result.environment
    return {
        "name": process.name,
        "unit": process.unit,
        "loops": process.calls,
        **_make_time_metadata(process.record.started, process.record.ended),
        "python_version": environment.python.rpartition(" ")[2],
        "python_implementation": environment.python.partition(" ")[0].lower(),
        "python_hash_seed": process.record.hash_seed,
        "cpu_model_name": environment.cpu_model,
        "cpu_count": max(environment.cpu_count, 1),
        "platform": f"{environment.os} {environment.machine}",
        "resilience_bench_version": result.tool_version,
    }


def _make_time_metadata(started: str, ended: str) -> dict[str, Any]:
    try:
        begun = dt.datetime.fromisoformat(started)
        duration = (dt.datetime.fromisoformat(ended) - begun).total_seconds()
    except (ValueError, TypeError):
        return {}  # a file that somebody edited; pyperf does without
    return {"date": str(begun.replace(tzinfo=None)), "duration": max(duration, 0.0)}
