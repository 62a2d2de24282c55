"""Runs cases for a long time, one after the other, each in a worker of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from resilience_bench._model import CaseInfo, DriftRecord
from resilience_bench.environments.fingerprint import now
from resilience_bench.measure.launcher import WorkerFailedError
from resilience_bench.measure.session import FinishedBlock, Session, start_plan
from resilience_bench.worker.protocol import DriftMessage


@dataclass(slots=True)
class DriftSession(Session):
    """A session that runs each case for ``drift_s``; it yields `DriftRecord`.

    A worker that fails is not started again: it would take as long, and fail at the same place.
    """

    drift_s: float = 60.0

    def run(self) -> Iterator[FinishedBlock]:
        """Measure; yields after each case."""
        for info in self.cases:
            record = None
            try:
                record = self._measure_drift(info)
            except WorkerFailedError as error:
                self._handle_failure([info], error)
            yield FinishedBlock(record, (info,), 0)

    def _measure_drift(self, info: CaseInfo) -> DriftRecord | None:
        name = info.case.name
        plan = replace(
            start_plan("drift", [info]),
            sample_ns=self.profile.sample_ns,
            time_limit_s=self.profile.time_limit_s + self.drift_s,
            drift_s=self.drift_s,
        )
        started = now()
        messages = self.launcher.run(plan, hash_seed=0)
        self._note(messages)
        for message in messages:
            if isinstance(message, DriftMessage) and message.case == name:
                return DriftRecord(name, 0, started, now(), message.points)
        if self.records[name].status == "measured":
            self._set_status(name, "failed", "its worker reported nothing about it")
        return None
