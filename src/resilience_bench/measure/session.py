"""Plans blocks of cases, has workers measure them, and survives what the workers do."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from resilience_bench._model import (
    AllocationRecord,
    CaseInfo,
    CaseRecord,
    CaseStatus,
    DriftRecord,
    InstructionRecord,
    LoadRecord,
    Result,
    Samples,
    Signal,
    WorkerRecord,
)
from resilience_bench.environments.fingerprint import now
from resilience_bench.measure.launcher import Launcher, WorkerFailedError
from resilience_bench.scenarios.loads import NOOP, SINGLE
from resilience_bench.worker.protocol import (
    HEAVY_CALLS,
    DeclarationMessage,
    EndMessage,
    Message,
    Plan,
    ProblemMessage,
    SamplesMessage,
    StatusMessage,
)


@dataclass(frozen=True, slots=True)
class Profile:
    """How much is measured: so many workers, each with so many samples of every case."""

    name: str
    workers: int
    samples: int
    sample_ns: int = 100_000
    case_ns: int = 10_000_000
    fewest_samples: int = 2
    block_cases: int = 200
    time_limit_s: float = 30.0


# More workers rather than more samples: what is left between two runs is between processes (memory
# layout), and a start costs a block of this size no more than its samples; see scripts/estimators.
PROFILES: Final = {
    profile.name: profile
    for profile in (
        Profile("quick", workers=14, samples=16),
        Profile("standard", workers=40, samples=24, case_ns=20_000_000, time_limit_s=60.0),
        Profile("concurrency", workers=14, samples=16),
        Profile("thorough", workers=100, samples=40, case_ns=40_000_000, time_limit_s=120.0),
    )
}

SLOW_CALL_NS: Final = 5_000_000
"""One call of a slow case outlasts all samples of a fast one."""
SLOW_WORKERS: Final = 5
"""Slow cases are left to so many workers, so that they do not use up the time of all others."""
FEW_CASES: Final = 40
MORE_SAMPLES: Final = 3
"""With few cases to a worker, each of them gets so many times as many samples."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What the scenario files declare, and the files that could not be used."""

    cases: tuple[CaseInfo, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FinishedBlock:
    """One block of one worker is finished: what was measured and what became of its cases."""

    record: WorkerRecord | InstructionRecord | AllocationRecord | LoadRecord | DriftRecord | None
    cases: tuple[CaseInfo, ...]
    index: int
    signal: Signal = "latency"


def discover(launcher: Launcher, paths: Sequence[Path], time_limit_s: float) -> Listing:
    """List the cases below the paths, without building any.

    A file that takes the whole worker with it (it exits or crashes while it is imported) is a
    problem of that file alone: the others are listed one by one.
    """
    try:
        return _discover_together(launcher, paths, time_limit_s)
    except WorkerFailedError as error:
        if len(paths) == 1:
            return Listing((), (f"{paths[0]}:1: importing it {error}",))
    listings = [discover(launcher, [path], time_limit_s) for path in paths]
    return Listing(
        tuple(itertools.chain.from_iterable(each.cases for each in listings)),
        tuple(itertools.chain.from_iterable(each.problems for each in listings)),
    )


def _discover_together(launcher: Launcher, paths: Sequence[Path], limit_s: float) -> Listing:
    plan = Plan("discover", tuple(map(str, paths)), time_limit_s=limit_s)
    messages = launcher.run(plan, hash_seed=0)
    return Listing(
        tuple(each.info for each in messages if isinstance(each, DeclarationMessage)),
        tuple(each.text for each in messages if isinstance(each, ProblemMessage)),
    )


@dataclass(slots=True)
class Session:
    """Measures cases with several workers, block by block.

    Worker-major: every block is visited once before any is visited again, so that the workers of
    a case are spread over the whole run, and a run that is cut short has some of everything.
    ``plants`` and ``waits`` make cases slower, see `Plan`; ``count_plants`` does so for the other
    signals. ``left_out`` names cases that are not measured although they could be.
    """

    launcher: Launcher
    cases: Sequence[CaseInfo]
    profile: Profile
    plants: Mapping[str, int] = field(default_factory=dict)
    waits: Mapping[str, int] = field(default_factory=dict)
    count_plants: Mapping[str, int] = field(default_factory=dict)
    signal: Signal = "latency"
    left_out: frozenset[str] = frozenset()
    records: dict[str, CaseRecord] = field(init=False)
    _slow: set[str] = field(default_factory=set)
    _visits: collections.Counter[str] = field(default_factory=collections.Counter)

    def __post_init__(self) -> None:
        """Every case counts as interrupted until something else is known of it."""
        self.records = {
            info.case.name: CaseRecord(
                info.case, "interrupted", "the run ended before it", "", info.description
            )
            for info in self.cases
        }

    def run(self) -> Iterator[FinishedBlock]:
        """Measure; yields after each block, so that the caller can write and show it."""
        for index in range(self.profile.workers):
            yield from self.visit(index)

    def visit(self, index: int, cases: Collection[str] | None = None) -> Iterator[FinishedBlock]:
        """Measure with one worker a block.

        Args:
            index: The number of the worker, which is its hash seed.
            cases: The names of those that are wanted; None for all. A few are measured with more
                samples: the start of the worker takes longer than those.
        """
        wanted = [info for info in self.cases if cases is None or info.case.name in cases]
        more = MORE_SAMPLES if cases is not None and len(wanted) <= FEW_CASES else 1
        profile = replace(
            self.profile,
            samples=more * self.profile.samples,
            case_ns=more * self.profile.case_ns,
        )
        for number, block in enumerate(self.blocks(wanted)):
            yield from self._measure(index, number, block, profile)

    def resume(self, earlier: Result) -> None:
        """Take up what an earlier run found out about the cases, so that nothing is done twice."""
        for record in earlier.cases:
            if record.case.name in self.records and record.status != "interrupted":
                self.records[record.case.name] = record
        for worker in earlier.workers:
            for name, samples in worker.operations.items():
                self._count_visit(name, samples)
        for counting in earlier.instructions:
            heavy = {n for n, counts in counting.operations.items() if counts.calls == HEAVY_CALLS}
            self._slow |= heavy

    def blocks(self, cases: Sequence[CaseInfo]) -> list[list[CaseInfo]]:
        """The cases in their order, in blocks of about the same size."""
        count = -(-len(cases) // self.profile.block_cases)
        size = -(-len(cases) // count) if count else 1
        return [list(cases[start : start + size]) for start in range(0, len(cases), size)]

    @property
    def slow(self) -> frozenset[str]:
        """The names of the cases that turned out to be slow."""
        return frozenset(self._slow)

    def _measure(
        self, index: int, number: int, block: list[CaseInfo], profile: Profile
    ) -> Iterator[FinishedBlock]:
        due = [info for info in block if self._is_due(info)]
        left_out = tuple(info for info in block if info not in due)
        if left_out:
            yield FinishedBlock(None, left_out, index, self.signal)
        if not due:
            return
        try:
            worker = self._measure_with_retry(index, number, due, profile)
        except WorkerFailedError as error:
            for part in self._handle_failure(due, error):
                yield from self._measure(index, number, part, profile)
        else:
            yield FinishedBlock(worker, tuple(due), index, self.signal)

    def _handle_failure(
        self, block: list[CaseInfo], error: WorkerFailedError
    ) -> list[list[CaseInfo]]:
        """What is still to be measured of a block that failed twice.

        The case that the worker names is given up; where it names none, each half goes on alone,
        and halves of halves, which finds out who spoils it for the others.
        """
        culprits = [info for info in block if info.case.name == error.suspect]
        if len(block) == 1:
            culprits = block
        for info in culprits:
            self._set_status(
                info.case.name, "hung" if error.is_hung else "failed", f"its worker {error}", ""
            )
        middle = len(block) // 2
        return [block] if culprits else [block[:middle], block[middle:]]

    def _is_due(self, info: CaseInfo) -> bool:
        name = info.case.name
        if name in self.left_out or self.records[name].status not in {"measured", "interrupted"}:
            return False
        return name not in self._slow or self._visits[name] < SLOW_WORKERS

    def _measure_with_retry(
        self, index: int, number: int, block: list[CaseInfo], profile: Profile
    ) -> WorkerRecord | LoadRecord:
        try:
            return self._run_worker(index, number, block, profile)
        except WorkerFailedError:
            return self._run_worker(index, number, block, profile)

    def _run_worker(
        self, index: int, number: int, block: list[CaseInfo], profile: Profile
    ) -> WorkerRecord | LoadRecord:
        plan = Plan(
            action="measure",
            paths=tuple(dict.fromkeys(info.path for info in block)),
            cases=tuple(info.case.name for info in block),
            check=index == 0,
            samples=profile.samples,
            sample_ns=profile.sample_ns,
            case_ns=profile.case_ns,
            fewest_samples=profile.fewest_samples,
            time_limit_s=profile.time_limit_s,
            plants=restrict_to_block(self.plants, block),
            waits=restrict_to_block(self.waits, block),
        )
        started = now()
        messages = self.launcher.run(plan, hash_seed=index)
        self._note(messages)
        return _build_record(messages, index, number, started)

    def _note(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if isinstance(message, StatusMessage):
                status: CaseStatus = "measured" if message.status == "ready" else message.status
                self._set_status(message.case, status, message.reason, message.control)
            elif isinstance(message, SamplesMessage) and message.kind == "operation":
                self._count_visit(message.name, message.samples)

    def _count_visit(self, name: str, samples: Samples) -> None:
        self._visits[name] += 1
        if min(samples.elapsed_ns) / samples.calls > SLOW_CALL_NS:
            self._slow.add(name)

    def _set_status(self, name: str, status: CaseStatus, reason: str, control: str) -> None:
        before = self.records[name]
        self.records[name] = replace(
            before, status=status, reason=reason, control=control or before.control
        )


def list_loaded_cases(block: Sequence[CaseInfo]) -> tuple[tuple[str, str, str, str], ...]:
    """Those of the cases that are under a load, as a `Plan` has them."""
    return tuple(
        (case.name, case.with_load(SINGLE, NOOP).name, case.load, case.payload)
        for case in (info.case for info in block)
        if case.is_loaded
    )


def restrict_to_block(
    plants: Mapping[str, int], block: Sequence[CaseInfo]
) -> tuple[tuple[str, int], ...]:
    """Those of the plants that concern a block, as a `Plan` has them."""
    return tuple(
        (info.case.name, plants[info.case.name]) for info in block if info.case.name in plants
    )


def inspect(launcher: Launcher, cases: Sequence[CaseInfo], time_limit_s: float) -> list[CaseRecord]:
    """Build every case, without timing it, to find out which are available and why not."""
    profile = Profile("inspect", workers=1, samples=1, block_cases=1000, time_limit_s=time_limit_s)
    session = _Inspection(launcher, cases, profile)
    for _ in session.run():
        pass
    return list(session.records.values())


class _Inspection(Session):
    def _run_worker(
        self, index: int, number: int, block: list[CaseInfo], profile: Profile
    ) -> WorkerRecord:
        paths = tuple(dict.fromkeys(info.path for info in block))
        names = tuple(info.case.name for info in block)
        plan = Plan(
            "inspect",
            paths,
            names,
            time_limit_s=profile.time_limit_s,
            under=list_loaded_cases(block),
        )
        self._note(self.launcher.run(plan, hash_seed=index))
        nothing = Samples(1, ())
        return WorkerRecord(index, number, index, now(), now(), 0.0, nothing)


def _build_record(
    messages: Sequence[Message], index: int, block: int, started: str
) -> WorkerRecord:
    sampled = [message for message in messages if isinstance(message, SamplesMessage)]
    by_kind: dict[str, dict[str, Samples]] = {"reference": {}, "control": {}, "operation": {}}
    for message in sampled:
        by_kind[message.kind][message.name] = message.samples
    done = next(message for message in messages if isinstance(message, EndMessage))
    if "reference" not in by_kind["reference"]:
        message_text = "said that it was done without sampling the reference"
        raise WorkerFailedError(message_text)
    return WorkerRecord(
        index=index,
        block=block,
        hash_seed=index,
        started=started,
        ended=now(),
        clock_resolution_ns=done.clock_resolution_ns,
        reference=by_kind["reference"]["reference"],
        controls=by_kind["control"],
        operations=by_kind["operation"],
        gil_enabled=done.gil_enabled,
    )
