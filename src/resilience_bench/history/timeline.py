"""Neighbouring releases side by side: a source of numbers for the gate, over a whole history.

All releases take turns, worker by worker: from the oldest to the newest, then back. So neighbours
are measured one right after the other, in the order A B B A, and each worker serves twice: as HEAD
against the release before, and as BASE for the one after. Worker i has hash seed i in all releases.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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
from resilience_bench.compare import paired_counts, paired_evidence
from resilience_bench.gate import Evidence, Key, Numbers, join
from resilience_bench.load_session import LoadSession
from resilience_bench.questions import has_signal
from resilience_bench.recording import Recording
from resilience_bench.session import BlockDone, Session
from resilience_bench.signals import passes_of
from resilience_bench.sources import COUNTED, count_evidence, load_evidence

BOTH: Final = frozenset({"measured", "interrupted"})
"""What a case may be that can be measured, as far as is known."""


Kept = WorkerRecord | InstructionRecord | AllocationRecord | LoadRecord


@dataclass(slots=True, eq=False)
class Arm:
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

    def go_on(self, earlier: Result) -> None:
        """Take up what an earlier run has measured."""
        self.session.go_on(earlier)
        self.recording.go_on(earlier)
        self.workers += earlier.workers
        self.counted += earlier.instructions
        self.weighed += earlier.allocations
        self.loads += earlier.loads

    def note(self, done: BlockDone) -> None:
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

    def due(self, cases: Collection[str], signal: Signal, index: int) -> set[str]:
        """Which of the cases a worker or process of this number has not measured yet."""
        done = {name for each in self.kept(signal, index) for name in each.operations}
        records = self.session.records
        return {
            name
            for name in cases
            if name not in done
            and records[name].status in BOTH
            and has_signal(records[name].case, signal)
            and signal not in records[name].missing
        }

    def kept(self, signal: Signal, index: int) -> list[Kept]:
        """What the worker or process of this number has measured."""
        lists: Mapping[Signal, Sequence[Kept]] = {
            "latency": self.workers,
            "instructions": self.counted,
            "allocations": self.weighed,
            "scaling": self.loads,
        }
        return [each for each in lists[signal] if each.index == index]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two neighbours; ``null`` is BASE once more, where this pair has a null control."""

    base: Arm
    head: Arm
    null: Arm | None = None

    def key(self, case: str) -> str:
        """What the gate calls a case of this pair."""
        return f"{self.head.version} {case}"

    def record(self, case: str) -> CaseRecord:
        """What became of a case; one that a release cannot do cannot be compared."""
        base, head = (arm.session.records[case] for arm in (self.base, self.head))
        if head.status != "measured":
            return head
        return base if base.status != "measured" or base.missing else head


Show = Callable[[str, BlockDone], None]
"""Is told of every block that is done, with the version of its release."""


@dataclass(slots=True)
class Timeline:
    """A source of numbers for the gate: the cases of every release against the one before.

    ``arms`` in the order of their versions, each null control behind its release. ``cases`` are
    called as `Pair.key` has it.
    """

    arms: Sequence[Arm]
    show: Show
    signals: tuple[Signal, ...]
    not_available: Mapping[str, str]
    pairs: tuple[Pair, ...] = field(init=False)
    _next: int = 0
    _passes: int = 0
    _loads: int = 0

    def __post_init__(self) -> None:
        """Find out who is whose neighbour."""
        releases = [arm for arm in self.arms if not arm.is_null]
        nulls = {arm.version: arm for arm in self.arms if arm.is_null}
        self.pairs = tuple(
            Pair(base, head, nulls.get(base.version)) for base, head in itertools.pairwise(releases)
        )

    @property
    def cases(self) -> Mapping[str, CaseRecord]:
        """See `resilience_bench.sources.Source`."""
        return {
            pair.key(name): pair.record(name)
            for pair in self.pairs
            for name in pair.head.session.records
        }

    def latencies(self, workers: int, cases: Collection[str]) -> Evidence:
        """The numbers of so many fresh workers of each release that the cases are of."""
        first = self._next
        last = first + workers
        for index in range(first, last):
            self._round(index, cases, is_first=first == 0)
        self._next = last
        found: dict[Key, Numbers] = {}
        for pair in self.pairs:
            arms = (pair.base, pair.head, pair.null)
            slices = [part for arm in arms for part in _cut(arm, first, last)]
            found |= _of_pair(pair, paired_evidence(self._wanted(pair, cases), slices))
        return found

    def counts(self, processes: int, cases: Collection[str]) -> Evidence:
        """The numbers of fresh processes of each release; null controls join the confirmation."""
        if self._passes == 0 and "latency" in self.signals:
            # Which cases work, and which are slow, is found out here instead of on the side.
            self._round(0, cases, is_first=True)
        found: dict[Key, Numbers] = {}
        for index in range(self._passes, self._passes + processes):
            for arm in self._turn(index, with_null=index > 0):
                self._count(arm, index, self._of_arm(arm, cases))
            for pair in self.pairs:
                wanted = self._names(pair, cases)
                base = _counted(pair.base, index, wanted)
                for other, is_null in ((pair.head, False), (pair.null, True)):
                    told = _counted(other, index, wanted)
                    join(found, _of_pair(pair, paired_counts(told, base, is_null=is_null)))
        self._passes += processes
        return found

    def scalings(self, workers: int, cases: Collection[str]) -> Evidence:
        """The numbers of so many fresh workers of each release under load."""
        first = self._loads
        self._loads += workers
        for index in range(first, self._loads):
            for arm in self._turn(index, with_null=True):
                due = arm.due(self._of_arm(arm, cases), "scaling", index)
                if due and arm.loaded:
                    self._note(arm, arm.loaded.visit(index, due))
        found: dict[Key, Numbers] = {}
        for pair in self.pairs:
            wanted = self._names(pair, cases)
            base = _under_load(pair.base, first, self._loads, wanted)
            for other, is_null in ((pair.head, False), (pair.null, True)):
                told = _under_load(other, first, self._loads, wanted)
                joint = {
                    (name, quantity, is_null): Numbers(numbers.heads, base[key].heads)
                    for key, numbers in told.items()
                    if (name := key[0]) and (quantity := key[1]) and key in base
                }
                found |= _of_pair(pair, joint)
        return found

    def _round(self, index: int, cases: Collection[str], *, is_first: bool) -> None:
        """One worker of each release; the null controls have half as many."""
        for arm in self._turn(index, with_null=index % 2 == 0):
            wanted = self._of_arm(arm, cases)
            if due := arm.due(wanted, "latency", index):
                # All at once have as many samples each as the profile says, a few have more.
                everything = is_first and not arm.kept("latency", index)
                self._note(arm, arm.session.visit(index, None if everything else due))

    def _count(self, arm: Arm, index: int, wanted: Collection[str]) -> None:
        due = {
            signal: cases
            for signal in self.signals
            if signal in COUNTED and (cases := arm.due(wanted, signal, index))
        }
        together = (
            [list(due)] if len(set(map(frozenset, due.values()))) == 1 else [[s] for s in due]
        )
        for signals in together:
            passes = passes_of(arm.session)
            self._note(arm, passes.run(signals, index, due[signals[0]]))

    def _note(self, arm: Arm, blocks: Iterator[BlockDone]) -> None:
        for done in blocks:
            arm.note(done)
            self.show(arm.version, done)

    def _turn(self, index: int, *, with_null: bool) -> list[Arm]:
        turn = [arm for arm in self.arms if with_null or not arm.is_null]
        return turn if index % 2 == 0 else turn[::-1]

    def _names(self, pair: Pair, cases: Collection[str]) -> set[str]:
        return {name for name in pair.head.session.records if pair.key(name) in cases}

    def _of_arm(self, arm: Arm, cases: Collection[str]) -> set[str]:
        if not self.pairs:  # a release without a neighbour is measured all the same
            return set(arm.session.records)
        pairs = [pair for pair in self.pairs if arm in {pair.base, pair.head, pair.null}]
        return {name for pair in pairs for name in self._names(pair, cases)}

    def _wanted(self, pair: Pair, cases: Collection[str]) -> list[CaseRecord]:
        records = map(pair.record, self._names(pair, cases))
        return [each for each in records if each.status == "measured"]


def _of_pair(pair: Pair, evidence: Evidence) -> dict[Key, Numbers]:
    return {
        (pair.key(name), quantity, is_null): numbers
        for (name, quantity, is_null), numbers in evidence.items()
    }


def _cut(
    arm: Arm | None, first: int, last: int
) -> tuple[Sequence[WorkerRecord], Sequence[WorkerRecord]]:
    """The workers before the fresh ones, which tell the best speed, and the fresh ones."""
    workers = arm.workers if arm else []
    return (
        [each for each in workers if each.index < first],
        [each for each in workers if first <= each.index < last],
    )


def _counted(arm: Arm | None, index: int, cases: Collection[str]) -> Evidence:
    if arm is None:
        return {}
    return count_evidence(
        [each for each in arm.counted if each.index == index],
        [each for each in arm.weighed if each.index == index],
        cases,
    )


def _under_load(arm: Arm | None, first: int, last: int, cases: Collection[str]) -> Evidence:
    if arm is None:
        return {}
    fresh = [each for each in arm.loads if first <= each.index < last]
    return load_evidence(arm.session.records.values(), fresh, cases)
