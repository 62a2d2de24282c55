"""Counts instructions and allocations, which no load disturbs, side by side in processes.

Several passes over the same cases, each with another hash seed, run at the same time too.
"""

from __future__ import annotations

import concurrent.futures
import functools
import itertools
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from resilience_bench import _model
from resilience_bench._model import CaseInfo, Signal
from resilience_bench.environments.fingerprint import now
from resilience_bench.measure import callgrind
from resilience_bench.measure import session as sessions
from resilience_bench.measure.launcher import WorkerFailedError
from resilience_bench.measure.session import MEASURABLE_STATUSES, FinishedBlock, Session
from resilience_bench.quantities import LOAD_SIGNALS
from resilience_bench.worker.protocol import CountsMessage, Message, StatusMessage, WeightMessage

PLAIN_SIGNALS: Final[tuple[Signal, ...]] = ("latency", "instructions", "allocations")
"""What is measured with one caller around no work."""
SIGNALS: Final[tuple[Signal, ...]] = (*PLAIN_SIGNALS, *LOAD_SIGNALS)
MINIMUM_CASES: Final = 12
"""With fewer cases in each, a second process takes longer to import than it saves."""
SLOW_WEIGHT: Final = 20
"""How many other cases take as long under valgrind as a slow one."""
LIMIT_S: Final = 900.0
"""The time limit of a process; each case has a limit of its own in the worker."""
LEAST_PROCESSES: Final = 3
"""Processes that run at the same time on any machine: two that count, and one that weighs."""
MOST_CHILDREN: Final = 8
"""Maximum number of cases that a process counts at a time: each takes some 100 MB."""
_ACTIONS: Final[Mapping[str, Literal["count", "weigh"]]] = {
    "instructions": "count",
    "allocations": "weigh",
}


def find_measurable_signals(
    wanted: Collection[str] | None = None,
) -> tuple[tuple[Signal, ...], dict[str, str]]:
    """Return the wanted signals (None for all) that can be measured here, and why others cannot."""
    signals = [signal for signal in SIGNALS if wanted is None or signal in wanted]
    reason = callgrind.explain_unavailability() if "instructions" in signals else ""
    lacking = {"instructions": reason} if reason else {}
    return tuple(signal for signal in signals if signal not in lacking), lacking


def count_children(processes: int) -> int:
    """Return how many cases each of so many processes counts at a time: one for each processor."""
    return max(1, min(MOST_CHILDREN, (os.cpu_count() or 1) // max(1, processes)))


def prepare_counting_session(session: Session) -> CountingSession:
    """Prepare counting the cases of a session.

    If the status of a case is unknown, a worker probes the cases first: that tells which cases
    work and which are slow, in a hundredth of the time that it takes under valgrind.
    """
    if any(session.records[info.case.name].status == "interrupted" for info in session.cases):
        session.probe()
    return CountingSession(session)


@dataclass(slots=True)
class CountingSession:
    """Counts a session's cases, in one pass each; a case that fails here misses the signal."""

    session: Session

    def run(
        self, signals: Sequence[Signal], index: int = 0, cases: Collection[str] | None = None
    ) -> Iterator[FinishedBlock]:
        """Count; yields at each process's end; ValgrindFailedError if valgrind does not work."""
        for _, block in count_together([CountingJob(self, signals, index, cases)]):
            yield block

    def plan_blocks(self, signal: Signal, cases: Collection[str] | None) -> list[list[CaseInfo]]:
        """Divide the cases that can be counted among processes."""
        due = [
            info
            for info in self.session.cases
            if (cases is None or info.case.name in cases)
            and self.session.records[info.case.name].status in MEASURABLE_STATUSES
        ]
        if signal == "instructions" and len(due) >= 2 * MINIMUM_CASES and (os.cpu_count() or 1) > 1:
            return self._split_in_two(due)
        return [due] if due else []

    def _split_in_two(self, due: list[CaseInfo]) -> list[list[CaseInfo]]:
        """Split into two blocks of about the same duration, each with few files to import."""
        files = {info.path for info in due if info.case.name in self.session.slow}
        due.sort(key=lambda info: (info.path not in files, info.case.name not in self.session.slow))
        weights = [SLOW_WEIGHT if info.case.name in self.session.slow else 1 for info in due]
        ends = itertools.accumulate(weights)
        first = sum(end <= sum(weights) / 2 for end in ends)
        return [due[:first], due[first:]]

    def launch(
        self, signal: Signal, block: Sequence[CaseInfo], index: int, children: int
    ) -> list[Message]:
        """Count a block in a process; WorkerFailedError if it fails."""
        plan = replace(
            sessions.start_plan(_ACTIONS[signal], block),
            check=False,
            time_limit_s=LIMIT_S,
            heavy=tuple(info.case.name for info in block if info.case.name in self.session.slow),
            plants=sessions.restrict_to_block(self.session.count_plants, block),
            servers=self.session.servers.list_addresses(block),
            children=children,
        )
        return self.session.launcher.run(plan, hash_seed=index)

    def handle_failure(
        self, signal: Signal, block: Sequence[CaseInfo], error: WorkerFailedError
    ) -> list[CaseInfo]:
        """Give up the case that the worker names, or all; return what is tried again."""
        if signal == "instructions":
            callgrind.ensure_working()
        suspects = sessions.find_suspects(block, error) or block
        for info in suspects:
            self._mark_missing(signal, info.case.name, f"its worker {error}")
        return [info for info in block if info not in suspects]

    def note(self, signal: Signal, block: Sequence[CaseInfo], messages: Sequence[Message]) -> None:
        """Note what a process reported about each case of a block."""
        unreported = {info.case.name for info in block}
        for message in messages:
            match message:
                case StatusMessage():
                    self._set_status(signal, message)
                case CountsMessage(name=name) | WeightMessage(case=name):
                    unreported.discard(name)
        for name in unreported:
            record = self.session.records[name]
            if record.status == "measured" and signal not in record.missing:
                self._mark_missing(signal, name, "its process reported nothing about it")

    def _set_status(self, signal: Signal, message: StatusMessage) -> None:
        record = self.session.records[message.case]
        if message.status == "ready":
            if record.status in {"interrupted", "failed"}:  # another signal may have given it up
                record = replace(record, status="measured", reason="", control=message.control)
        elif record.status == "interrupted" and message.status != "failed":
            record = replace(record, status=message.status, reason=message.reason)
        else:
            self._mark_missing(signal, message.case, message.reason)
            return
        self.session.records[message.case] = record

    def _mark_missing(self, signal: Signal, name: str, reason: str) -> None:
        record = self.session.records[name]
        if record.status == "interrupted":  # it is not measured otherwise either
            record = replace(record, status="failed", reason=reason)
        self.session.records[name] = replace(record, missing={**record.missing, signal: reason})


@dataclass(frozen=True, slots=True, eq=False)
class CountingJob:
    """One pass over a session's cases, by default all; ``index`` is its number and hash seed."""

    counting: CountingSession
    signals: Sequence[Signal]
    index: int = 0
    cases: Collection[str] | None = None


_Block: TypeAlias = tuple[CountingJob, Signal, Sequence[CaseInfo]]


def count_together(jobs: Sequence[CountingJob]) -> Iterator[tuple[CountingJob, FinishedBlock]]:
    """Count several jobs with all processors, e.g. passes over one session's cases.

    Not for the sides of a comparison: they take turns at one path, and see each other's packages.

    Yields:
        A job and a block, at the end of each process; in any order.

    Raises:
        ValgrindFailedError: Valgrind does not work here.
    """
    started = now()
    blocks: list[_Block] = [
        (job, signal, block)
        for job in jobs
        for signal in job.signals
        for block in job.counting.plan_blocks(signal, job.cases)
    ]
    processes = sum(signal == "instructions" for _, signal, _ in blocks)
    launch = functools.partial(_launch, children=count_children(processes))
    with concurrent.futures.ThreadPoolExecutor(max(LEAST_PROCESSES, os.cpu_count() or 1)) as pool:
        running = {pool.submit(launch, block): block for block in blocks}
        try:
            while running:
                done, _ = concurrent.futures.wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    job, signal, block = running.pop(future)
                    record: sessions.CountRecord | None = None
                    finished = tuple(block)
                    try:
                        messages = future.result()
                    except WorkerFailedError as error:
                        if rest := job.counting.handle_failure(signal, block, error):
                            again: _Block = (job, signal, rest)
                            running[pool.submit(launch, again)] = again
                        finished = tuple(info for info in block if info not in rest)
                    else:
                        job.counting.note(signal, block, messages)
                        record = _build_record(signal, messages, job.index, started)
                    yield job, FinishedBlock(record, finished, job.index, signal)
        except BaseException:
            for future in running:
                future.cancel()
            for job in jobs:
                job.counting.session.launcher.stop()
            raise


def _launch(block: _Block, children: int) -> list[Message]:
    job, signal, cases = block
    return job.counting.launch(signal, cases, job.index, children)


def _build_record(
    signal: Signal, messages: Sequence[Message], index: int, started: str
) -> sessions.CountRecord:
    if signal == "allocations":
        weights = {
            message.case: message.weight
            for message in messages
            if isinstance(message, WeightMessage)
        }
        return _model.AllocationRecord(index, index, started, now(), weights)
    counts = sessions.group_by_kind(messages, CountsMessage, "counts")
    by_kind = (counts["control"], counts["operation"])
    return _model.InstructionRecord(index, index, started, now(), *by_kind)
