"""Measures cases under load: workers one after the other, cases with one control side by side."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from resilience_bench._model import CaseInfo, LoadRecord, Signal, WorkerRecord
from resilience_bench.environments.fingerprint import now
from resilience_bench.measure.launcher import Launcher, WorkerFailedError
from resilience_bench.measure.session import FinishedBlock, Profile, Session, list_loaded_cases
from resilience_bench.worker.protocol import EndMessage, LoadMessage, Message, Plan, TallyMessage


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured of a case under load: workers, and windows in each of them.

    ``timed`` is for how many times ``window_ns`` single calls are timed as well, for percentiles.
    """

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
"""By the name of the profile. Many short windows rather than a few long ones: what disturbs one of
them does not disturb the others."""
GATE_EFFORT: Final = Effort(workers=5, rounds=8, window_ns=10_000_000, timed=0)
"""How much a gate measures at a time."""
CASE_LIMIT_S: Final = 10.0
"""A case whose callers do not come back within so long is hung."""
CASE_S: Final = 3.0
"""A case takes far less than this in a worker, on any machine."""
BLOCK_CASES: Final = 40


@dataclass(slots=True)
class LoadSession(Session):
    """A session whose cases are under a load; its records are `LoadRecord`."""

    signal: Signal = "scaling"
    effort: Effort = field(default_factory=lambda: EFFORTS["quick"])

    def run(self) -> Iterator[FinishedBlock]:
        """Measure; yields after each block."""
        for index in range(self.effort.workers):
            yield from self.visit(index)

    def visit(self, index: int, cases: Collection[str] | None = None) -> Iterator[FinishedBlock]:
        """Measure with one worker a block; see `Session.visit`."""
        wanted = [info for info in self.cases if cases is None or info.case.name in cases]
        for number, block in enumerate(self.blocks(wanted)):
            yield from self._measure(index, number, block, self.profile)

    def blocks(self, cases: Sequence[CaseInfo]) -> list[list[CaseInfo]]:
        """The cases in blocks, none of which tears apart what is measured side by side."""
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

    def _measure_with_retry(
        self, index: int, number: int, block: list[CaseInfo], profile: Profile
    ) -> WorkerRecord | LoadRecord:
        try:
            return self._run_worker(index, number, block, profile)
        except WorkerFailedError as error:
            if error.is_hung:  # it would hang again, and take as long
                raise
            return self._run_worker(index, number, block, profile)

    def _run_worker(
        self, index: int, number: int, block: list[CaseInfo], profile: Profile
    ) -> LoadRecord:
        plan = Plan(
            action="load",
            paths=tuple(dict.fromkeys(info.path for info in block)),
            cases=tuple(info.case.name for info in block),
            check=index == 0,
            time_limit_s=profile.time_limit_s + CASE_S * len(block),
            under=list_loaded_cases(block),
            rounds=self.effort.rounds,
            window_ns=self.effort.window_ns,
            case_limit_s=CASE_LIMIT_S,
            timed=self.effort.timed,
        )
        started = now()
        messages = self.launcher.run(plan, hash_seed=index)
        self._note(messages)
        return _build_load_record(messages, index, number, started)


def create_sessions(
    launcher: Launcher,
    cases: Sequence[CaseInfo],
    profile: Profile,
    effort: Effort | None = None,
) -> tuple[Session, LoadSession]:
    """The two sessions of a selection: alone and under load, with one mapping of records."""
    plain = [info for info in cases if not info.case.is_loaded]
    loaded = [info for info in cases if info.case.is_loaded]
    alone = Session(launcher, plain, profile)
    together = LoadSession(launcher, loaded, profile, effort=effort or EFFORTS[profile.name])
    records = alone.records | together.records
    alone.records = together.records = {info.case.name: records[info.case.name] for info in cases}
    return alone, together


def _build_load_record(
    messages: Sequence[Message], index: int, block: int, started: str
) -> LoadRecord:
    loaded = [each for each in messages if isinstance(each, LoadMessage)]
    return LoadRecord(
        index,
        block,
        index,
        started,
        now(),
        controls={each.name: each.samples for each in loaded if each.kind == "control"},
        operations={each.name: each.samples for each in loaded if each.kind == "operation"},
        tallies={each.case: each.tally for each in messages if isinstance(each, TallyMessage)},
        gil_enabled=all(each.gil_enabled for each in messages if isinstance(each, EndMessage)),
    )
