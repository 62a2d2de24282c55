"""Rates under load: all callers share one operation for a while, again and again.

A sample is a window of time. All callers are released together, each calls back to back until the
window has closed, and finishes its last call. Control and operations take turns in a random order,
so that a disturbance hits all alike. A pass of its own times each call: the clock would disturb the
rates.

Around real calls, a sample is a fixed number of calls instead, the same for control and operations:
the first call of a sample finds the caches cold, and would weigh more where fewer calls fit into a
window of time, that is, in the slower operation.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from resilience_bench._model import LoadSamples
from resilience_bench.scenarios.definition import BoundCase
from resilience_bench.scenarios.loads import (
    CPU,
    MIXED,
    NOOP,
    PAYLOADS,
    PROCESSES,
    TASKS,
    Load,
    parse_load,
)
from resilience_bench.worker import load_loops, timing
from resilience_bench.worker.callers import (
    ENDING_S,
    CallerFailedError,
    Callers,
    Job,
    run_and_measure_lag,
)
from resilience_bench.worker.operations import Operation, make_control_key
from resilience_bench.worker.payloads import return_result
from resilience_bench.worker.timing import calibrate, make_sampler

CHUNK_NS: Final = 20_000
"""How long the calls take that a caller makes between two looks at the clock, about."""
LARGEST_CHUNK: Final = 1000
RELEASES: Final = 7
"""Empty windows, the shortest of which is what a release takes."""
TURN_NS: Final = 10_000_000
"""A thread that wants to run Python waits 5 ms for each that runs; a window has two turns each."""
TASK_NS: Final = 50_000
LONGEST_WINDOW_NS: Final = 100_000_000
MOST_FIXED_CALLS: Final = 20
"""Calls that each caller makes in a sample of a fixed number of calls, at most."""
LONGEST_FIXED_NS: Final = 3_000_000
"""How long such a sample may take, about, unless a single call takes longer."""
SLOW_FACTOR: Final = 10
"""Maximum time of all samples of an operation, relative to those of the bare call."""
FEWEST_ROUNDS: Final = 8
"""Minimum samples of an operation, however slow it is."""
FIXED_TRIES: Final = 9
"""Bare calls, the median of which says how many calls fit into such a sample."""
MOST_STAMPS: Final = 200_000
ORDER: Final = "order of the subjects"


@dataclass(slots=True, eq=False)
class LoadSubject:
    """A control or an operation under a load, with its samples so far."""

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
    loop: Callable[..., Any] | None = None

    def add_sample(self, calls: Sequence[int], elapsed_ns: int) -> None:
        """Add a sample: the calls of each caller, and how long all of them took."""
        self.calls.append(sum(calls))
        self.total += sum(calls)
        self.elapsed_ns.append(max(elapsed_ns, 1))
        self.fewest.append(min(calls))
        self.most.append(max(calls))

    def read_counter(self) -> float | None:
        """Read the library's counter, where there is one."""
        return self.operation.count() if self.operation.count else None


@dataclass(slots=True)
class LoadGroup:
    """Cases under one load with one control; ``starting`` is called with what is about to run.

    ``fixed_calls`` is how many calls each caller makes in a sample around a real call, and
    ``fixed_ns`` how long the bare ones take, at least a window.
    """

    load: Load
    payload: str
    callers: Callers
    runner: asyncio.Runner
    window_ns: int
    limit_s: float
    starting: Callable[[str], None]
    release_ns: int = 0
    fixed_calls: int = 1
    fixed_ns: int = 0

    @property
    def is_fixed(self) -> bool:
        """Whether a sample is a fixed number of calls, and no window of time.

        Readers go on until a window has closed, so a mixed load has windows.
        """
        return self.payload not in PAYLOADS and self.load.kind != MIXED

    def watch(self, name: str) -> None:
        """Announce a case; end this process with all tracebacks if it takes too long."""
        self.starting(name)
        # Callers that are processes are ended first, and have as long from when they start.
        ending_s = ENDING_S if self.load.kind == PROCESSES else 0.0
        faulthandler.dump_traceback_later(self.limit_s + ending_s, exit=True)

    def measure(self, subjects: Sequence[LoadSubject], rounds: int) -> dict[str, str]:
        """Calibrate, sample all in turns; return why a subject, by name, has too few samples.

        The first subject is the control.
        """
        failed: dict[str, str] = {}
        with timing.disable_collection():
            for subject in subjects:
                self._run_guarded(subject, failed, self._calibrate)
            empty = self._make_sampling_job(subjects[0], is_empty=True)
            self.release_ns = min(self._run_job(empty)[0] for _ in range(RELEASES))
            if self.is_fixed:
                self._run_guarded(subjects[0], failed, self._fix_calls)
            # A random order: what always followed the bare call would find it in the caches. The
            # hash of a text differs from worker to worker.
            generator = random.Random(hash(ORDER))  # noqa: S311 - no secret
            for _ in range(rounds):
                due = [subject for subject in subjects if not self._is_too_slow(subject, rounds)]
                for subject in generator.sample(due, len(due)):
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
        """Choose how many calls take about `CHUNK_NS`."""
        if subject.operation.prepare is None:
            alone = timing.Subject(subject.name, make_sampler(subject.operation, self.runner))
            calibrate(alone, CHUNK_NS, samples=1, case_ns=self.window_ns, fewest=1)
            subject.chunk = min(alone.calls, LARGEST_CHUNK)
        subject.first_count = subject.read_counter()

    def _fix_calls(self, control: LoadSubject) -> None:
        """Choose how many calls fit into a sample: from the bare call, so the same for all."""
        longest_ns = min(self.window_ns, LONGEST_FIXED_NS)
        call_ns = max(self._measure_call_ns(control), 1)
        self.fixed_calls = max(1, min(longest_ns // call_ns, MOST_FIXED_CALLS))
        self.fixed_ns = max(self.window_ns, self.fixed_calls * call_ns)

    def _is_too_slow(self, subject: LoadSubject, rounds: int) -> bool:
        """Return whether a slow operation has enough samples: their differences are large."""
        limit_ns = SLOW_FACTOR * rounds * self.fixed_ns
        many = len(subject.calls) >= FEWEST_ROUNDS
        return self.is_fixed and many and sum(subject.elapsed_ns) > limit_ns

    def _measure_call_ns(self, control: LoadSubject) -> int:
        """Return the median time in which each caller makes one call."""
        job = self._make_sampling_job(control)
        elapsed_ns = sorted(self._run_job(job)[0] for _ in range(FIXED_TRIES))
        return elapsed_ns[FIXED_TRIES // 2] - self.release_ns

    def _sample(self, subject: LoadSubject) -> None:
        if subject.operation.prepare is not None:
            self.run_burst(subject)
            return
        elapsed_ns, results = self._run_job(self._make_sampling_job(subject))
        calls = [count for count, _ in results]
        subject.add_sample(calls[: self.load.callers], elapsed_ns - self.release_ns)
        if self.load.kind == MIXED:
            subject.reads.append(sum(calls[self.load.callers :]))

    def _run_job(self, job: Job) -> tuple[int, list[Any]]:
        """Return how long it took until the last caller had ended, and the callers' results."""
        released_ns, results = self.callers.run_together(job)
        return max(ended_ns for _, ended_ns in results) - released_ns, results

    def _make_sampling_job(self, subject: LoadSubject, *, is_empty: bool = False) -> Job:
        """Return the job of each caller in a sample; in an empty one, nobody calls."""
        if self.is_fixed:
            # Made once: a new loop would be one more thing that is not in the caches.
            subject.loop = subject.loop or load_loops.make_fixed_loop(subject.operation)
            return self._make_job(subject, subject.loop, 0, 0 if is_empty else self.fixed_calls)
        return self.make_window_job(subject, -1 if is_empty else self.window_ns)

    def make_window_job(self, subject: LoadSubject, window_ns: int) -> Job:
        """Return the job of each caller: call until the window has closed; a reader reads."""
        return self._make_job(
            subject, load_loops.make_loop(subject.operation), window_ns, subject.chunk
        )

    def _make_job(
        self, subject: LoadSubject, loop: Callable[..., Any], window_ns: int, *arguments: int
    ) -> Job:
        reading = load_loops.make_loop(
            Operation(subject.operation.count or return_result, is_async=False)
        )
        callers = self.load.callers

        def job(caller: int, released_ns: int) -> Any:
            closes_ns = released_ns + window_ns
            return loop(closes_ns, *arguments) if caller < callers else reading(closes_ns, 1)

        return job

    def run_burst(self, subject: LoadSubject) -> None:
        """Have each caller call once at the same time, after a breaker was prepared for a probe."""
        prepare = subject.operation.prepare
        assert prepare is not None
        call_once = load_loops.make_single_call(subject.operation)
        prepare()
        released_ns, results = self.callers.run_together(lambda _caller, _released_ns: call_once())
        last_ns = max(ended_ns for _, ended_ns in results)
        # Not less the release: the first caller is at work while the last one is released.
        subject.add_sample([count for count, _ in results], last_ns - released_ns)

    def samples(self, subject: LoadSubject, *, timed_ns: int) -> LoadSamples:
        """Return the samples, after timing single calls for a window or more, unless it is 0 ns."""
        self.watch(subject.name)
        is_burst = subject.operation.prepare is not None
        timed = self._time_single_calls(subject, timed_ns) if timed_ns and not is_burst else {}
        return LoadSamples(
            self.load.callers,
            tuple(subject.calls),
            tuple(subject.elapsed_ns),
            tuple(subject.fewest),
            tuple(subject.most),
            0 if is_burst else self.release_ns,
            tuple(subject.reads),
            **timed,
        )

    def _time_single_calls(self, subject: LoadSubject, timed_ns: int) -> dict[str, Any]:
        clock_ns = load_loops.measure_clock_cost(self.runner, is_async=subject.operation.is_async)
        loop = load_loops.make_timed_loop(subject.operation)
        most = max(MOST_STAMPS // self.load.callers, 1)
        window_ns = choose_long_window_ns(self.load, self.payload, max(timed_ns, self.window_ns))
        job = self._make_job(subject, loop, window_ns, subject.chunk, most)
        (_, stamps), lags_ns = run_and_measure_lag(self.callers, job)
        durations = [load_loops.compute_durations(times) for times in stamps[: self.load.callers]]
        subject.total += sum(map(len, durations))
        return {
            "latencies": load_loops.build_histogram(itertools.chain.from_iterable(durations)),
            "longest_ns": max(map(max, filter(None, durations)), default=0),
            "clock_ns": clock_ns,
            "lags_ns": lags_ns,
        }


def explain_failure(error: Exception) -> str:
    """Return why a case failed whose callers raised an error."""
    if isinstance(error, CallerFailedError):
        return f"under this load {error}"
    return f"under this load it raised {type(error).__name__}: {error}"


def choose_window_ns(load: Load, least_ns: int) -> int:
    """Return a window in which every task gets to call: starting a thousand takes a while."""
    return max(least_ns, load.callers * TASK_NS) if load.kind == TASKS else least_ns


def choose_long_window_ns(load: Load, payload: str, least_ns: int) -> int:
    """Return a window with two turns of every thread that shares the interpreter's lock."""
    if load.kind == PROCESSES or payload not in {NOOP, CPU}:
        return least_ns
    turns_ns = (load.callers + load.readers) * TURN_NS
    return max(least_ns, min(turns_ns, LONGEST_WINDOW_NS))


def group_by_control(bounds: Sequence[BoundCase]) -> Iterator[tuple[Load, str, list[BoundCase]]]:
    """Yield the cases with the same load, payload and control, which are measured in turns."""
    groups: dict[str, list[BoundCase]] = {}
    for bound in bounds:
        groups.setdefault(make_control_key(bound), []).append(bound)
    for group in groups.values():
        case = group[0].info.case
        yield parse_load(case.load), case.payload, group
