"""Plans blocks of cases, has workers measure them, and copes with workers that fail."""

from __future__ import annotations

import collections
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

from resilience_bench import _model
from resilience_bench._model import CaseInfo, CaseRecord, CaseStatus, Samples, Signal, WorkerRecord
from resilience_bench._outages import OutageRecord
from resilience_bench.environments.fingerprint import now
from resilience_bench.measure.case_servers import CaseServers
from resilience_bench.measure.launcher import Launcher, WorkerFailedError
from resilience_bench.scenarios.loads import NOOP, SINGLE
from resilience_bench.worker import protocol
from resilience_bench.worker.protocol import Message, Plan, SamplesMessage


@dataclass(frozen=True, slots=True)
class Profile:
    """How much is measured: the number of workers, and the samples of a case in each of them."""

    name: str
    workers: int
    samples: int
    sample_ns: int = 100_000
    case_ns: int = 10_000_000
    fewest_samples: int = 2
    block_cases: int = 200
    time_limit_s: float = 30.0


# More workers rather than more samples: what varies between two runs varies between processes
# (memory layout), and starting a worker takes no longer than the samples of a block; see
# scripts/estimators.
PROFILES: Final = {
    profile.name: profile
    for profile in (
        Profile("quick", workers=14, samples=16),
        Profile("standard", workers=40, samples=24, case_ns=20_000_000, time_limit_s=60.0),
        Profile("concurrency", workers=14, samples=16),
        Profile("real", workers=14, samples=16),
        Profile("chaos", workers=1, samples=1),
        Profile("thorough", workers=100, samples=40, case_ns=40_000_000, time_limit_s=120.0),
    )
}

SLOW_CALL_NS: Final = 5_000_000
"""One call of a slow case takes longer than all samples of a fast one."""
SLOW_WORKERS: Final = 5
"""Only this many workers measure a slow case, to leave time for the other cases."""
FEW_CASES: Final = 40
MORE_SAMPLES: Final = 3
"""With `FEW_CASES` or fewer to a worker, each case gets this many times as many samples."""
MEASURABLE_STATUSES: Final = frozenset({"measured", "interrupted"})
"""The statuses of cases that can be measured, as far as is known."""

CountRecord = _model.InstructionRecord | _model.AllocationRecord
Record = WorkerRecord | CountRecord | _model.LoadRecord | _model.DriftRecord | OutageRecord


@dataclass(frozen=True, slots=True)
class FinishedBlock:
    """A block of cases that one worker has finished, or could not measure (no record)."""

    record: Record | None
    cases: tuple[CaseInfo, ...]
    index: int
    signal: Signal = "latency"


@dataclass(slots=True)
class Session:
    """Measures cases with several workers, block by block.

    Worker-major: every block is visited once before any is visited again, so that the workers of
    a case are spread over the whole run, and a run that is cut short has some of everything.
    ``plants`` and ``waits`` make cases slower, see `Plan`; ``count_plants`` does so for the other
    signals. ``left_out`` names cases that are not measured although they could be, ``slow`` those
    that turned out to be slow. ``servers`` starts what the payloads of the cases call.
    """

    launcher: Launcher
    cases: Sequence[CaseInfo]
    profile: Profile
    plants: Mapping[str, int] = field(default_factory=dict)
    waits: Mapping[str, int] = field(default_factory=dict)
    count_plants: Mapping[str, int] = field(default_factory=dict)
    signal: Signal = "latency"
    left_out: frozenset[str] = frozenset()
    slow: set[str] = field(default_factory=set)
    servers: CaseServers = field(default_factory=CaseServers)
    records: dict[str, CaseRecord] = field(init=False)
    _visits: collections.Counter[str] = field(default_factory=collections.Counter)

    RETRIES_HUNG: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Mark every case as interrupted until its status is known."""
        self.records = {
            info.case.name: CaseRecord(
                info.case, "interrupted", "the run ended before it", "", info.description
            )
            for info in self.cases
        }

    @property
    def workers(self) -> int:
        """How many workers a run has."""
        return self.profile.workers

    def run(self) -> Iterator[FinishedBlock]:
        """Measure; yields after each block, so that the caller can write and show it."""
        for index in range(self.workers):
            yield from self.visit(index)

    def visit(self, index: int, cases: Collection[str] | None = None) -> Iterator[FinishedBlock]:
        """Measure cases, by default all, with a worker a block; ``index`` is its hash seed."""
        wanted = [info for info in self.cases if cases is None or info.case.name in cases]
        more = MORE_SAMPLES if cases is not None and len(wanted) <= FEW_CASES else 1
        samples, case_ns = more * self.profile.samples, more * self.profile.case_ns
        profile = replace(self.profile, samples=samples, case_ns=case_ns)
        for number, block in enumerate(self.blocks(wanted)):
            yield from self._measure(index, number, block, profile)

    def probe(self) -> None:
        """Find out which cases work and which are slow, with a worker that is not kept."""
        kept, self._visits = self._visits, collections.Counter()
        for _ in self.visit(0):
            pass
        self._visits = kept

    def resume(self, earlier: _model.Result) -> None:
        """Continue an earlier run: keep what it found out about the cases."""
        for record in earlier.cases:
            if record.case.name in self.records and record.status != "interrupted":
                self.records[record.case.name] = record
        for worker in earlier.workers:
            for name, samples in worker.operations.items():
                self._count_visit(name, samples)
        for counting in earlier.instructions:
            heavy = {
                n
                for n, counts in counting.operations.items()
                if counts.calls == protocol.HEAVY_CALLS
            }
            self.slow |= heavy

    def blocks(self, cases: Sequence[CaseInfo]) -> list[list[CaseInfo]]:
        """Split the cases, in their order, into blocks of about the same size."""
        count = -(-len(cases) // self.profile.block_cases)
        size = -(-len(cases) // count) if count else 1
        return [list(cases[start : start + size]) for start in range(0, len(cases), size)]

    def _measure(
        self, index: int, number: int, block: list[CaseInfo], profile: Profile
    ) -> Iterator[FinishedBlock]:
        due = [info for info in block if self._is_due(info) and self._has_server(info)]
        left_out = tuple(info for info in block if info not in due)
        if left_out:
            yield FinishedBlock(None, left_out, index, self.signal)
        if not due:
            return
        try:
            record = self._run_worker(index, number, due, profile)
        except WorkerFailedError as error:
            for part in self._handle_failure(due, error):
                yield from self._measure(index, number, part, profile)
        else:
            yield FinishedBlock(record, tuple(due), index, self.signal)

    def _is_due(self, info: CaseInfo) -> bool:
        name = info.case.name
        if name in self.left_out or self.records[name].status not in MEASURABLE_STATUSES:
            return False
        return name not in self.slow or self._visits[name] < SLOW_WORKERS

    def _has_server(self, info: CaseInfo) -> bool:
        """Start the servers of a case, if it needs any; record why one is missing."""
        if problem := self.servers.find_problem(info):
            self._set_status(info.case.name, *problem)
        return not problem

    def _handle_failure(
        self, block: list[CaseInfo], error: WorkerFailedError
    ) -> list[list[CaseInfo]]:
        """Give up the case that the worker names, and return what is still to be measured.

        If it names none, each half goes on alone, and halves of halves: that isolates the case
        that makes the worker fail.
        """
        suspects = block if len(block) == 1 else find_suspects(block, error)
        status: CaseStatus = "hung" if error.is_hung else "failed"
        for info in suspects:
            self._set_status(info.case.name, status, f"its worker {error}")
        middle = len(block) // 2
        return [block] if suspects else [block[:middle], block[middle:]]

    def _run_worker(
        self, index: int, number: int, block: list[CaseInfo], profile: Profile, tries: int = 2
    ) -> Record:
        started = now()
        try:
            plan = self._make_plan(index, block, profile)
            plan = replace(plan, servers=self.servers.list_addresses(block))
            messages = self.launcher.run(plan, hash_seed=index)
            self._note(messages)
            return self._build_record(messages, index, number, started)
        except WorkerFailedError as error:
            if tries == 1 or (error.is_hung and not self.RETRIES_HUNG):
                raise
        return self._run_worker(index, number, block, profile, tries - 1)

    def _make_plan(self, index: int, block: Sequence[CaseInfo], profile: Profile) -> Plan:
        return replace(
            start_plan("measure", block),
            check=index == 0,
            samples=profile.samples,
            sample_ns=profile.sample_ns,
            case_ns=profile.case_ns,
            fewest_samples=profile.fewest_samples,
            time_limit_s=profile.time_limit_s,
            plants=restrict_to_block(self.plants, block),
            waits=restrict_to_block(self.waits, block),
        )

    def _build_record(
        self, messages: Sequence[Message], index: int, number: int, started: str
    ) -> Record:
        by_kind = group_by_kind(messages, SamplesMessage)
        end = next(message for message in messages if isinstance(message, protocol.EndMessage))
        if "reference" not in by_kind["reference"]:
            reason = "ended without sampling the reference"
            raise WorkerFailedError(reason)
        return WorkerRecord(
            index=index,
            block=number,
            hash_seed=index,
            started=started,
            ended=now(),
            clock_resolution_ns=end.clock_resolution_ns,
            reference=by_kind["reference"]["reference"],
            controls=by_kind["control"],
            operations=by_kind["operation"],
            gil_enabled=end.gil_enabled,
        )

    def _note(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if isinstance(message, protocol.StatusMessage):
                status: CaseStatus = "measured" if message.status == "ready" else message.status
                self._set_status(message.case, status, message.reason, message.control)
            elif isinstance(message, SamplesMessage) and message.kind == "operation":
                self._count_visit(message.name, message.samples)

    def _count_visit(self, name: str, samples: Samples) -> None:
        self._visits[name] += 1
        if min(samples.elapsed_ns) / samples.calls > SLOW_CALL_NS:
            self.slow.add(name)

    def _set_status(self, name: str, status: CaseStatus, reason: str, control: str = "") -> None:
        status, reason = self.servers.explain_failure(self.cases, name, status, reason)
        before = self.records[name]
        self.records[name] = replace(
            before, status=status, reason=reason, control=control or before.control
        )


def start_plan(action: protocol.Action, block: Sequence[CaseInfo]) -> Plan:
    """Return the plan of an action on the cases of a block, with default settings."""
    paths = dict.fromkeys(info.path for info in block)
    paths |= dict.fromkeys(
        payload.path for info in block if (payload := info.real_payload) and payload.path
    )
    return Plan(action, tuple(paths), tuple(info.case.name for info in block))


def group_by_kind(
    messages: Iterable[Message], wanted: type[Message], content: str = "samples"
) -> dict[str, dict[str, Any]]:
    """Return what messages of a type hold, by kind (reference, control, operation) and name."""
    found: dict[str, dict[str, Any]] = {"reference": {}, "control": {}, "operation": {}}
    some: Iterable[Any] = (message for message in messages if isinstance(message, wanted))
    for message in some:
        found[message.kind][message.name] = getattr(message, content)
    return found


def find_suspects(block: Sequence[CaseInfo], error: WorkerFailedError) -> list[CaseInfo]:
    """Return the case that a failed worker was at, or nothing where it named none."""
    return [info for info in block if info.case.name == error.suspect]


def list_loaded_cases(block: Sequence[CaseInfo]) -> tuple[tuple[str, str, str, str], ...]:
    """Describe the cases that are under a load, in the form of a `Plan`."""
    return tuple(
        (case.name, case.with_load(SINGLE, NOOP).name, case.load, case.payload)
        for case in (info.case for info in block)
        if case.is_loaded
    )


def restrict_to_block(
    plants: Mapping[str, int], block: Sequence[CaseInfo]
) -> tuple[tuple[str, int], ...]:
    """Return the plants of the cases of a block, in the form of a `Plan`."""
    names = [info.case.name for info in block]
    return tuple((name, plants[name]) for name in names if name in plants)
