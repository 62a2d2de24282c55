"""Two variants measured against each other, worker by worker, beside one of them against itself."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from resilience_bench._model import (
    CaseRecord,
    Judgement,
    LoadRecord,
    Signal,
    WorkerRecord,
)
from resilience_bench.gate.criteria import (
    apply_null_control,
    describe_null_failure,
    judge,
    make_comparison_criteria,
    make_headline,
    select_relevant,
)
from resilience_bench.gate.decide import Evidence, Key, Observations, Policy, extend_evidence
from resilience_bench.gate.evidence import (
    COUNT_SIGNALS,
    Show,
    collect_load_evidence,
    collect_record_evidence,
)
from resilience_bench.measure.counting import prepare_counting_session
from resilience_bench.measure.load_session import LoadSession
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.session import FinishedBlock, Session
from resilience_bench.quantities import JUDGED
from resilience_bench.stats.latency import compute_worker_latencies

COMPARISON_POLICY: Final = Policy(screen=12, confirm=(30, 140))
"""Ranges are narrow in a comparison, so it may take more workers to decide."""
TOLERANCES: Final = {name: one.tolerance for name, one in JUDGED.items()}
"""How much HEAD may exceed BASE, as a share, by quantity."""
SECONDS: Final = 170.0
"""A comparison takes no longer than this, if nothing else is said."""
FIRST_NULL_PASS: Final = 1
"""The null control takes part in counting from the first confirmation on."""
BLOCK: Final = 4
"""A confirmation looks at the clock after so many workers of each arm."""


@dataclass(slots=True)
class MeasuredVariant:
    """One variant that is measured, and what was measured of it."""

    session: Session
    recording: Recording
    loaded: LoadSession | None = None
    workers: list[WorkerRecord] = field(default_factory=list)

    def note(self, done: FinishedBlock) -> None:
        """Keep a block, also on disk."""
        if isinstance(done.record, WorkerRecord):
            self.workers.append(done.record)
        self.recording.add(done)


@dataclass(slots=True)
class Comparison:
    """A source of numbers for the gate: HEAD, BASE, and BASE once more as the null control.

    The arms take turns worker by worker in the order A B B A, and worker i has the same hash seed
    in all of them. They never run at the same time: two busy cores disturb each other more than
    alternation does. ``deadline`` is when no more workers are started for a confirmation, on the
    clock of `time.monotonic`.
    """

    base: MeasuredVariant
    head: MeasuredVariant
    null: MeasuredVariant
    show: Show
    signals: tuple[Signal, ...]
    not_available: Mapping[str, str]
    deadline: float
    _next: int = 0
    _passes: int = 0
    _loads: int = 0

    @property
    def cases(self) -> Mapping[str, CaseRecord]:
        """What became of the cases; one that an arm cannot do cannot be compared."""
        return {
            name: record if record.status != "measured" else self._pick_worse(name, record)
            for name, record in self.head.session.records.items()
        }

    def _pick_worse(self, name: str, record: CaseRecord) -> CaseRecord:
        base = self.base.session.records[name]
        return base if base.status != "measured" or base.missing else record

    def draw_latencies(self, workers: int, cases: Collection[str]) -> Evidence:
        """The numbers of so many fresh workers of each arm, or of those that time allowed."""
        arms = (self.base, self.head, self.null)
        before = [len(arm.workers) for arm in arms]
        first = self._next
        for index in range(first, first + workers):
            if first and (index - first) % BLOCK == 0 and time.monotonic() > self.deadline:
                break
            self._leave_out(arms)
            self._visit(index, cases if first else None)
            self._next = index + 1
        wanted = [
            each
            for each in self.cases.values()
            if each.case.name in cases and each.status == "measured"
        ]
        slices = [
            part for arm, n in zip(arms, before, strict=True) for part in _split_workers(arm, n)
        ]
        return pair_latencies(wanted, slices)

    def _leave_out(self, arms: Sequence[MeasuredVariant]) -> None:
        """Have all arms measure the same cases, as far as is known.

        What else a worker measures moves the cost of a case by several per cent: caches and the
        memory it leaves behind. So what one arm cannot do is no work for the others either.
        """
        missing = {
            name
            for arm in arms
            for name, record in arm.session.records.items()
            if record.status not in {"measured", "interrupted"}
        }
        for arm in arms:
            arm.session.left_out = frozenset(missing)

    def _visit(self, index: int, cases: Collection[str] | None) -> None:
        # The null control has half as many workers: what it is for does not need more.
        turn = (self.base, self.head, self.null) if index % 2 == 0 else (self.head, self.base)
        for arm in turn:
            for done in arm.session.visit(index, cases):
                arm.note(done)
                self.show(done)

    def draw_scalings(self, workers: int, cases: Collection[str]) -> Evidence:
        """The numbers of so many fresh workers of each arm under load."""
        first = self._loads
        records: dict[int, list[LoadRecord]] = {}
        for index in range(first, first + workers):
            if first and time.monotonic() > self.deadline:
                break
            turn = [self.base, self.head, self.null]
            for arm in turn if index % 2 == 0 else reversed(turn):
                for done in arm.loaded.visit(index, cases) if arm.loaded else ():
                    arm.note(done)
                    self.show(done)
                    if isinstance(done.record, LoadRecord):
                        records.setdefault(id(arm), []).append(done.record)
            self._loads = index + 1
        wanted = [each for each in self.cases.values() if each.status == "measured"]
        base, head, null = (
            collect_load_evidence(wanted, records.get(id(arm), []), cases)
            for arm in (self.base, self.head, self.null)
        )
        return {
            **pair_scalings(head, base, is_null=False),
            **pair_scalings(null, base, is_null=True),
        }

    def draw_counts(self, processes: int, cases: Collection[str]) -> Evidence:
        """The numbers of fresh processes; the null control joins the confirmations."""
        collected: dict[Key, Observations] = {}
        for index in range(self._passes, self._passes + processes):
            turn = [self.base, self.head, *([self.null] if index >= FIRST_NULL_PASS else [])]
            if index % 2:
                turn.reverse()
            told = {id(arm): self._run_pass(arm, index, cases) for arm in turn}
            base = told[id(self.base)]
            extend_evidence(collected, pair_counts(told[id(self.head)], base, is_null=False))
            extend_evidence(collected, pair_counts(told.get(id(self.null), {}), base, is_null=True))
        self._passes += processes
        return collected

    def _run_pass(self, arm: MeasuredVariant, index: int, cases: Collection[str]) -> Evidence:
        wanted = [each for each in self.signals if each in COUNT_SIGNALS]
        done = []
        for each in prepare_counting_session(arm.session).run(wanted, index, cases):
            arm.note(each)
            self.show(each)
            done.append(each)
        return collect_record_evidence(done, cases)


def pair_latencies(
    records: Sequence[CaseRecord], slices: Sequence[Sequence[WorkerRecord]]
) -> dict[Key, Observations]:
    """The numbers of the fresh workers of BASE, HEAD and the null control, by case and quantity.

    Args:
        records: The cases that are wanted.
        slices: For each arm its earlier workers, which tell the best speed, and the fresh ones.
    """
    _, base, _, head, _, null = compute_worker_latencies(records, slices)
    return {
        (name, quantity, is_null): Observations(tuple(values), tuple(base[name][quantity]))
        for is_null, arm in ((False, head), (True, null))
        for name, quantities in arm.items()
        if name in base
        for quantity, values in quantities.items()
        if quantity in base[name]
    }


def pair_scalings(heads: Evidence, bases: Evidence, *, is_null: bool) -> dict[Key, Observations]:
    """The numbers of workers under load of two arms, where both have some."""
    return {
        (name, quantity, is_null): Observations(numbers.heads, bases[name, quantity, False].heads)
        for (name, quantity, _), numbers in heads.items()
        if (name, quantity, False) in bases
    }


def _split_workers(
    arm: MeasuredVariant, before: int
) -> tuple[Sequence[WorkerRecord], Sequence[WorkerRecord]]:
    return arm.workers[:before], arm.workers[before:]


def pair_counts(heads: Evidence, bases: Evidence, *, is_null: bool) -> dict[Key, Observations]:
    """The numbers of the processes that counted and weighed, process by process.

    Args:
        heads: Those of HEAD, or of the null control.
        bases: Those of BASE.
        is_null: Which of the two ``heads`` are.
    """
    pairs = {}
    for (name, quantity, _), head in heads.items():
        base = bases.get((name, quantity, False))
        if base is None:
            continue
        pair = [
            (base_value, base_value)
            if abs(head_value - base_value) <= JUDGED[quantity].slack
            else (head_value, base_value)
            for head_value, base_value in zip(head.heads, base.heads, strict=False)
        ]
        values = Observations(tuple(each for each, _ in pair), tuple(each for _, each in pair))
        pairs[name, quantity, is_null] = values
    return pairs


def judge_comparison(pair: Comparison, tolerances: dict[str, float], policy: Policy) -> Judgement:
    """Decide a comparison."""
    questions = make_comparison_criteria(pair.head.session.records, pair.signals, tolerances)
    verdicts, worst = apply_null_control(questions, judge(questions, pair, policy))
    kept = select_relevant(verdicts, pair.base.session.records, pair.head.session.records)
    notes = [describe_null_failure(verdict, verdict.case) for verdict in worst.values()]
    notes += [f"{key}: {reason}" for key, reason in pair.not_available.items()]
    return Judgement("compare", (make_headline(policy, kept),), tuple(kept), tuple(notes))
