"""A run in progress: its results file is brought up to date after every block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from resilience_bench import __version__, _model
from resilience_bench._model import CaseRecord, Environment, LoadRecord, Result, WorkerRecord
from resilience_bench._outages import OutageRecord
from resilience_bench.environments import fingerprint
from resilience_bench.environments.fingerprint import detect_environment, find_commit, now
from resilience_bench.files import results
from resilience_bench.measure.session import FinishedBlock, Record
from resilience_bench.worker.reference import REFERENCE_VERSION

Kind = TypeVar("Kind", bound=Record)


@dataclass(slots=True)
class Recording:
    """The records of a run, kept on disk; sessions bring ``records`` up to date."""

    records: Mapping[str, CaseRecord]
    profile: str
    path: Path
    selectors: Sequence[str] = ()
    notes: Sequence[str] = ()
    signals: Sequence[str] = ("latency",)
    not_available: Mapping[str, str] = field(default_factory=dict)
    environment: Environment | None = None
    finished: list[Record] = field(default_factory=list)
    _start: Result = field(init=False)

    def __post_init__(self) -> None:
        """Set what is known before anything is measured."""
        self._start = Result(
            schema=results.SCHEMA,
            tool_version=__version__,
            reference_version=REFERENCE_VERSION,
            profile=self.profile,
            selectors=tuple(self.selectors),
            seeds=(),
            started=now(),
            ended="",
            complete=False,
            load_average=fingerprint.read_load_average(),
            commit=find_commit(Path.cwd()),
            environment=self.environment or detect_environment(),
            cases=(),
            workers=(),
            notes=tuple(self.notes),
            signals=tuple(self.signals),
            not_available=dict(self.not_available),
        )

    def resume(self, earlier: Result) -> None:
        """Continue an earlier run; the file then holds both."""
        self._start = replace(self._start, started=earlier.started)
        counts: list[Record] = [*earlier.instructions, *earlier.allocations]
        self.finished[:0] = [*earlier.workers, *counts, *earlier.loads]

    def select(self, kind: type[Kind]) -> list[Kind]:
        """Return the records of one kind, in the order in which they were made."""
        return [record for record in self.finished if isinstance(record, kind)]

    def add(self, done: FinishedBlock) -> None:
        """Add a block and write the file."""
        if done.record:
            self.finished.append(done.record)
        self.write(complete=False)

    def result(self, *, complete: bool) -> Result:
        """Build the results so far."""
        workers, loads = self.select(WorkerRecord), self.select(LoadRecord)
        seeds = {worker.hash_seed for worker in workers} | {load.hash_seed for load in loads}
        return replace(
            self._start,
            ended=now(),
            complete=complete,
            seeds=tuple(sorted(seeds)),
            cases=tuple(self.records.values()),
            workers=tuple(workers),
            instructions=tuple(self.select(_model.InstructionRecord)),
            allocations=tuple(self.select(_model.AllocationRecord)),
            loads=tuple(loads),
            drifts=tuple(self.select(_model.DriftRecord)),
            outages=tuple(self.select(OutageRecord)),
        )

    def write(self, *, complete: bool) -> Result:
        """Write the results so far, and return them."""
        result = self.result(complete=complete)
        results.write(result, self.path)
        return result
