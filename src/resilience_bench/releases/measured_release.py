"""One release that is measured, and a pair of neighbours."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
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
from resilience_bench.gate.evidence import choose_record
from resilience_bench.measure.measured_variant import MeasuredVariant
from resilience_bench.measure.session import MEASURABLE_STATUSES

SignalRecord = InstructionRecord | AllocationRecord | LoadRecord
RECORDS: Final[Mapping[Signal, type[SignalRecord]]] = {
    "instructions": InstructionRecord,
    "allocations": AllocationRecord,
    "scaling": LoadRecord,
}


@dataclass(slots=True, eq=False)
class MeasuredRelease(MeasuredVariant):
    """One release that is measured, now or in an earlier run; its name is its version."""

    @property
    def version(self) -> str:
        """The version of the release."""
        return self.name

    def resume(self, earlier: Result) -> None:
        """Continue an earlier run."""
        self.session.resume(earlier)
        self.recording.resume(earlier)

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
        records = self.recording.select(RECORDS[signal])
        done = {name for record in records if record.index == index for name in record.operations}
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
        return f"{self.head.version} {case}"

    def record(self, case: str) -> CaseRecord:
        """Return the record of a case; what one release cannot do cannot be compared."""
        return choose_record(self.head.session.records[case], self.base.session.records[case])
