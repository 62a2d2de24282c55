"""Evidence for the gate: the numbers of workers and processes, alone or HEAD's beside BASE's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from resilience_bench import _model
from resilience_bench._model import CaseRecord, Result
from resilience_bench.gate.trial import Evidence, Key, Observations
from resilience_bench.quantities import COUNT_SIGNALS, JUDGED, QUANTITIES
from resilience_bench.stats.latency import WEIGHTS, compute_worker_latencies
from resilience_bench.stats.load import compute_worker_loads

Numbers = tuple[float, ...]


class EvidenceSource(Protocol):
    """What the gate draws evidence from."""

    @property
    def cases(self) -> Mapping[str, CaseRecord]:
        """The status of every case so far."""

    @property
    def signals(self) -> Collection[str]:
        """The signals that are measured."""

    @property
    def not_available(self) -> Mapping[str, str]:
        """The signals that cannot be measured, and why."""

    def draw_latencies(self, workers: int, cases: Collection[str], /) -> Evidence:
        """Return the numbers of fresh workers, see `resilience_bench.gate.trial.DrawEvidence`."""

    def draw_counts(self, processes: int, cases: Collection[str], /) -> Evidence:
        """Return the numbers of fresh processes that count instructions or allocations."""

    def draw_loads(self, workers: int, cases: Collection[str], /) -> Evidence:
        """Return the numbers of fresh workers under load, or around real calls."""


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one variant; ``earlier`` workers only show the machine's best speed."""

    workers: Sequence[_model.WorkerRecord] = ()
    earlier: Sequence[_model.WorkerRecord] = ()
    instructions: Sequence[_model.InstructionRecord] = ()
    allocations: Sequence[_model.AllocationRecord] = ()
    loads: Sequence[_model.LoadRecord] = ()


def collect_evidence(
    cases: Iterable[CaseRecord],
    head: Records,
    base: Records | None = None,
    null: Records | None = None,
) -> dict[Key, Observations]:
    """Return HEAD's numbers by case and quantity, and the null control's, beside those of BASE.

    Without BASE, HEAD is judged by a stored range, which holds for a machine at its best speed; so
    only numbers at that speed count. A case that has too few of them gets no numbers at all.
    """
    cases = list(cases)
    sides = [head, base or Records(), null or Records()]
    measured = [record for record in cases if record.status == "measured"]
    latencies = compute_worker_latencies(
        measured,
        [workers for side in sides for workers in (side.earlier, side.workers)],
        only_at_best_speed=base is None,
    )
    names = {record.case.name for record in cases}
    heads, bases, nulls = (
        {
            (name, quantity): tuple(values)
            for values_by_case in (timed, compute_worker_loads(side.loads, measured))
            for name, quantities in values_by_case.items()
            for quantity, values in quantities.items()
        }
        | _collect_counts(side, names)
        for side, timed in zip(sides, latencies[1::2], strict=True)
    )
    if base is None:
        timed = {name for worker in head.workers for name in worker.operations}
        found = {
            (record.case.name, quantity, False): Observations()
            for record in measured
            if record.case.name in timed
            for quantity, known in QUANTITIES.items()
            if known.signal == "latency"
        }
        return found | {(*key, False): Observations(numbers) for key, numbers in heads.items()}
    return {
        (*key, is_null): _pair(key[1], numbers, bases[key])
        for is_null, side_numbers in ((False, heads), (True, nulls))
        for key, numbers in side_numbers.items()
        if key in bases
    }


def _collect_counts(side: Records, names: Collection[str]) -> dict[tuple[str, str], Numbers]:
    found = defaultdict[tuple[str, str], Numbers](tuple)
    for counting in side.instructions:
        for name in counting.operations.keys() & names:
            found[name, "instructions"] += (counting.operations[name].per_call,)
    for weighing in side.allocations:
        for name in weighing.operations.keys() & names:
            for quantity in WEIGHTS.keys() & JUDGED:
                weight = getattr(weighing.operations[name], WEIGHTS[quantity])
                found[name, quantity] += (float(weight),)
    return found


def _pair(quantity: str, heads: Numbers, bases: Numbers) -> Observations:
    """Pair counts process by process; a difference within the slack is none."""
    if QUANTITIES[quantity].signal not in COUNT_SIGNALS:
        return Observations(heads, bases)
    pairs, slack = list(zip(heads, bases, strict=False)), QUANTITIES[quantity].slack
    close = tuple(base if abs(head - base) <= slack else head for head, base in pairs)
    return Observations(close, tuple(base for _, base in pairs))


def choose_record(head: CaseRecord, base: CaseRecord | None) -> CaseRecord:
    """Return BASE's record if it keeps a case from being compared, else HEAD's."""
    if base is None or head.status != "measured":
        return head
    return base if base.status != "measured" or base.missing else head


@dataclass(slots=True)
class StoredSource:
    """A results file, or two to compare; the first draw of a kind returns all that they hold."""

    head: Result
    base: Result | None = None
    _drawn: set[str] = field(default_factory=set)

    @property
    def cases(self) -> Mapping[str, CaseRecord]:
        """The cases of the file, or those that both have."""
        base = self.base or self.head
        bases = {record.case.name: record for record in base.cases}
        heads = [record for record in self.head.cases if record.case.name in bases]
        return {head.case.name: choose_record(head, bases[head.case.name]) for head in heads}

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals that were measured."""
        return self.head.signals

    @property
    def not_available(self) -> Mapping[str, str]:
        """The signals that could not be measured, and why."""
        return self.head.not_available

    def draw_latencies(self, _workers: int, cases: Collection[str]) -> Evidence:
        """See `EvidenceSource`; the number of workers is that of the file."""
        return self._draw_once(cases, "workers")

    def draw_loads(self, _workers: int, cases: Collection[str]) -> Evidence:
        """See `EvidenceSource`; the number of workers is that of the file."""
        return self._draw_once(cases, "loads")

    def draw_counts(self, _processes: int, cases: Collection[str]) -> Evidence:
        """See `EvidenceSource`; the number of processes is that of the file."""
        return self._draw_once(cases, "instructions", "allocations")

    def _draw_once(self, cases: Collection[str], *fields: str) -> Evidence:
        if self._drawn & {*fields}:
            return {}
        self._drawn |= {*fields}
        head, *base = (
            Records(**{name: getattr(side, name) for name in fields})
            for side in (self.head, self.base)
            if side
        )
        wanted = [record for name, record in self.cases.items() if name in cases]
        return collect_evidence(wanted, head, *base)
