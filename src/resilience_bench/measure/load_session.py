"""Measures cases under load: workers one after the other, cases with one control side by side."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

from resilience_bench._model import CaseInfo, LoadRecord, Signal
from resilience_bench.environments.fingerprint import now
from resilience_bench.measure import session
from resilience_bench.measure.case_servers import CaseServers
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.session import FinishedBlock, Profile, Session, group_by_kind
from resilience_bench.quantities import LOAD_SIGNALS
from resilience_bench.scenarios.loads import parse_load
from resilience_bench.servers.open_servers import Servers
from resilience_bench.worker.protocol import EndMessage, LoadMessage, Message, Plan, TallyMessage


@dataclass(frozen=True, slots=True)
class Effort:
    """Workers a case under load, windows in each, and ``timed`` windows that time single calls.

    ``crowd`` is that of cases with several callers, where it differs: windows must be longer.
    """

    workers: int
    rounds: int
    window_ns: int
    timed: int
    crowd: Effort | None = None


EFFORTS: Final[Mapping[str, Effort]] = {
    "quick": Effort(workers=5, rounds=16, window_ns=10_000_000, timed=20),
    "concurrency": Effort(workers=3, rounds=5, window_ns=10_000_000, timed=3),
    "real": Effort(workers=5, rounds=16, window_ns=10_000_000, timed=20),
    "standard": Effort(workers=10, rounds=24, window_ns=10_000_000, timed=40),
    "thorough": Effort(workers=20, rounds=40, window_ns=10_000_000, timed=80),
}
"""By the name of the profile. Windows are short and many: a disturbance spoils only a few."""
GATE_EFFORT: Final = Effort(workers=5, rounds=8, window_ns=10_000_000, timed=0)
"""How much each draw of a gate measures."""
_CROWD: Final = Effort(workers=5, rounds=4, window_ns=2_000_000, timed=5)
_QUICK: Final = Effort(workers=8, rounds=40, window_ns=400_000, timed=12, crowd=_CROWD)
SHARE_EFFORTS: Final[Mapping[str, Effort]] = {
    "quick": _QUICK,
    "concurrency": _QUICK,
    "real": replace(_QUICK, workers=5),
    "standard": replace(
        _QUICK, workers=20, rounds=100, crowd=replace(_CROWD, workers=10, rounds=20)
    ),
    "thorough": replace(
        _QUICK, workers=40, rounds=200, crowd=replace(_CROWD, workers=20, rounds=40)
    ),
}
"""The same for shares, whose samples are short and far more: neighbours are subtracted. Its windows
say how many calls a sample has, see `resilience_bench.worker.throughput`."""
SHARE_GATE_EFFORT: Final = replace(_QUICK, workers=5, timed=0, crowd=replace(_CROWD, timed=0))
CASE_LIMIT_S: Final = 10.0
"""A case is hung if its callers do not return within this time."""
CASE_S: Final = 3.0
"""More time than a case needs in a worker, on any machine."""
BLOCK_CASES: Final = 60
FEW_CASES: Final = 12
"""A block of real calls with so many cases or fewer is quick: it gets more rounds."""
MORE_ROUNDS: Final = 4
"""How many times as many rounds such a block gets."""


@dataclass(slots=True)
class LoadSession(Session):
    """A session of cases under load, or around real calls; it yields `LoadRecord`.

    Its ``signal`` is ``share`` around real calls, else ``scaling``.
    """

    signal: Signal = "scaling"
    effort: Effort = field(default_factory=lambda: EFFORTS["quick"])

    RETRIES_HUNG: ClassVar[bool] = False
    """A worker that hung would hang again, and take as long."""

    @property
    def workers(self) -> int:
        """How many workers a run has."""
        return self.effort.workers

    def count_visits(self) -> int:
        """Return how many measurements of a case a run makes: a crowd may have fewer workers."""
        return sum(self._choose_effort(info).workers for info in self.cases)

    def visit(self, index: int, cases: Collection[str] | None = None) -> Iterator[FinishedBlock]:
        """See `Session.visit`; by default only the cases that have as many workers."""
        wanted = cases
        if wanted is None:
            wanted = [
                info.case.name for info in self.cases if index < self._choose_effort(info).workers
            ]
        yield from Session.visit(self, index, wanted)

    def blocks(self, cases: Sequence[CaseInfo]) -> list[list[CaseInfo]]:
        """Split the cases into blocks of one effort; cases that share a control stay together."""
        groups: dict[tuple[str, ...], list[CaseInfo]] = {}
        for info in cases:
            scenario = () if info.case.is_real else (info.case.group,)
            key = (*scenario, info.case.load, info.case.payload)
            groups.setdefault(key, []).append(info)
        blocks: dict[Effort, list[list[CaseInfo]]] = {}
        for group in groups.values():
            some = blocks.setdefault(self._choose_effort(group[0]), [])
            if some and len(some[-1]) + len(group) <= BLOCK_CASES:
                some[-1] += group
            else:
                some.append(list(group))
        return [block for some in blocks.values() for block in some]

    def _choose_effort(self, info: CaseInfo) -> Effort:
        load = parse_load(info.case.load)
        is_crowd = load.callers + load.readers > 1
        return self.effort.crowd if is_crowd and self.effort.crowd else self.effort

    def _make_plan(self, index: int, block: Sequence[CaseInfo], profile: Profile) -> Plan:
        effort = self._choose_effort(block[0])
        is_small = block[0].case.is_real and len(block) <= FEW_CASES
        return replace(
            session.start_plan("load", block),
            check=index == 0,
            time_limit_s=profile.time_limit_s + CASE_S * len(block),
            under=session.list_loaded_cases(block),
            waits=session.restrict_to_block(self.waits, block),
            rounds=effort.rounds * (MORE_ROUNDS if is_small else 1),
            window_ns=effort.window_ns,
            case_limit_s=CASE_LIMIT_S,
            timed=effort.timed,
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
    *,
    gated: bool = False,
    servers: Servers | None = None,
) -> tuple[Session, tuple[LoadSession, LoadSession]]:
    """Create the sessions of a selection, with one mapping of records.

    The second are those under a load, around synthetic payloads and around real calls. ``gated``
    measures as much as one draw of a gate. ``servers`` starts what payloads call; without it their
    cases are not available.
    """
    efforts = (
        (GATE_EFFORT, SHARE_GATE_EFFORT)
        if gated
        else (EFFORTS[profile.name], SHARE_EFFORTS[profile.name])
    )
    started = CaseServers(servers)
    plain = [info for info in cases if not info.case.is_loaded]
    alone = Session(launcher, plain, profile, servers=started)
    scaling, share = (
        LoadSession(
            launcher,
            [info for info in cases if info.case.is_loaded and info.case.is_real is is_real],
            profile,
            signal=signal,
            effort=effort,
            servers=started,
        )
        for signal, is_real, effort in zip(LOAD_SIGNALS, (False, True), efforts, strict=True)
    )
    found = alone.records | scaling.records | share.records
    records = {info.case.name: found[info.case.name] for info in cases}
    alone.records = scaling.records = share.records = records
    return alone, (scaling, share)
