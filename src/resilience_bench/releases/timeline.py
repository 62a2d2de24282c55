"""Neighbouring releases side by side: a source of evidence over a whole history.

All releases take turns, worker by worker: from the oldest to the newest, then back. So neighbours
are measured one right after the other, in the order A B B A, and each worker serves twice: as HEAD
against the release before, and as BASE for the one after. Worker i has hash seed i in all releases.

Two neighbours are only ever compared by workers that measured the same cases: what else a worker
measures moves a case by up to a fifth (heap, caches, the collector's generations). So what not all
releases can do is left to workers of its own, and a doubtful pair is confirmed by workers that
serve nobody else.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from resilience_bench._model import CaseRecord, LoadRecord, Signal, WorkerRecord
from resilience_bench.gate.criteria import has_signal
from resilience_bench.gate.evidence import Records, choose_record, collect_evidence
from resilience_bench.gate.live import select_records
from resilience_bench.gate.trial import Evidence, Key, Observations, extend_evidence
from resilience_bench.measure.interleave import MeasuredVariant, order_by_turn
from resilience_bench.measure.session import MEASURABLE_STATUSES, CountRecord, FinishedBlock
from resilience_bench.quantities import COUNT_SIGNALS, LOAD_SIGNALS


@dataclass(slots=True, eq=False)
class MeasuredRelease(MeasuredVariant):
    """One release that is measured, now or in an earlier run; its name is its version."""

    def find_worker(self, index: int, plan: Collection[str]) -> WorkerRecord | None:
        """Return the record of the worker of this number that measured just these cases."""
        wanted = set(plan)
        # Only a few workers measure slow cases: the others measure the rest of the plan.
        fewest = {name for name in plan if self.is_able(name)} - self.session.slow
        for record in self.recording.select(WorkerRecord):
            if record.index == index and fewest <= record.operations.keys() <= wanted:
                return record
        return None

    def is_able(self, name: str) -> bool:
        """Return whether a case can be measured, as far as is known."""
        return self.session.records[name].status in MEASURABLE_STATUSES

    def find_due(self, cases: Collection[str], signal: Signal, index: int) -> frozenset[str]:
        """Return the cases whose signal the worker or process of this number has yet to measure."""
        own = select_records(self.recording, [signal], [index])
        records: list[CountRecord | LoadRecord] = [*own.instructions, *own.allocations, *own.loads]
        done = {name for record in records for name in record.operations}
        return frozenset(
            name
            for name in {*cases} - done
            if self.is_able(name)
            and has_signal(self.session.records[name].case, signal)
            and signal not in self.session.records[name].missing
        )


@dataclass(frozen=True, slots=True)
class NeighbourPair:
    """Two neighbours; ``null`` is BASE once more, where this pair has a null control."""

    base: MeasuredRelease
    head: MeasuredRelease
    null: MeasuredRelease | None = None

    @property
    def releases(self) -> tuple[MeasuredRelease, ...]:
        """The releases, with the null control beside BASE."""
        return tuple(release for release in (self.null, self.base, self.head) if release)

    def key(self, case: str) -> str:
        """Return the name of a case of this pair in the gate."""
        return f"{self.head.name} {case}"

    def record(self, case: str) -> CaseRecord:
        """Return the record of a case; what one release cannot do cannot be compared."""
        return choose_record(self.head.session.records[case], self.base.session.records[case])

    def select(self, keys: Collection[str]) -> list[str]:
        """Return those of the cases that the gate means by these keys."""
        return [name for name in self.head.session.records if self.key(name) in keys]


@dataclass(slots=True)
class Timeline:
    """A source that measures every release against the one before.

    ``releases`` are in the order of their versions, each null control behind its release. ``show``
    gets a version and a finished block. The ``cases`` have the names of `NeighbourPair.key`.
    ``screened`` are the numbers of those workers that measured all releases alike.
    """

    releases: Sequence[MeasuredRelease]
    show: Callable[[str, FinishedBlock], None]
    signals: tuple[Signal, ...]
    not_available: Mapping[str, str]
    pairs: tuple[NeighbourPair, ...] = field(init=False)
    screened: range = range(0)
    _next: int = 0
    _passes: int = 0
    _loads: int = 0

    def __post_init__(self) -> None:
        """Pair the neighbours."""
        releases = [release for release in self.releases if not release.is_null]
        nulls = {release.name: release for release in self.releases if release.is_null}
        self.pairs = tuple(
            NeighbourPair(base, head, nulls.get(base.name))
            for base, head in itertools.pairwise(releases)
        )

    @property
    def cases(self) -> Mapping[str, CaseRecord]:
        """See `resilience_bench.gate.evidence.EvidenceSource`."""
        return {
            pair.key(name): pair.record(name)
            for pair in self.pairs
            for name in pair.head.session.records
        }

    def draw_latencies(self, workers: int, cases: Collection[str]) -> Evidence:
        """Return the numbers of fresh workers: first of all releases, then of doubtful pairs."""
        if self._next == 0:
            self._probe_cases()
        if not self.screened:
            return self._screen(workers, cases)
        return self._confirm(workers, cases)

    def draw_counts(self, processes: int, cases: Collection[str]) -> Evidence:
        """Return the numbers of fresh processes; the null controls join the confirmation."""
        if self._next == 0 and "latency" in self.signals:
            self._probe_cases()
        found: dict[Key, Observations] = {}
        for index in range(self._passes, self._passes + processes):
            extend_evidence(found, self._count(index, cases))
        self._passes += processes
        return found

    def draw_loads(self, workers: int, cases: Collection[str]) -> Evidence:
        """Return the numbers of fresh workers of each release under load."""
        under_load = [signal for signal in self.signals if signal in LOAD_SIGNALS]
        indices = range(self._loads, self._loads + workers)
        self._loads += workers
        selected = {release: self._select_cases(release, cases) for release in self.releases}
        wanted = frozenset().union(*selected.values())
        for index in indices:
            for release in order_by_turn(self.releases, index):
                for signal in under_load:
                    due = release.find_due(wanted if selected[release] else (), signal, index)
                    if due:
                        self._measure(release, [signal], index, due)
        return self._collect(
            cases, lambda _, release: select_records(release.recording, under_load, indices)
        )

    def _probe_cases(self) -> None:
        """Find out with worker 0 which cases work, and which are slow; it is no evidence."""
        self._next = 1
        for release in self.releases:
            records = release.session.records.items()
            unknown = [name for name, record in records if record.status == "interrupted"]
            if unknown:
                is_new = not release.recording.select(WorkerRecord)
                self._measure(release, ["latency"], 0, None if is_new else unknown)

    def _screen(self, workers: int, cases: Collection[str]) -> Evidence:
        self.screened = range(self._next, self._next + workers)
        self._next += workers
        for index in self.screened:
            plans = self._make_plans(cases)
            # Half as many workers are enough for the null controls.
            for release in _take_turn(self.releases, index, with_null=index % 2 == 0):
                for plan in plans:
                    self._measure_plan(release, index, plan)
        numbers = [(index, plan) for index in self.screened for plan in self._make_plans(cases)]
        return self._collect(cases, lambda _, release: _select_workers(release, numbers))

    def _confirm(self, workers: int, cases: Collection[str]) -> Evidence:
        first = self._next
        self._next += 2 * workers
        plans = [(pair, pair.select(cases)) for pair in self.pairs]
        # A release has two neighbours, so every other pair has every other number.
        for index in range(first, self._next):
            turn = (index - first) // 2
            due = [(pair, plan) for pair, plan in plans[(index - first) % 2 :: 2] if plan]
            for pair, plan in order_by_turn(due, turn):
                for release in _take_turn(pair.releases, turn, with_null=turn % 2 == 0):
                    self._measure_plan(release, index, plan)
        numbers = [
            [(index, plan) for index in range(first + place % 2, self._next, 2) if plan]
            for place, (_, plan) in enumerate(plans)
        ]
        return self._collect(cases, lambda place, release: _select_workers(release, numbers[place]))

    def _count(self, index: int, cases: Collection[str]) -> Evidence:
        counted = [signal for signal in self.signals if signal in COUNT_SIGNALS]
        for release in _take_turn(self.releases, index, with_null=index > 0):
            wanted = self._select_cases(release, cases)
            signals_of: dict[frozenset[str], list[Signal]] = {}
            for signal in counted:
                due = release.find_due(wanted, signal, index)
                signals_of.setdefault(due, []).append(signal)
            for due, signals in signals_of.items():
                if due:
                    self._measure(release, signals, index, due)
        own = range(index, index + 1)
        return self._collect(
            cases, lambda _, release: select_records(release.recording, counted, own)
        )

    def _make_plans(self, cases: Collection[str]) -> list[tuple[str, ...]]:
        """Split the cases so that all releases that can do one of a part can do the others."""
        wanted = {name for pair in self.pairs for name in pair.select(cases)}
        parts: dict[frozenset[str], list[str]] = {}
        for name, record in self.releases[0].session.records.items():
            able = frozenset(release.name for release in self.releases if release.is_able(name))
            if (name in wanted or not self.pairs) and has_signal(record.case, "latency"):
                parts.setdefault(able, []).append(name)
        return [tuple(names) for able, names in parts.items() if able]

    def _measure_plan(self, release: MeasuredRelease, index: int, plan: Sequence[str]) -> None:
        able = [name for name in plan if release.is_able(name)]
        if able and release.find_worker(index, plan) is None:
            self._measure(release, ["latency"], index, able)

    def _measure(
        self,
        release: MeasuredRelease,
        signals: Sequence[Signal],
        index: int,
        cases: Collection[str] | None,
    ) -> None:
        for block in release.measure(signals, index, cases):
            self.show(release.name, block)

    def _collect(
        self, cases: Collection[str], select: Callable[[int, MeasuredRelease], Records]
    ) -> Evidence:
        """Return the evidence of all pairs; ``select`` gets the place of a pair among them."""
        found: dict[Key, Observations] = {}
        for place, pair in enumerate(self.pairs):
            head, base = select(place, pair.head), select(place, pair.base)
            null = select(place, pair.null) if pair.null else None
            records = [pair.record(name) for name in pair.select(cases)]
            evidence = collect_evidence(records, head, base, null)
            for (name, quantity, is_null), numbers in evidence.items():
                found[pair.key(name), quantity, is_null] = numbers
        return found

    def _select_cases(self, release: MeasuredRelease, cases: Collection[str]) -> set[str]:
        if not self.pairs:  # a release without a neighbour is measured all the same
            return set(release.session.records)
        pairs = [pair for pair in self.pairs if release in pair.releases]
        return {name for pair in pairs for name in pair.select(cases)}


def _take_turn(
    releases: Sequence[MeasuredRelease], turn: int, *, with_null: bool
) -> Sequence[MeasuredRelease]:
    chosen = [release for release in releases if with_null or not release.is_null]
    return order_by_turn(chosen, turn)


def _select_workers(
    release: MeasuredRelease, plans: Sequence[tuple[int, Sequence[str]]]
) -> Records:
    """Select the workers of these numbers that had these plans."""
    first = min((index for index, _ in plans), default=0)
    found = [release.find_worker(index, plan) for index, plan in plans]
    workers = release.recording.select(WorkerRecord)
    return Records(
        [worker for worker in found if worker],
        [worker for worker in workers if worker.index < first],
    )
