"""Counting under load: how often the payload ran, and what the library's counter says."""

from __future__ import annotations

from typing import Final

from resilience_bench._model import Tally
from resilience_bench.scenarios.definition import BoundCase
from resilience_bench.scenarios.loads import PROCESSES
from resilience_bench.worker.operations import Operation, open_operation
from resilience_bench.worker.throughput import LoadGroup, LoadSubject

BURSTS: Final = 5
MOST_WINDOWS: Final = 5
"""Windows at most, until every caller has made a call on average."""


def count_runs(group: LoadGroup, bound: BoundCase, subject: LoadSubject) -> Tally:
    """Count the runs of the case, built once more, and read its counter and that of the subject."""
    runs: list[None] = []
    group.watch(bound.name)
    with open_operation(bound, group.runner, lambda: runs.append(None)) as operation:
        if operation.prepare is not None:
            return _count_probes(group, operation, runs)
        counted = LoadSubject(bound.name, operation, subject.chunk)
        first = counted.read_counter()
        runs.clear()
        calls, payload_runs = _count_in_windows(group, counted, runs)
        last = counted.read_counter()
    moved, promised = None, None
    if first is not None and last is not None and subject.first_count is not None:
        moved = last - first + (subject.read_counter() or 0.0) - subject.first_count
        promised = (calls + subject.total) * operation.step
    return Tally(calls, payload_runs, calls * bound.scenario.payload_calls, moved, promised)


def _count_in_windows(group: LoadGroup, subject: LoadSubject, runs: list[None]) -> tuple[int, int]:
    """Return how many calls were made, and how often the payload ran meanwhile."""
    job = group.make_window_job(subject, group.window_ns)
    calls = runs_in_processes = 0

    def with_runs(caller: int, released_ns: int) -> tuple[int, int]:
        made, _ended_ns = job(caller, released_ns)
        return made, len(runs)

    for _ in range(MOST_WINDOWS):  # on a machine that is busy elsewhere one may pass without a call
        if group.load.kind == PROCESSES:  # each has runs of its own, which end with it
            _, results = group.callers.run_together(with_runs)
            runs_in_processes += sum(count for _, count in results)
        else:
            _, results = group.callers.run_together(job)
        calls += sum(made for made, _ in results[: group.load.callers])
        if calls >= group.load.callers:
            break
    return calls, len(runs) + runs_in_processes


def _count_probes(group: LoadGroup, operation: Operation, runs: list[None]) -> Tally:
    admitted = []
    bursts = LoadSubject("", operation)
    for _ in range(BURSTS):
        before = len(runs)
        group.run_burst(bursts)
        admitted.append(len(runs) - before)
    return Tally(bursts.total, len(runs), len(runs), probes=max(admitted))
