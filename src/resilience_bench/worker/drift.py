"""Long runs: one operation is called for a long time, and its cost and memory are recorded.

Records are allocated beforehand: a growing list would look like growth of the operation.
"""

from __future__ import annotations

import array
import asyncio
import gc
import itertools
import mmap
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from resilience_bench._model import DriftPoints
from resilience_bench.worker import timing
from resilience_bench.worker.operations import Operation
from resilience_bench.worker.reference import Reference

STEPS: Final = 60
"""Steps into which the time is divided, with a point at the end of each."""
REFERENCE_EVERY: Final = 8
"""Samples per sample of the reference."""
KEPT_SAMPLES: Final = 1024
"""Samples of a step that are kept, evenly spread over it."""
LOW_QUANTILE: Final = 0.10
"""The quantile of a step's samples that is its value: noise only adds time."""
MOST_GROWTH_BYTES: Final = 1 << 30
"""Growth at which a run ends: it is proved by then."""
POINT_BYTES: Final = MOST_GROWTH_BYTES // STEPS
"""Growth at which a step ends early, so that a fast leak gets its points as well."""
MEMORY_CHECK_NS: Final = 50_000_000
"""Time between two looks at the memory within a step."""
CALIBRATION_NS: Final = 10_000_000
STATM: Final = Path("/proc/self/statm")


class ThinnedSamples:
    """A bounded number of samples out of many, evenly spread over their time."""

    def __init__(self, room: int = KEPT_SAMPLES) -> None:
        self._samples = array.array("q", bytes(8 * room))
        self.clear()

    def clear(self) -> None:
        """Drop all samples."""
        self.seen = 0
        self._count = 0
        self._stride = 1

    def add(self, sample: int) -> None:
        """Keep every sample; once there is no more room every second, then every fourth."""
        if self.seen % self._stride == 0:
            if self._count == len(self._samples):
                self._count = len(self._samples) // 2
                for place in range(self._count):
                    self._samples[place] = self._samples[2 * place]
                self._stride *= 2
            self._samples[self._count] = sample
            self._count += 1
        self.seen += 1

    def low(self) -> float:
        """Return the 10 % quantile, interpolated between two samples."""
        ordered = sorted(self._samples[: self._count])
        place = LOW_QUANTILE * (len(ordered) - 1)
        first = int(place)
        after = ordered[min(first + 1, len(ordered) - 1)]
        return ordered[first] + (place - first) * (after - ordered[first])


class LongRun:
    """A long run of one operation, whose points are there even after it raised."""

    def __init__(self, operation: Operation, runner: asyncio.Runner, sample_ns: int) -> None:
        reference = Operation(Reference(), is_async=False)
        self._operation = self._subject(timing.make_sampler(operation, runner), sample_ns)
        self._reference = self._subject(timing.make_sampler(reference, runner), sample_ns)
        self._operations, self._references = ThinnedSamples(), ThinnedSamples()
        room = bytes(8 * 2 * STEPS)
        self._points = 0
        self._calls, self._blocks, self._resident = (array.array("q", room) for _ in range(3))
        self._operation_ns, self._reference_ns = (array.array("d", room) for _ in range(2))
        self.calls = 0

    def _subject(self, sample: timing.Sampler, sample_ns: int) -> timing.Subject:
        subject = timing.Subject("", sample)
        timing.calibrate(subject, sample_ns, 1, CALIBRATION_NS, 1)
        return subject

    def keep_going(self, seconds: float, between: Callable[[], None]) -> None:
        """Call the operation for a time; call ``between`` several times a second, untimed."""
        with timing.disable_collection():
            began_ns = time.perf_counter_ns()
            ends_ns = began_ns + int(seconds * 1e9)
            step_ns = (ends_ns - began_ns) // STEPS
            first_bytes = read_resident_bytes()
            while (now_ns := time.perf_counter_ns()) < ends_ns and self._points < 2 * STEPS:
                steps = (now_ns - began_ns) // step_ns + 1
                self._step(min(began_ns + steps * step_ns, ends_ns), between)
                if read_resident_bytes() > first_bytes + MOST_GROWTH_BYTES:
                    break

    def _step(self, ends_ns: int, between: Callable[[], None]) -> None:
        most_bytes = read_resident_bytes() + POINT_BYTES
        self._operations.clear()
        self._references.clear()
        looked_ns = 0
        for number in itertools.count():
            if number % REFERENCE_EVERY == 0:
                self._references.add(self._sample(self._reference))
                continue
            self._operations.add(self._sample(self._operation))
            self.calls += self._operation.calls + self._operation.warm
            now_ns = time.perf_counter_ns()
            if now_ns >= ends_ns:
                break
            if now_ns - looked_ns >= MEMORY_CHECK_NS:
                looked_ns = now_ns
                between()
                if read_resident_bytes() > most_bytes:
                    break
        self._add_point()

    def _sample(self, subject: timing.Subject) -> int:
        elapsed_ns = subject.sample(subject.calls, subject.warm)
        # The next sample must not collect the garbage of this one.
        gc.collect(1)
        return elapsed_ns

    def _add_point(self) -> None:
        gc.collect()
        place = self._points
        self._calls[place] = self.calls
        self._operation_ns[place] = self._operations.low() / self._operation.calls
        self._reference_ns[place] = self._references.low() / self._reference.calls
        if can_count_blocks():
            self._blocks[place] = sys.getallocatedblocks()
        self._resident[place] = read_resident_bytes()
        self._points += 1

    def points(self) -> DriftPoints:
        """Return the points so far; those of the memory where it is known."""
        count = self._points
        return DriftPoints(
            tuple(self._calls[:count]),
            tuple(self._operation_ns[:count]),
            tuple(self._reference_ns[:count]),
            tuple(self._blocks[:count]) if can_count_blocks() else (),
            tuple(self._resident[:count]) if STATM.exists() else (),
        )


def can_count_blocks() -> bool:
    """Return whether this interpreter counts allocated blocks; PyPy does not."""
    return hasattr(sys, "getallocatedblocks")


def read_resident_bytes() -> int:
    """Return how much of this process is in memory; 0 where the system does not say."""
    try:
        return int(STATM.read_bytes().split()[1]) * mmap.PAGESIZE
    except OSError:
        return 0
