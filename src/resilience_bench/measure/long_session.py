"""Long measurements, one case after the other: cases kept going, and cases in an outage."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from resilience_bench import _model
from resilience_bench._model import CaseInfo
from resilience_bench._outages import OutagePlan, OutageRecord, Phase
from resilience_bench.environments.fingerprint import now
from resilience_bench.measure.launcher import WorkerFailedError
from resilience_bench.measure.session import (
    FinishedBlock,
    Record,
    Session,
    list_loaded_cases,
    start_plan,
)
from resilience_bench.worker import protocol
from resilience_bench.worker.protocol import Message, Plan

SLOW_S: Final = 0.75
"""Three times as long as a caller of the payload ``outage`` waits for an answer."""
SCHEDULE: Final = OutagePlan(
    (
        Phase("healthy", "healthy", 6.0),
        Phase("slow", "slow", 5.0, SLOW_S),
        Phase("refusing", "refusing", 6.0),
        Phase("frozen", "frozen", 5.0),
        Phase("back", "healthy", 5.0),
    ),
    rate_per_s=400.0,
    callers=64,
    bare_s=3.0,
    seed=13,
)
"""The outage of the profile ``chaos``: half a minute a case, so five take less than 3 minutes."""


@dataclass(slots=True)
class LongSession(Session):
    """A session of one worker a case.

    A worker that fails is not started again: it would take as long, and fail at the same place.
    """

    def run(self) -> Iterator[FinishedBlock]:
        """Measure; yields after each case."""
        for info in self.cases:
            record = None
            try:
                if self._has_server(info):
                    record = self._measure_case(info)
            except WorkerFailedError as error:
                self._handle_failure([info], error)
            yield FinishedBlock(record, (info,), 0)

    def _measure_case(self, info: CaseInfo) -> Record | None:
        name, started = info.case.name, now()
        plan = replace(self._make_long_plan(info), servers=self.servers.list_addresses([info]))
        messages = self.launcher.run(plan, hash_seed=0)
        self._note(messages)
        for message in messages:
            if record := self._make_record(message, name, started):
                return record
        if self.records[name].status == "measured":
            self._set_status(name, "failed", "its worker reported nothing about it")
        return None

    @abstractmethod
    def _make_long_plan(self, info: CaseInfo) -> Plan:
        """Return the plan of a case."""

    @abstractmethod
    def _make_record(self, message: Message, name: str, started: str) -> Record | None:
        """Return the record of a case if the message has it."""


@dataclass(slots=True)
class DriftSession(LongSession):
    """A session that runs each case for ``drift_s``; it yields `DriftRecord`."""

    drift_s: float = 60.0

    def _make_long_plan(self, info: CaseInfo) -> Plan:
        return replace(
            start_plan("drift", [info]),
            sample_ns=self.profile.sample_ns,
            time_limit_s=self.profile.time_limit_s + self.drift_s,
            drift_s=self.drift_s,
        )

    def _make_record(self, message: Message, name: str, started: str) -> Record | None:
        if isinstance(message, protocol.DriftMessage) and message.case == name:
            return _model.DriftRecord(name, 0, started, now(), message.points)
        return None


@dataclass(slots=True)
class OutageSession(LongSession):
    """A session that puts each case through an outage; it yields `OutageRecord`."""

    schedule: OutagePlan = SCHEDULE

    def _make_long_plan(self, info: CaseInfo) -> Plan:
        schedule = self.schedule
        seconds = schedule.bare_s + sum(phase.seconds for phase in schedule.phases)
        return replace(
            start_plan("outage", [info]),
            time_limit_s=self.profile.time_limit_s + seconds,
            under=list_loaded_cases([info]),
            outage=schedule,
        )

    def _make_record(self, message: Message, name: str, started: str) -> Record | None:
        if isinstance(message, protocol.OutageMessage) and message.case == name:
            return OutageRecord(name, 0, started, now(), message.outage)
        return None
