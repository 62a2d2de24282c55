"""Counts instructions and allocations, which no load disturbs, side by side in processes."""

from __future__ import annotations

import concurrent.futures
import functools
import itertools
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED
from dataclasses import dataclass, replace
from typing import Final, Literal

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
        self,
        signals: Sequence[Signal],
        indices: Sequence[int] = (0,),
        cases: Collection[str] | None = None,
    ) -> Iterator[FinishedBlock]:
        """Count in passes of these numbers, which are their hash seeds, all at the same time.

        Yields at each process's end; ValgrindFailedError if valgrind does not work.
        """
        started = now()
        most = max(LEAST_PROCESSES, os.cpu_count() or 1)
        with concurrent.futures.ThreadPoolExecutor(most) as pool:
            blocks = {signal: self._plan_blocks(signal, cases) for signal in signals}
            children = count_children(len(indices) * len(blocks.get("instructions", ())))
            launch = functools.partial(self._launch, children=children)
            running = {
                pool.submit(launch, signal, block, index): (signal, block, index)
                for index in indices
                for signal, some in blocks.items()
                for block in some
            }
            try:
                while running:
                    done, _ = concurrent.futures.wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        signal, block, index = running.pop(future)
                        try:
                            messages = future.result()
                        except WorkerFailedError as error:
                            if rest := self._handle_failure(signal, block, error):
                                again = pool.submit(launch, signal, rest, index)
                                running[again] = (signal, rest, index)
                            given_up = tuple(info for info in block if info not in rest)
                            yield FinishedBlock(None, given_up, index, signal)
                        else:
                            self._note(signal, block, messages)
                            record = _build_record(signal, messages, index, started)
                            yield FinishedBlock(record, tuple(block), index, signal)
            except BaseException:
                for future in running:
                    future.cancel()
                self.session.launcher.stop()
                raise

    def _plan_blocks(self, signal: Signal, cases: Collection[str] | None) -> list[list[CaseInfo]]:
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

    def _launch(
        self, signal: Signal, block: list[CaseInfo], index: int, children: int
    ) -> list[Message]:
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

    def _handle_failure(
        self, signal: Signal, block: list[CaseInfo], error: WorkerFailedError
    ) -> list[CaseInfo]:
        """Give up the case that the worker names, or all; return what is tried again."""
        if signal == "instructions":
            callgrind.ensure_working()
        suspects = sessions.find_suspects(block, error) or block
        for info in suspects:
            self._mark_missing(signal, info.case.name, f"its worker {error}")
        return [info for info in block if info not in suspects]

    def _note(self, signal: Signal, block: Sequence[CaseInfo], messages: Sequence[Message]) -> None:
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
