"""Where the gate's numbers come from: a session that goes on measuring, or a results file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from resilience_bench._model import (
    AllocationRecord,
    CaseRecord,
    InstructionRecord,
    LoadRecord,
    Result,
    Signal,
    WorkerRecord,
)
from resilience_bench.gate.decide import Evidence, Key, Observations, extend_evidence
from resilience_bench.measure.counting import prepare_counting_session
from resilience_bench.measure.load_session import LoadSession
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.session import FinishedBlock, Session
from resilience_bench.stats.latency import WEIGHTS, compute_worker_latencies
from resilience_bench.stats.load import compute_worker_scalings

COUNT_SIGNALS: Final[frozenset[Signal]] = frozenset({"instructions", "allocations"})

Show = Callable[[FinishedBlock], None]


class EvidenceSource(Protocol):
    """Where the numbers of the cases come from."""

    @property
    def cases(self) -> Mapping[str, CaseRecord]:
        """What is known of the cases."""
        ...

    @property
    def signals(self) -> Collection[str]:
        """The signals that are measured."""
        ...

    @property
    def not_available(self) -> Mapping[str, str]:
        """The signals that cannot be measured, and why."""
        ...

    def draw_latencies(self, workers: int, cases: Collection[str]) -> Evidence:
        """The numbers of fresh workers, as `gate.Draw` has it."""
        ...

    def draw_counts(self, processes: int, cases: Collection[str]) -> Evidence:
        """The numbers of fresh processes that count and weigh."""
        ...

    def draw_scalings(self, workers: int, cases: Collection[str]) -> Evidence:
        """The numbers of fresh workers under load."""
        ...


@dataclass(slots=True)
class StoredSource:
    """A results file: all that it holds at once, and nothing more after that."""

    result: Result
    _told: set[str] = field(default_factory=set)

    @property
    def cases(self) -> Mapping[str, CaseRecord]:
        """What became of the cases."""
        return {record.case.name: record for record in self.result.cases}

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals that were measured."""
        return self.result.signals

    @property
    def not_available(self) -> Mapping[str, str]:
        """The signals that could not be measured, and why."""
        return self.result.not_available

    def draw_latencies(self, workers: int, cases: Collection[str]) -> Evidence:
        """See `EvidenceSource`; the number of workers is what it is."""
        del workers
        if "latencies" in self._told:
            return {}
        self._told.add("latencies")
        return collect_latency_evidence(self.result.cases, self.result.workers, cases)

    def draw_scalings(self, workers: int, cases: Collection[str]) -> Evidence:
        """See `EvidenceSource`; the number of workers is what it is."""
        del workers
        if "scalings" in self._told:
            return {}
        self._told.add("scalings")
        return collect_load_evidence(self.result.cases, self.result.loads, cases)

    def draw_counts(self, processes: int, cases: Collection[str]) -> Evidence:
        """See `EvidenceSource`; the number of processes is what it is."""
        del processes
        if "counts" in self._told:
            return {}
        self._told.add("counts")
        return collect_count_evidence(self.result.instructions, self.result.allocations, cases)


@dataclass(slots=True)
class LiveSource:
    """Has the cases of a session measured, as often as the gate asks.

    ``first_pass`` numbers the first pass of counting: its hash seed and its memory layout.
    ``loaded`` has those of the cases that are under a load.
    """

    session: Session
    recording: Recording
    show: Show
    signals: tuple[Signal, ...]
    not_available: Mapping[str, str]
    first_pass: int = 0
    loaded: LoadSession | None = None
    _loads: int = 0
    _workers: list[WorkerRecord] = field(default_factory=list)
    _next: int = 0
    _passes: int = 0

    @property
    def cases(self) -> Mapping[str, CaseRecord]:
        """What became of the cases so far."""
        return self.session.records

    def draw_latencies(self, workers: int, cases: Collection[str]) -> Evidence:
        """See `EvidenceSource`."""
        before = len(self._workers)
        first = self._next
        for index in range(first, first + workers):
            for done in self.session.visit(index, cases if first else None):
                self._note(done)
        self._next += workers
        # The best speed is that of the whole run; the numbers are those of the fresh workers.
        old, fresh = self._workers[:before], self._workers[before:]
        return collect_latency_evidence(self.session.records.values(), fresh, cases, beside=old)

    def draw_counts(self, processes: int, cases: Collection[str]) -> Evidence:
        """See `EvidenceSource`."""
        wanted = [each for each in self.signals if each in COUNT_SIGNALS]
        collected: dict[Key, Observations] = {}
        for number in range(self._passes, self._passes + processes):
            chosen = None if number == 0 else cases
            index = self.first_pass + number
            done = list(
                self._note_blocks(prepare_counting_session(self.session).run(wanted, index, chosen))
            )
            extend_evidence(collected, collect_record_evidence(done, cases))
        self._passes += processes
        return collected

    def draw_scalings(self, workers: int, cases: Collection[str]) -> Evidence:
        """See `EvidenceSource`."""
        if self.loaded is None:
            return {}
        records: list[LoadRecord] = []
        for index in range(self._loads, self._loads + workers):
            for done in self.loaded.visit(index, cases):
                self._note(done)
                if isinstance(done.record, LoadRecord):
                    records.append(done.record)
        self._loads += workers
        return collect_load_evidence(self.loaded.records.values(), records, cases)

    def _note_blocks(self, blocks: Iterable[FinishedBlock]) -> Iterable[FinishedBlock]:
        for done in blocks:
            self._note(done)
            yield done

    def _note(self, done: FinishedBlock) -> None:
        if isinstance(done.record, WorkerRecord):
            self._workers.append(done.record)
        self.recording.add(done)
        self.show(done)


def collect_latency_evidence(
    records: Iterable[CaseRecord],
    workers: Sequence[WorkerRecord],
    cases: Collection[str],
    beside: Sequence[WorkerRecord] = (),
) -> dict[Key, Observations]:
    """The numbers of these workers, by case and quantity.

    A stored range is of a machine at its best speed, so only such numbers are held against it.
    """
    wanted = [each for each in records if each.case.name in cases and each.status == "measured"]
    _, found = compute_worker_latencies(wanted, [beside, workers], only_at_best_speed=True)
    return {
        (name, quantity, False): Observations(tuple(values))
        for name, quantities in found.items()
        for quantity, values in quantities.items()
    }


def collect_load_evidence(
    records: Iterable[CaseRecord], loads: Iterable[LoadRecord], cases: Collection[str]
) -> dict[Key, Observations]:
    """The numbers of these workers under load, by case and quantity."""
    wanted = [each for each in records if each.case.name in cases and each.status == "measured"]
    return {
        (name, quantity, False): Observations(tuple(values))
        for name, quantities in compute_worker_scalings(loads, wanted).items()
        for quantity, values in quantities.items()
    }


def collect_count_evidence(
    instructions: Sequence[InstructionRecord],
    allocations: Sequence[AllocationRecord],
    cases: Collection[str],
) -> dict[Key, Observations]:
    """The numbers of processes that counted or weighed, by case and quantity."""
    found: dict[Key, Observations] = {}
    for counting in instructions:
        for name, counts in counting.operations.items():
            if name in cases:
                extend_evidence(
                    found, {(name, "instructions", False): Observations((counts.per_call,))}
                )
    for weighing in allocations:
        for name, weight in weighing.operations.items():
            for quantity in ("allocated_bytes", "object_bytes") if name in cases else ():
                value = float(getattr(weight, WEIGHTS[quantity]))
                extend_evidence(found, {(name, quantity, False): Observations((value,))})
    return found


def collect_record_evidence(
    done: Sequence[FinishedBlock], cases: Collection[str]
) -> dict[Key, Observations]:
    """What the processes of one pass, or of several, have counted and weighed."""
    return collect_count_evidence(
        [each.record for each in done if isinstance(each.record, InstructionRecord)],
        [each.record for each in done if isinstance(each.record, AllocationRecord)],
        cases,
    )
