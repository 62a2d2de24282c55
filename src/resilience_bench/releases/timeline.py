"""Neighbouring releases side by side: a source of numbers for the gate, over a whole history.

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
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from resilience_bench._model import (
    CaseRecord,
    Signal,
    WorkerRecord,
)
from resilience_bench.gate.comparison import pair_counts, pair_latencies
from resilience_bench.gate.criteria import has_signal
from resilience_bench.gate.decide import Evidence, Key, Observations, extend_evidence
from resilience_bench.gate.evidence import (
    COUNT_SIGNALS,
    collect_count_evidence,
    collect_load_evidence,
)
from resilience_bench.measure.counting import prepare_counting_session
from resilience_bench.measure.session import FinishedBlock
from resilience_bench.releases.measured_release import MeasuredRelease, NeighbourPair

ShowBlock = Callable[[str, FinishedBlock], None]
"""Is told of every block that is done, with the version of its release."""


@dataclass(slots=True)
class Timeline:
    """A source of numbers for the gate: the cases of every release against the one before.

    ``arms`` in the order of their versions, each null control behind its release. ``cases`` are
    called as `Pair.key` has it. ``screened`` are the numbers of those workers that measured all
    releases alike.
    """

    arms: Sequence[MeasuredRelease]
    show: ShowBlock
    signals: tuple[Signal, ...]
    not_available: Mapping[str, str]
    pairs: tuple[NeighbourPair, ...] = field(init=False)
    screened: range = range(0)
    _next: int = 0
    _passes: int = 0
    _loads: int = 0

    def __post_init__(self) -> None:
        """Find out who is whose neighbour."""
        releases = [arm for arm in self.arms if not arm.is_null]
        nulls = {arm.version: arm for arm in self.arms if arm.is_null}
        self.pairs = tuple(
            NeighbourPair(base, head, nulls.get(base.version))
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
        """The numbers of so many fresh workers: first of all releases, then of doubtful pairs."""
        if self._next == 0:
            self._probe_cases()
        if not self.screened:
            return self._screen(workers, cases)
        return self._confirm(workers, cases)

    def _probe_cases(self) -> None:
        """Worker 0 finds out which cases work, and which are slow; it is no evidence."""
        self._next = 1
        for arm in self.arms:
            records = arm.session.records.items()
            unknown = [name for name, each in records if each.status == "interrupted"]
            if unknown:
                self._note(arm, arm.session.visit(0, None if not arm.workers else unknown))

    def _screen(self, workers: int, cases: Collection[str]) -> Evidence:
        self.screened = range(self._next, self._next + workers)
        self._next += workers
        for index in self.screened:
            plans = self._make_plans(cases)
            # The null controls have half as many workers: what they are for does not need more.
            for arm in self._order_releases(index, with_null=index % 2 == 0):
                for plan in plans:
                    self._measure(arm, index, plan)
        plans = self._make_plans(cases)
        found: dict[Key, Observations] = {}
        for pair in self.pairs:
            numbers = [(index, plan) for index in self.screened for plan in plans]
            found |= self._collect_evidence(pair, numbers, cases)
        return found

    def _confirm(self, workers: int, cases: Collection[str]) -> Evidence:
        first = self._next
        self._next += 2 * workers
        plans = [(pair, tuple(self._select_names(pair, cases))) for pair in self.pairs]
        # A release has two neighbours, so every other pair has every other number.
        for index in range(first, self._next):
            back = (index - first) // 2 % 2 == 1
            due = [each for each in plans[(index - first) % 2 :: 2] if each[1]]
            for pair, plan in reversed(due) if back else due:
                turn = [pair.base, pair.head] if back or not pair.null else [*pair.arms]
                for arm in reversed(turn) if back else turn:
                    self._measure(arm, index, plan)
        found: dict[Key, Observations] = {}
        for number, (pair, plan) in enumerate(plans):
            own = range(first + number % 2, self._next, 2)
            found |= self._collect_evidence(pair, [(index, plan) for index in own if plan], cases)
        return found

    def _make_plans(self, cases: Collection[str]) -> list[tuple[str, ...]]:
        """The cases in parts: all releases that can do one of a part can do the others."""
        asked = {name for pair in self.pairs for name in self._select_names(pair, cases)}
        parts: dict[frozenset[str], list[str]] = {}
        for name in self.arms[0].session.records:
            able = frozenset(arm.version for arm in self.arms if arm.is_able(name))
            if (name in asked or not self.pairs) and has_latency(self.arms[0], name):
                parts.setdefault(able, []).append(name)
        return [tuple(names) for able, names in parts.items() if able]

    def _measure(self, arm: MeasuredRelease, index: int, plan: Sequence[str]) -> None:
        able = [name for name in plan if arm.is_able(name)]
        if able and arm.find_worker(index, plan) is None:
            self._note(arm, arm.session.visit(index, able))

    def _collect_evidence(
        self,
        pair: NeighbourPair,
        plans: Sequence[tuple[int, Sequence[str]]],
        cases: Collection[str],
    ) -> dict[Key, Observations]:
        """What two neighbours say, by workers of the same numbers that had the same plans."""
        first = min((index for index, _ in plans), default=0)
        slices: list[list[WorkerRecord]] = []
        for arm in (pair.base, pair.head, pair.null):
            workers = arm.workers if arm else []
            # The workers before tell the machine's best speed.
            slices.append([each for each in workers if each.index < first])
            own = [arm.find_worker(index, plan) for index, plan in plans] if arm else []
            slices.append([each for each in own if each])
        return _key_by_pair(pair, pair_latencies(self._select_records(pair, cases), slices))

    def draw_counts(self, processes: int, cases: Collection[str]) -> Evidence:
        """The numbers of fresh processes of each release; null controls join the confirmation."""
        if self._next == 0 and "latency" in self.signals:
            self._probe_cases()
        found: dict[Key, Observations] = {}
        for index in range(self._passes, self._passes + processes):
            for arm in self._order_releases(index, with_null=index > 0):
                self._count(arm, index, self._select_cases(arm, cases))
            for pair in self.pairs:
                wanted = self._select_names(pair, cases)
                base = _select_counts(pair.base, index, wanted)
                for other, is_null in ((pair.head, False), (pair.null, True)):
                    told = _select_counts(other, index, wanted)
                    extend_evidence(
                        found, _key_by_pair(pair, pair_counts(told, base, is_null=is_null))
                    )
        self._passes += processes
        return found

    def draw_scalings(self, workers: int, cases: Collection[str]) -> Evidence:
        """The numbers of so many fresh workers of each release under load."""
        first = self._loads
        self._loads += workers
        asked = {name for arm in self.arms for name in self._select_cases(arm, cases)}
        for index in range(first, self._loads):
            for arm in self._order_releases(index, with_null=True):
                due = arm.find_due(
                    asked if self._select_cases(arm, cases) else (), "scaling", index
                )
                if due and arm.loaded:
                    self._note(arm, arm.loaded.visit(index, due))
        found: dict[Key, Observations] = {}
        for pair in self.pairs:
            wanted = self._select_names(pair, cases)
            base = _select_load_evidence(pair.base, first, self._loads, wanted)
            for other, is_null in ((pair.head, False), (pair.null, True)):
                told = _select_load_evidence(other, first, self._loads, wanted)
                joint = {
                    (name, quantity, is_null): Observations(numbers.heads, base[key].heads)
                    for key, numbers in told.items()
                    if (name := key[0]) and (quantity := key[1]) and key in base
                }
                found |= _key_by_pair(pair, joint)
        return found

    def _count(self, arm: MeasuredRelease, index: int, wanted: Collection[str]) -> None:
        due = {
            signal: cases
            for signal in self.signals
            if signal in COUNT_SIGNALS and (cases := arm.find_due(wanted, signal, index))
        }
        together = (
            [list(due)] if len(set(map(frozenset, due.values()))) == 1 else [[s] for s in due]
        )
        for signals in together:
            passes = prepare_counting_session(arm.session)
            self._note(arm, passes.run(signals, index, due[signals[0]]))

    def _note(self, arm: MeasuredRelease, blocks: Iterator[FinishedBlock]) -> None:
        for done in blocks:
            arm.note(done)
            self.show(arm.version, done)

    def _order_releases(self, index: int, *, with_null: bool) -> list[MeasuredRelease]:
        turn = [arm for arm in self.arms if with_null or not arm.is_null]
        return turn if index % 2 == 0 else turn[::-1]

    def _select_names(self, pair: NeighbourPair, cases: Collection[str]) -> list[str]:
        return [name for name in pair.head.session.records if pair.key(name) in cases]

    def _select_cases(self, arm: MeasuredRelease, cases: Collection[str]) -> set[str]:
        if not self.pairs:  # a release without a neighbour is measured all the same
            return set(arm.session.records)
        pairs = [pair for pair in self.pairs if arm in pair.arms]
        return {name for pair in pairs for name in self._select_names(pair, cases)}

    def _select_records(self, pair: NeighbourPair, cases: Collection[str]) -> list[CaseRecord]:
        records = map(pair.record, self._select_names(pair, cases))
        return [each for each in records if each.status == "measured"]


def _key_by_pair(pair: NeighbourPair, evidence: Evidence) -> dict[Key, Observations]:
    return {
        (pair.key(name), quantity, is_null): numbers
        for (name, quantity, is_null), numbers in evidence.items()
    }


def has_latency(arm: MeasuredRelease, name: str) -> bool:
    """Whether a case is measured alone, rather than under load."""
    return has_signal(arm.session.records[name].case, "latency")


def _select_counts(arm: MeasuredRelease | None, index: int, cases: Collection[str]) -> Evidence:
    if arm is None:
        return {}
    return collect_count_evidence(
        [each for each in arm.counted if each.index == index],
        [each for each in arm.weighed if each.index == index],
        cases,
    )


def _select_load_evidence(
    arm: MeasuredRelease | None, first: int, last: int, cases: Collection[str]
) -> Evidence:
    if arm is None:
        return {}
    fresh = [each for each in arm.loads if first <= each.index < last]
    return collect_load_evidence(arm.session.records.values(), fresh, cases)
