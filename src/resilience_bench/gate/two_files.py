"""The gate's numbers from two results files, as `compare` has them from two variants."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from resilience_bench._model import CaseRecord, Result
from resilience_bench.gate.comparison import paired_counts, paired_evidence, paired_scalings
from resilience_bench.gate.decide import Evidence
from resilience_bench.gate.evidence import count_evidence, load_evidence


@dataclass(slots=True)
class TwoFiles:
    """A source for the gate: two files, each with what it holds at once and nothing after that."""

    other: Result
    this: Result
    signals: tuple[str, ...]
    not_available: Mapping[str, str]
    _told: int = 0

    @property
    def cases(self) -> Mapping[str, CaseRecord]:
        """What became of the cases that both have; what one lacks cannot be compared."""
        others = {record.case.name: record for record in self.other.cases}
        return {
            record.case.name: record
            if record.status != "measured"
            else others[record.case.name]
            if others[record.case.name].status != "measured"
            else record
            for record in self.this.cases
            if record.case.name in others
        }

    def latencies(self, workers: int, cases: Collection[str]) -> Evidence:
        """See `sources.Source`; the number of workers is what it is."""
        del workers
        wanted = [each for name, each in self.cases.items() if name in cases]
        arms = [(), self.other.workers, (), self.this.workers, (), ()]
        return self._once(1, paired_evidence(wanted, arms))

    def scalings(self, workers: int, cases: Collection[str]) -> Evidence:
        """See `sources.Source`; the number of workers is what it is."""
        del workers
        base, head = (
            load_evidence(each.cases, each.loads, cases) for each in (self.other, self.this)
        )
        return self._once(2, paired_scalings(head, base, is_null=False))

    def counts(self, processes: int, cases: Collection[str]) -> Evidence:
        """See `sources.Source`; the number of processes is what it is."""
        del processes
        base, head = (
            count_evidence(each.instructions, each.allocations, cases)
            for each in (self.other, self.this)
        )
        return self._once(4, paired_counts(head, base, is_null=False))

    def _once(self, kind: int, evidence: Evidence) -> Evidence:
        if self._told & kind:
            return {}
        self._told |= kind
        return evidence
