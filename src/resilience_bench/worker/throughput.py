"""Rates under load: all callers share one operation for a while, again and again.

A sample is a window of time. All callers are released together, each calls back to back until the
window has closed, and finishes its last call. Control and operations take turns, window by window,
so that whatever the machine does hits them alike. A pass of its own times each call: reading the
clock there does not disturb the rates here. Another pass counts what the payload and the library
say of the same calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from resilience_bench._model import LoadSamples, Tally
from resilience_bench.scenarios.definition import BoundCase
from resilience_bench.scenarios.loads import IO, MIXED, PROCESSES, TASKS, Load, parse_load
from resilience_bench.worker import timing
from resilience_bench.worker.callers import CallerFailedError, Callers, Job, run_and_measure_lag
from resilience_bench.worker.load_loops import (
    build_histogram,
    compute_durations,
    make_loop,
    make_single_call,
    make_timed_loop,
    measure_clock_cost,
)
from resilience_bench.worker.operations import Operation, make_control_key, open_operation
from resilience_bench.worker.payloads import return_result
from resilience_bench.worker.timing import calibrate, make_sampler

CHUNK_NS: Final = 20_000
"""A caller looks at the clock after calls that take about so long together."""
LARGEST_CHUNK: Final = 1000
RELEASES: Final = 7
"""So many empty releases tell what one takes."""
TURN_NS: Final = 10_000_000
"""A thread that wants to run Python waits 5 ms for each that runs; a window has two turns each."""
TASK_NS: Final = 50_000
LONGEST_WINDOW_NS: Final = 100_000_000
MOST_STAMPS: Final = 200_000
BURSTS: Final = 5
TALLIED_WINDOWS: Final = 5
"""What is counted is counted in one window, or in so many until there is something to count."""

Announcer = Callable[[str], None]


@dataclass(slots=True, eq=False)
class LoadSubject:
    """A control or an operation under a load, and what its callers did so far."""

    name: str
    operation: Operation
    chunk: int = 1
    total: int = 0
    first_count: float | None = None
    calls: list[int] = field(default_factory=list)
    elapsed_ns: list[int] = field(default_factory=list)
    fewest: list[int] = field(default_factory=list)
    most: list[int] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)


@dataclass(slots=True)
class LoadGroup:
    """Cases under one load with one control: what is compared with each other.

    ``starting`` is told what is about to run, so that a worker that hangs names its case.
    """

    load: Load
    payload: str
    callers: Callers
    runner: asyncio.Runner
    window_ns: int
    limit_s: float
    starting: Announcer
    release_ns: int = 0

    def watch(self, name: str) -> None:
        """Say what comes, and end this process with every thread's place if it takes too long."""
        self.starting(name)
        faulthandler.dump_traceback_later(self.limit_s, exit=True)

    def measure(self, subjects: Sequence[LoadSubject], rounds: int) -> dict[str, str]:
        """Calibrate, then take a sample of each subject in turns.

        Returns:
            What went wrong, by the name of the subject; such a one has too few samples.
        """
        failed: dict[str, str] = {}
        with _disable_collection():
            for subject in subjects:
                self._run_guarded(subject, failed, self._calibrate)
            empty = [self._run_window(subjects[0], window_ns=-1)[0] for _ in range(RELEASES)]
            self.release_ns = min(empty)
            for _ in range(rounds):
                for subject in subjects:
                    self._run_guarded(subject, failed, self._sample)
                    gc.collect(1)
        return failed

    def _run_guarded(
        self, subject: LoadSubject, failed: dict[str, str], work: Callable[[LoadSubject], None]
    ) -> None:
        if subject.name in failed:
            return
        self.watch(subject.name)
        try:
            work(subject)
        except Exception as error:  # noqa: BLE001 - measured code may raise anything
            failed[subject.name] = explain_failure(error)

    def _calibrate(self, subject: LoadSubject) -> None:
        if subject.operation.prepare is None:
            subject.chunk = self._choose_chunk(subject)
        subject.first_count = _read_counter(subject.operation)

    def _choose_chunk(self, subject: LoadSubject) -> int:
        """How many calls take about `CHUNK_NS`."""
        alone = timing.Subject(subject.name, make_sampler(subject.operation, self.runner))
        calibrate(alone, CHUNK_NS, samples=1, case_ns=self.window_ns, fewest=1)
        return min(alone.calls, LARGEST_CHUNK)

    def _sample(self, subject: LoadSubject) -> None:
        if subject.operation.prepare is not None:
            self.run_burst(subject)
            return
        elapsed_ns, told = self._run_window(subject, self.window_ns)
        calls = [each[0] for each in told[: self.load.callers]]
        subject.calls.append(sum(calls))
        subject.total += sum(calls)
        subject.elapsed_ns.append(max(elapsed_ns - self.release_ns, 1))
        subject.fewest.append(min(calls))
        subject.most.append(max(calls))
        if self.load.kind == MIXED:
            subject.reads.append(sum(each[0] for each in told[self.load.callers :]))

    def _run_window(self, subject: LoadSubject, window_ns: int) -> tuple[int, list[Any]]:
        """A window of calls: how long until the last caller had ended, and what they told."""
        released_ns, told = self.callers.run_together(self.make_window_job(subject, window_ns))
        return max(each[1] for each in told) - released_ns, told

    def make_window_job(self, subject: LoadSubject, window_ns: int) -> Job:
        """What each caller does: call until the window has closed; a reader reads."""
        calls = make_loop(subject.operation)
        reading = make_loop(Operation(subject.operation.count or return_result, is_async=False))
        chunk, callers = subject.chunk, self.load.callers

        def job(caller: int, released_ns: int) -> Any:
            closes_ns = released_ns + window_ns
            return calls(closes_ns, chunk) if caller < callers else reading(closes_ns, 1)

        return job

    def run_burst(self, subject: LoadSubject) -> None:
        """One call of each caller at once, after a breaker was prepared for a probe.

        Nothing is taken off for the release: who was released first is long at its call.
        """
        prepare = subject.operation.prepare
        assert prepare is not None
        called = make_single_call(subject.operation)
        prepare()
        released_ns, told = self.callers.run_together(lambda _caller, _released_ns: called())
        calls = [each[0] for each in told]
        subject.calls.append(sum(calls))
        subject.total += sum(calls)
        subject.elapsed_ns.append(max(max(each[1] for each in told) - released_ns, 1))
        subject.fewest.append(1)
        subject.most.append(1)

    def samples(self, subject: LoadSubject, *, timed_ns: int) -> LoadSamples:
        """What was sampled, and how long single calls take, in a pass of its own from now on.

        Args:
            subject: Whose samples.
            timed_ns: For how long single calls are timed; at least for a window, unless it is 0.
        """
        self.watch(subject.name)
        latencies: dict[int, int] = {}
        lags_ns: tuple[int, ...] = ()
        longest_ns = 0
        clock_ns = 0.0
        if timed_ns and subject.operation.prepare is None:
            clock_ns = measure_clock_cost(self.runner, is_async=subject.operation.is_async)
            (_, stamps), lags_ns = run_and_measure_lag(
                self.callers, self._make_timed_job(subject, timed_ns)
            )
            taken = [compute_durations(each) for each in stamps[: self.load.callers]]
            latencies = build_histogram(itertools.chain.from_iterable(taken))
            longest_ns = max(map(max, filter(None, taken)), default=0)
            subject.total += sum(map(len, taken))
        return LoadSamples(
            self.load.callers,
            tuple(subject.calls),
            tuple(subject.elapsed_ns),
            tuple(subject.fewest),
            tuple(subject.most),
            self.release_ns if subject.operation.prepare is None else 0,
            tuple(subject.reads),
            latencies,
            longest_ns,
            clock_ns,
            lags_ns,
        )

    def _make_timed_job(self, subject: LoadSubject, timed_ns: int) -> Job:
        calls = make_timed_loop(subject.operation)
        reading = make_loop(Operation(subject.operation.count or return_result, is_async=False))
        most = max(MOST_STAMPS // self.load.callers, 1)
        chunk, callers = subject.chunk, self.load.callers
        window_ns = choose_long_window_ns(self.load, self.payload, max(timed_ns, self.window_ns))

        def job(caller: int, released_ns: int) -> Any:
            closes_ns = released_ns + window_ns
            return calls(closes_ns, chunk, most) if caller < callers else reading(closes_ns, 1)

        return job


def explain_failure(error: Exception) -> str:
    """Why a case has failed whose callers raised an error."""
    if isinstance(error, CallerFailedError):
        return f"under this load {error}"
    return f"under this load it raised {type(error).__name__}: {error}"


def choose_window_ns(load: Load, least_ns: int) -> int:
    """A window in which every task gets to call: starting a thousand of them takes a while."""
    return max(least_ns, load.callers * TASK_NS) if load.kind == TASKS else least_ns


def choose_long_window_ns(load: Load, payload: str, least_ns: int) -> int:
    """A window in which every thread has had two turns, where they share the interpreter's lock."""
    if payload == IO or load.kind == PROCESSES:
        return least_ns
    turns = (load.callers + load.readers) * TURN_NS
    return max(least_ns, min(turns, LONGEST_WINDOW_NS))


@contextlib.contextmanager
def _disable_collection() -> Iterator[None]:
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def count_runs(group: LoadGroup, bound: BoundCase, subject: LoadSubject) -> Tally:
    """What the payload and the library's counter say of the calls of another window.

    Args:
        group: The case's.
        bound: The case, which is built once more, with a payload that counts.
        subject: What was timed: its library's counter has to have moved as well.
    """
    runs: list[None] = []
    group.watch(bound.name)
    with open_operation(bound, group.runner, lambda: runs.append(None)) as operation:
        if operation.prepare is not None:
            return _count_probes(group, operation, runs)
        first = _read_counter(operation)
        runs.clear()
        calls, counted_runs = _count_runs_in_windows(
            group, LoadSubject(bound.name, operation, subject.chunk), runs
        )
        counted = _read_counter(operation)
    moved, promised = None, None
    if first is not None and counted is not None and subject.first_count is not None:
        timed = _read_counter(subject.operation) or 0.0
        moved = counted - first + timed - subject.first_count
        promised = (calls + subject.total) * operation.step
    return Tally(calls, counted_runs, calls * bound.scenario.payload_calls, moved, promised)


def _count_runs_in_windows(
    group: LoadGroup, subject: LoadSubject, runs: list[None]
) -> tuple[int, int]:
    """How many calls were made in a window, and how often the payload ran meanwhile.

    A machine that is busy elsewhere for as long as the window gets some more of them.
    """
    job = group.make_window_job(subject, group.window_ns)
    calls = own = 0

    def with_runs(caller: int, released_ns: int) -> tuple[int, int]:
        made, _ended = job(caller, released_ns)
        return made, len(runs)

    for _ in range(TALLIED_WINDOWS):
        if group.load.kind == PROCESSES:  # each has runs of its own, which end with it
            _, told = group.callers.run_together(with_runs)
            own += sum(each[1] for each in told)
        else:
            _, told = group.callers.run_together(job)
        calls += sum(each[0] for each in told[: group.load.callers])
        if calls >= group.load.callers:
            break
    return calls, len(runs) + own


def _count_probes(group: LoadGroup, operation: Operation, runs: list[None]) -> Tally:
    admitted = []
    bursts = LoadSubject("", operation)
    for _ in range(BURSTS):
        before = len(runs)
        group.run_burst(bursts)
        admitted.append(len(runs) - before)
    return Tally(bursts.total, len(runs), len(runs), probes=max(admitted))


def _read_counter(operation: Operation) -> float | None:
    return operation.count() if operation.count else None


def group_by_control(bounds: Sequence[BoundCase]) -> Iterator[tuple[Load, str, list[BoundCase]]]:
    """The cases with the same load, payload and control, which are measured in turns."""
    groups: dict[str, list[BoundCase]] = {}
    for bound in bounds:
        groups.setdefault(make_control_key(bound), []).append(bound)
    for group in groups.values():
        case = group[0].info.case
        yield parse_load(case.load), case.payload, group
