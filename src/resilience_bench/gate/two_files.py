"""The gate's numbers from two results files, as `compare` has them from two variants."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from resilience_bench._model import CaseRecord, Result
from resilience_bench.gate.comparison import pair_counts, pair_latencies, pair_scalings
from resilience_bench.gate.decide import Evidence
from resilience_bench.gate.evidence import collect_count_evidence, collect_load_evidence


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

    def draw_latencies(self, workers: int, cases: Collection[str]) -> Evidence:
        """See `sources.Source`; the number of workers is what it is."""
        del workers
        wanted = [each for name, each in self.cases.items() if name in cases]
        arms = [(), self.other.workers, (), self.this.workers, (), ()]
        return self._return_once(1, pair_latencies(wanted, arms))

    def draw_scalings(self, workers: int, cases: Collection[str]) -> Evidence:
        """See `sources.Source`; the number of workers is what it is."""
        del workers
        base, head = (
            collect_load_evidence(each.cases, each.loads, cases) for each in (self.other, self.this)
        )
        return self._return_once(2, pair_scalings(head, base, is_null=False))

    def draw_counts(self, processes: int, cases: Collection[str]) -> Evidence:
        """See `sources.Source`; the number of processes is what it is."""
        del processes
        base, head = (
            collect_count_evidence(each.instructions, each.allocations, cases)
            for each in (self.other, self.this)
        )
        return self._return_once(4, pair_counts(head, base, is_null=False))

    def _return_once(self, kind: int, evidence: Evidence) -> Evidence:
        if self._told & kind:
            return {}
        self._told |= kind
        return evidence
