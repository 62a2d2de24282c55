"""Measures cases under load: workers one after the other, cases with one control side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

from resilience_bench._model import CaseInfo, LoadRecord, Signal
from resilience_bench.environments.fingerprint import now
from resilience_bench.measure import session
from resilience_bench.measure.case_servers import CaseServers
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.session import Profile, Session, group_by_kind
from resilience_bench.servers.open_servers import Servers
from resilience_bench.worker.protocol import EndMessage, LoadMessage, Message, Plan, TallyMessage


@dataclass(frozen=True, slots=True)
class Effort:
    """Workers a case under load, windows in each, and ``timed`` windows that time single calls."""

    workers: int
    rounds: int
    window_ns: int
    timed: int


EFFORTS: Final[Mapping[str, Effort]] = {
    "quick": Effort(workers=5, rounds=16, window_ns=10_000_000, timed=20),
    "concurrency": Effort(workers=3, rounds=5, window_ns=10_000_000, timed=3),
    "standard": Effort(workers=10, rounds=24, window_ns=10_000_000, timed=40),
    "thorough": Effort(workers=20, rounds=40, window_ns=10_000_000, timed=80),
}
"""By the name of the profile. Windows are short and many: a disturbance spoils only a few."""
GATE_EFFORT: Final = Effort(workers=5, rounds=8, window_ns=10_000_000, timed=0)
"""How much each draw of a gate measures."""
CASE_LIMIT_S: Final = 10.0
"""A case is hung if its callers do not return within this time."""
CASE_S: Final = 3.0
"""More time than a case needs in a worker, on any machine."""
BLOCK_CASES: Final = 40


@dataclass(slots=True)
class LoadSession(Session):
    """A session of cases under load; it yields `LoadRecord`."""

    signal: Signal = "scaling"
    effort: Effort = field(default_factory=lambda: EFFORTS["quick"])

    RETRIES_HUNG: ClassVar[bool] = False
    """A worker that hung would hang again, and take as long."""

    @property
    def workers(self) -> int:
        """How many workers a run has."""
        return self.effort.workers

    def blocks(self, cases: Sequence[CaseInfo]) -> list[list[CaseInfo]]:
        """Split the cases into blocks; cases that share a control stay together."""
        groups: dict[tuple[str, str, str], list[CaseInfo]] = {}
        for info in cases:
            key = (info.case.group, info.case.load, info.case.payload)
            groups.setdefault(key, []).append(info)
        blocks: list[list[CaseInfo]] = []
        for group in groups.values():
            if blocks and len(blocks[-1]) + len(group) <= BLOCK_CASES:
                blocks[-1] += group
            else:
                blocks.append(list(group))
        return blocks

    def _make_plan(self, index: int, block: Sequence[CaseInfo], profile: Profile) -> Plan:
        return replace(
            session.start_plan("load", block),
            check=index == 0,
            time_limit_s=profile.time_limit_s + CASE_S * len(block),
            under=session.list_loaded_cases(block),
            rounds=self.effort.rounds,
            window_ns=self.effort.window_ns,
            case_limit_s=CASE_LIMIT_S,
            timed=self.effort.timed,
        )

    def _build_record(
        self, messages: Sequence[Message], index: int, number: int, started: str
    ) -> LoadRecord:
        by_kind = group_by_kind(messages, LoadMessage)
        tallies = [message for message in messages if isinstance(message, TallyMessage)]
        ends = [message for message in messages if isinstance(message, EndMessage)]
        return LoadRecord(
            index,
            number,
            index,
            started,
            now(),
            by_kind["control"],
            by_kind["operation"],
            tallies={message.case: message.tally for message in tallies},
            gil_enabled=all(message.gil_enabled for message in ends),
        )


def create_sessions(
    launcher: Launcher,
    cases: Sequence[CaseInfo],
    profile: Profile,
    effort: Effort | None = None,
    servers: Servers | None = None,
) -> tuple[Session, LoadSession]:
    """Create the sessions of a selection, alone and under load, with one mapping of records.

    ``servers`` starts what payloads call; without it their cases are not available.
    """
    plain = [info for info in cases if not info.case.is_loaded]
    loaded = [info for info in cases if info.case.is_loaded]
    started = CaseServers(servers)
    alone = Session(launcher, plain, profile, servers=started)
    effort = effort or EFFORTS[profile.name]
    together = LoadSession(launcher, loaded, profile, effort=effort, servers=started)
    records = alone.records | together.records
    alone.records = together.records = {info.case.name: records[info.case.name] for info in cases}
    return alone, together
