"""The clock: calibrated samples of back-to-back calls, taken in interleaved rounds."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from resilience_bench._model import Samples
from resilience_bench.worker.operations import Operation
from resilience_bench.worker.payloads import copy_function

Sampler = Callable[[int, int], int]
"""``sampler(calls, warm)`` makes ``warm`` calls, then times ``calls`` calls back to back; in ns."""

CALIBRATION_TRIES: Final = 3
MAX_CALLS: Final = 1_000_000
WORTH_WARMING_NS: Final = 1_000_000
"""A longer operation needs no warm-up call: it refills the caches many times over."""


def make_sampler(operation: Operation, runner: asyncio.Runner) -> Sampler:
    """Make a sampler of one operation, with a loop that no other operation runs in."""
    if operation.is_async:
        loop = copy_function(_sample_async_raising if operation.raises else _sample_async)
        run = runner.get_loop().run_until_complete
        return lambda calls, warm: run(loop(operation, calls, warm))
    loop = copy_function(_sample_raising if operation.raises else _sample)
    return lambda calls, warm: loop(operation, calls, warm)


# The loops below are written out, because a function call around the operation would cost time.
# Each makes warm-up calls before the clock starts: other operations ran since the last sample, and
# refilling the caches would count for much in a sample of ten calls.


def _sample(operation: Operation, calls: int, warm: int) -> int:
    call = operation.call
    clock = time.perf_counter_ns
    for _ in itertools.repeat(None, warm):
        call()
    repeats = itertools.repeat(None, calls)
    start = clock()
    for _ in repeats:
        call()
    return clock() - start


def _sample_raising(operation: Operation, calls: int, warm: int) -> int:
    call = operation.call
    raises = operation.raises
    clock = time.perf_counter_ns
    for _ in itertools.repeat(None, warm):
        try:
            call()
        except raises:
            pass
    repeats = itertools.repeat(None, calls)
    start = clock()
    for _ in repeats:
        try:
            call()
        except raises:
            pass
    return clock() - start


async def _sample_async(operation: Operation, calls: int, warm: int) -> int:
    call = operation.call
    clock = time.perf_counter_ns
    for _ in itertools.repeat(None, warm):
        await call()
    repeats = itertools.repeat(None, calls)
    start = clock()
    for _ in repeats:
        await call()
    return clock() - start


async def _sample_async_raising(operation: Operation, calls: int, warm: int) -> int:
    call = operation.call
    raises = operation.raises
    clock = time.perf_counter_ns
    for _ in itertools.repeat(None, warm):
        try:
            await call()
        except raises:
            pass
    repeats = itertools.repeat(None, calls)
    start = clock()
    for _ in repeats:
        try:
            await call()
        except raises:
            pass
    return clock() - start


def count_function_calls(sample: Sampler, limit: int) -> int:
    """Count the function calls that one call of an operation makes, up to a limit: its size."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}
        if calls >= limit:
            sys.setprofile(None)

    sys.setprofile(count)
    try:
        sample(1, 0)
    finally:
        sys.setprofile(None)
    return max(calls, 1)


@dataclass(slots=True, eq=False)
class Subject:
    """The reference, a control or an operation, with its samples so far."""

    name: str
    sample: Sampler
    calls: int = 1
    warm: int = 1
    wanted: int = 0
    elapsed_ns: list[int] = field(default_factory=list)
    beside: list[int] = field(default_factory=list)

    def take(self) -> None:
        """Take one sample."""
        self.elapsed_ns.append(self.sample(self.calls, self.warm))

    def samples(self) -> Samples:
        """Return the samples so far."""
        return Samples(self.calls, tuple(self.elapsed_ns), tuple(self.beside))


def calibrate(subject: Subject, sample_ns: int, samples: int, case_ns: int, fewest: int) -> None:
    """Set how many calls make a sample of ``sample_ns``, and how many samples the time allows.

    An operation that fits into one gets all ``samples``; those of a slower one may take
    ``case_ns`` together, but there are at least ``fewest``.
    """
    calls = 1
    elapsed = _measure_shortest(subject, calls, case_ns)
    while elapsed < sample_ns // 4 and calls < MAX_CALLS:
        calls *= 4
        elapsed = _measure_shortest(subject, calls, case_ns)
    call_ns = elapsed / calls
    subject.calls = max(1, min(MAX_CALLS, round(sample_ns / max(call_ns, 1))))
    subject.warm = int(call_ns < WORTH_WARMING_NS)
    affordable = int(case_ns / max(call_ns * subject.calls, 1))
    subject.wanted = max(min(samples, affordable), min(samples, fewest))


def _measure_shortest(subject: Subject, calls: int, patience_ns: int) -> int:
    # A stolen time slice is longer than many samples: a calibration that included one would make
    # the samples of this worker so short that they are all cold.
    elapsed = spent = subject.sample(calls, 0)
    for _ in range(CALIBRATION_TRIES - 1):
        if spent > patience_ns:
            break
        again = subject.sample(calls, 0)
        spent += again
        elapsed = min(elapsed, again)
    return elapsed


def interleave_references(
    references: Sequence[Subject], subjects: Sequence[Subject]
) -> list[Subject]:
    """Return the order of a round: the subjects, with the references evenly between them."""
    order: list[Subject] = []
    for number, reference in enumerate(references):
        start = number * len(subjects) // len(references)
        end = (number + 1) * len(subjects) // len(references)
        order += [reference, *subjects[start:end]]
    return order


def merge_samples(subjects: Sequence[Subject]) -> Samples:
    """Return the samples of several subjects that do the same, in the order of time."""
    rounds = zip(*(subject.elapsed_ns for subject in subjects), strict=True)
    return Samples(subjects[0].calls, tuple(itertools.chain.from_iterable(rounds)))


def run_rounds(
    subjects: Sequence[Subject],
    rounds: int,
    between: Callable[[], None],
    references: Sequence[Subject] = (),
) -> None:
    """Sample all subjects in interleaved rounds, so that a disturbance hits all alike.

    A subject that wants fewer samples than there are rounds is visited in evenly spread rounds.
    ``between`` is called between rounds, untimed. Subjects that are no ``references`` record beside
    which of their samples they were taken.
    """
    taken = 0
    with disable_collection():
        for number in range(1, rounds + 1):
            for subject in subjects:
                due = number * subject.wanted // rounds
                if due > len(subject.elapsed_ns):
                    subject.take()
                    gc.collect(1)  # if garbage piled up, the next sample would map new memory
                    if subject in references:
                        taken += 1
                    elif references:
                        subject.beside.append(max(taken - 1, 0))
            between()


@contextlib.contextmanager
def disable_collection() -> Iterator[None]:
    """Keep the garbage collection off, and all objects that exist now out of it."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
