"""A run in progress: its results file is brought up to date after every block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from resilience_bench import __version__
from resilience_bench._model import (
    AllocationRecord,
    CaseRecord,
    DriftRecord,
    Environment,
    InstructionRecord,
    LoadRecord,
    Result,
    WorkerRecord,
)
from resilience_bench.environments.fingerprint import (
    detect_environment,
    find_commit,
    now,
    read_load_average,
)
from resilience_bench.files import results
from resilience_bench.measure.session import FinishedBlock
from resilience_bench.worker.reference import REFERENCE_VERSION


@dataclass(slots=True)
class Recording:
    """Collects what sessions measure, and keeps it on disk.

    ``records`` is the mapping that the sessions bring up to date; ``environment`` is that of the
    workers, by default our own.
    """

    records: Mapping[str, CaseRecord]
    profile: str
    path: Path
    selectors: Sequence[str] = ()
    notes: Sequence[str] = ()
    signals: Sequence[str] = ("latency",)
    not_available: Mapping[str, str] = field(default_factory=dict)
    environment: Environment | None = None
    _start: Result = field(init=False)
    _workers: list[WorkerRecord] = field(default_factory=list)
    _instructions: list[InstructionRecord] = field(default_factory=list)
    _allocations: list[AllocationRecord] = field(default_factory=list)
    _loads: list[LoadRecord] = field(default_factory=list)
    _drifts: list[DriftRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Note what is known before anything is measured."""
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
            load_average=read_load_average(),
            commit=find_commit(Path.cwd()),
            environment=self.environment or detect_environment(),
            cases=(),
            workers=(),
            notes=tuple(self.notes),
            signals=tuple(self.signals),
            not_available=dict(self.not_available),
        )

    def resume(self, earlier: Result) -> None:
        """Take up what an earlier run measured; the file then holds both."""
        self._start = replace(self._start, started=earlier.started)
        self._workers[:0] = earlier.workers
        self._instructions[:0] = earlier.instructions
        self._allocations[:0] = earlier.allocations
        self._loads[:0] = earlier.loads

    def add(self, done: FinishedBlock) -> None:
        """Add a block and write the file."""
        if isinstance(done.record, WorkerRecord):
            self._workers.append(done.record)
        elif isinstance(done.record, InstructionRecord):
            self._instructions.append(done.record)
        elif isinstance(done.record, AllocationRecord):
            self._allocations.append(done.record)
        elif isinstance(done.record, LoadRecord):
            self._loads.append(done.record)
        elif isinstance(done.record, DriftRecord):
            self._drifts.append(done.record)
        self.write(complete=False)

    def result(self, *, complete: bool) -> Result:
        """What there is."""
        seeds = {each.hash_seed for each in self._workers}
        seeds |= {each.hash_seed for each in self._loads}
        return replace(
            self._start,
            ended=now(),
            complete=complete,
            seeds=tuple(sorted(seeds)),
            cases=tuple(self.records.values()),
            workers=tuple(self._workers),
            instructions=tuple(self._instructions),
            allocations=tuple(self._allocations),
            loads=tuple(self._loads),
            drifts=tuple(self._drifts),
        )

    def write(self, *, complete: bool) -> Result:
        """Write what there is, and return it."""
        result = self.result(complete=complete)
        results.write(result, self.path)
        return result
