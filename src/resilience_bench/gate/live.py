"""Evidence that is measured when the gate asks for it: of one variant, or of HEAD and BASE."""

from __future__ import annotations

import collections
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from resilience_bench import _model
from resilience_bench._model import CaseRecord, Signal
from resilience_bench.gate.evidence import Records, choose_record, collect_evidence
from resilience_bench.gate.trial import Evidence, Key, Observations, extend_evidence
from resilience_bench.measure.interleave import MeasuredVariant, order_by_turn
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.session import MEASURABLE_STATUSES, FinishedBlock
from resilience_bench.quantities import COUNT_SIGNALS, LOAD_SIGNALS

BLOCK: Final = 4
"""A confirmation of latencies looks at the clock after this many workers of each variant."""

Show = Callable[[FinishedBlock], None]


def select_records(
    recording: Recording, signals: Collection[Signal], indices: Collection[int]
) -> Records:
    """Return the records of some signals by the workers and processes of these numbers."""

    def select(signal: Signal, kind: type[Any], indices: Collection[int]) -> list[Any]:
        records = recording.select(kind) if signal in signals else []
        return [record for record in records if record.index in indices]

    under_load: Signal = "scaling" if "scaling" in signals else "share"
    return Records(
        select("latency", _model.WorkerRecord, indices),
        select("latency", _model.WorkerRecord, range(min(indices, default=0))),
        select("instructions", _model.InstructionRecord, indices),
        select("allocations", _model.AllocationRecord, indices),
        select(under_load, _model.LoadRecord, indices),
    )


@dataclass(slots=True)
class LiveSource:
    """A source that measures HEAD, or HEAD, BASE and the null control (BASE once more).

    The variants take turns worker by worker in the order A B B A, and worker i has the same hash
    seed in all of them. They never run at the same time: two busy cores disturb each other more
    than alternation does. After ``deadline``, on the clock of `time.monotonic`, no more workers
    are started for a confirmation. ``first_pass`` numbers the first process that counts: its hash
    seed and its memory layout.
    """

    head: MeasuredVariant
    show: Show
    signals: tuple[Signal, ...]
    not_available: Mapping[str, str]
    base: MeasuredVariant | None = None
    null: MeasuredVariant | None = None
    deadline: float = math.inf
    first_pass: int = 0
    _drawn: collections.Counter[str] = field(default_factory=collections.Counter)

    @property
    def cases(self) -> Mapping[str, CaseRecord]:
        """The status of every case; what one variant cannot do cannot be compared."""
        bases = self.base.session.records if self.base else {}
        return {
            name: choose_record(record, bases.get(name))
            for name, record in self.head.session.records.items()
        }

    def draw_latencies(self, workers: int, cases: Collection[str]) -> Evidence:
        """Return the numbers of fresh workers of each variant, as many as the deadline allows."""
        first = self._drawn["latency"]
        for index in self._number_workers("latency", workers, BLOCK):
            self._align_cases()
            # Half as many workers are enough for the null control.
            self._measure(["latency"], index, cases if first else None, with_null=index % 2 == 0)
        return self._collect(["latency"], range(first, self._drawn["latency"]), cases)

    def draw_counts(self, processes: int, cases: Collection[str]) -> Evidence:
        """Return the numbers of fresh processes; the null control joins the confirmations."""
        counted = [signal for signal in self.signals if signal in COUNT_SIGNALS]
        found: dict[Key, Observations] = {}
        first = self._drawn["counts"]
        for number in range(first, first + processes):
            index = self.first_pass + number
            self._measure(counted, index, cases if number else None, with_null=number > 0)
            extend_evidence(found, self._collect(counted, range(index, index + 1), cases))
            self._drawn["counts"] += 1
        return found

    def draw_loads(self, workers: int, cases: Collection[str]) -> Evidence:
        """Return the numbers of fresh workers under load, as many as the deadline allows."""
        signals = [signal for signal in self.signals if signal in LOAD_SIGNALS]
        first = self._drawn["loads"]
        for index in self._number_workers("loads", workers, 1):
            self._measure(signals, index, cases, with_null=True)
        return self._collect(signals, range(first, self._drawn["loads"]), cases)

    def _number_workers(self, kind: str, workers: int, block: int) -> Iterator[int]:
        """Yield the numbers of fresh workers; look at the clock before each block of them."""
        first = self._drawn[kind]
        for index in range(first, first + workers):
            if first and (index - first) % block == 0 and time.monotonic() > self.deadline:
                return
            yield index
            self._drawn[kind] += 1

    def _align_cases(self) -> None:
        """Have all variants measure the same cases, as far as is known.

        What else a worker measures moves the cost of a case by several per cent: caches and the
        memory it leaves behind. So a case that one variant cannot do is left out of all.
        """
        sessions = [variant.session for variant in (self.base, self.head, self.null) if variant]
        left_out = frozenset(
            name
            for session in sessions
            for name, record in session.records.items()
            if record.status not in MEASURABLE_STATUSES
        )
        for session in sessions:
            session.left_out = left_out

    def _measure(
        self,
        signals: Sequence[Signal],
        index: int,
        cases: Collection[str] | None,
        *,
        with_null: bool,
    ) -> None:
        variants = [self.base, self.head, self.null if with_null else None]
        for variant in order_by_turn([variant for variant in variants if variant], index):
            for block in variant.measure(signals, index, cases):
                self.show(block)

    def _collect(
        self, signals: Sequence[Signal], indices: range, cases: Collection[str]
    ) -> Evidence:
        head, *others = (
            select_records(variant.recording, signals, indices)
            for variant in (self.head, self.base, self.null)
            if variant
        )
        wanted = [record for name, record in self.cases.items() if name in cases]
        return collect_evidence(wanted, head, *others)
