"""A run in progress: its results file is brought up to date after every block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from resilience_bench import __version__, results
from resilience_bench._model import Result, WorkerRecord
from resilience_bench.environment import current_commit, current_environment, load_average
from resilience_bench.session import BlockDone, Session, now
from resilience_bench.worker.reference import REFERENCE_VERSION


@dataclass(slots=True)
class Recording:
    """Collects what a session measures and keeps it on disk."""

    session: Session
    path: Path
    selectors: Sequence[str]
    notes: Sequence[str] = ()
    _start: Result = field(init=False)
    _workers: list[WorkerRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Note what is known before anything is measured."""
        profile = self.session.profile
        self._start = Result(
            schema=results.SCHEMA,
            tool_version=__version__,
            reference_version=REFERENCE_VERSION,
            profile=profile.name,
            selectors=tuple(self.selectors),
            seeds=tuple(range(profile.workers)),
            started=now(),
            ended="",
            complete=False,
            load_average=load_average(),
            commit=current_commit(Path.cwd()),
            environment=current_environment(),
            cases=(),
            workers=(),
            notes=tuple(self.notes),
        )

    def add(self, done: BlockDone) -> None:
        """Add a block and write the file."""
        if done.worker is not None:
            self._workers.append(done.worker)
        self.write(complete=False)

    def write(self, *, complete: bool) -> Result:
        """Write what there is, and return it."""
        result = replace(
            self._start,
            ended=now(),
            complete=complete,
            cases=tuple(self.session.records.values()),
            workers=tuple(self._workers),
        )
        results.write(result, self.path)
        return result
