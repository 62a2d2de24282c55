"""One release that is measured, and two that are neighbours."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from resilience_bench._model import (
    AllocationRecord,
    CaseRecord,
    InstructionRecord,
    LoadRecord,
    Result,
    Signal,
    WorkerRecord,
)
from resilience_bench.gate.criteria import has_signal
from resilience_bench.measure.load_session import LoadSession
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.session import FinishedBlock, Session

MEASURABLE_STATUSES: Final = frozenset({"measured", "interrupted"})
"""What a case may be that can be measured, as far as is known."""


SignalRecord = InstructionRecord | AllocationRecord | LoadRecord


@dataclass(slots=True, eq=False)
class MeasuredRelease:
    """One release that is measured, and what was measured of it, now or in an earlier run.

    ``is_null`` is the same release once more, as a neighbour of itself.
    """

    version: str
    session: Session
    recording: Recording
    loaded: LoadSession | None = None
    is_null: bool = False
    workers: list[WorkerRecord] = field(default_factory=list)
    counted: list[InstructionRecord] = field(default_factory=list)
    weighed: list[AllocationRecord] = field(default_factory=list)
    loads: list[LoadRecord] = field(default_factory=list)

    def resume(self, earlier: Result) -> None:
        """Take up what an earlier run has measured."""
        self.session.resume(earlier)
        self.recording.resume(earlier)
        self.workers += earlier.workers
        self.counted += earlier.instructions
        self.weighed += earlier.allocations
        self.loads += earlier.loads

    def note(self, done: FinishedBlock) -> None:
        """Keep a block, also on disk."""
        record = done.record
        if isinstance(record, WorkerRecord):
            self.workers.append(record)
        elif isinstance(record, InstructionRecord):
            self.counted.append(record)
        elif isinstance(record, AllocationRecord):
            self.weighed.append(record)
        elif isinstance(record, LoadRecord):
            self.loads.append(record)
        self.recording.add(done)

    def find_worker(self, index: int, plan: Collection[str]) -> WorkerRecord | None:
        """What the worker of this number measured that was to measure just these cases."""
        wanted = set(plan)
        # Slow cases are left to a few workers: the others measure the rest of the plan.
        fewest = {name for name in plan if self.is_able(name)} - self.session.slow
        for each in self.workers:
            if each.index == index and fewest <= each.operations.keys() <= wanted:
                return each
        return None

    def is_able(self, name: str) -> bool:
        """Whether a case can be measured, as far as is known."""
        return self.session.records[name].status in MEASURABLE_STATUSES

    def find_due(self, cases: Collection[str], signal: Signal, index: int) -> set[str]:
        """Which of the cases a process of this number has not counted, or not under load, yet."""
        done = {name for each in self.kept(signal, index) for name in each.operations}
        records = self.session.records
        return {
            name
            for name in cases
            if name not in done
            and self.is_able(name)
            and has_signal(records[name].case, signal)
            and signal not in records[name].missing
        }

    def kept(self, signal: Signal, index: int) -> list[SignalRecord]:
        """What the process of this number has counted, or the worker under load measured."""
        lists: Mapping[Signal, Sequence[SignalRecord]] = {
            "instructions": self.counted,
            "allocations": self.weighed,
            "scaling": self.loads,
        }
        return [each for each in lists[signal] if each.index == index]


@dataclass(frozen=True, slots=True)
class NeighbourPair:
    """Two neighbours; ``null`` is BASE once more, where this pair has a null control."""

    base: MeasuredRelease
    head: MeasuredRelease
    null: MeasuredRelease | None = None

    @property
    def arms(self) -> tuple[MeasuredRelease, ...]:
        """Those that there are, the null control beside BASE."""
        return tuple(arm for arm in (self.null, self.base, self.head) if arm)

    def key(self, case: str) -> str:
        """What the gate calls a case of this pair."""
        return f"{self.head.version} {case}"

    def record(self, case: str) -> CaseRecord:
        """What became of a case; one that a release cannot do cannot be compared."""
        base, head = (arm.session.records[case] for arm in (self.base, self.head))
        if head.status != "measured":
            return head
        return base if base.status != "measured" or base.missing else head
