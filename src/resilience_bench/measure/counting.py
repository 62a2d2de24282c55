"""The signals that one pass over the cases measures: instructions and allocations.

Neither is disturbed by what else the machine does, so their processes may run side by side.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from resilience_bench._model import (
    AllocationRecord,
    CaseInfo,
    CaseRecord,
    InstructionRecord,
    Signal,
)
from resilience_bench.environments.fingerprint import now
from resilience_bench.measure import callgrind
from resilience_bench.measure.launcher import Launcher, WorkerFailedError
from resilience_bench.measure.session import (
    MEASURABLE_STATUSES,
    FinishedBlock,
    Session,
    find_suspects,
    restrict_to_block,
)
from resilience_bench.worker.protocol import (
    CountsMessage,
    Message,
    Plan,
    StatusMessage,
    WeightMessage,
)

SIGNALS: Final[tuple[Signal, ...]] = ("latency", "instructions", "allocations", "scaling")
MINIMUM_CASES: Final = 12
"""With fewer cases in each, a second process would spend more on importing than it saves."""
SLOW_WEIGHT: Final = 20
"""A slow case takes as long under valgrind as so many others."""
LIMIT_S: Final = 900.0
"""How long a process may count; one case has a limit of its own in the worker."""
_ACTIONS: Final[Mapping[str, Literal["count", "weigh"]]] = {
    "instructions": "count",
    "allocations": "weigh",
}


def find_measurable_signals(
    wanted: Collection[str] | None = None,
) -> tuple[tuple[Signal, ...], dict[str, str]]:
    """Which of the wanted signals can be measured here, and which cannot.

    Args:
        wanted: The signals that were asked for; None for all.

    Returns:
        Those that can, in the order of `SIGNALS`; the others with the reason.
    """
    asked = [each for each in SIGNALS if wanted is None or each in wanted]
    reason = callgrind.explain_unavailability() if "instructions" in asked else ""
    lacking = {"instructions": reason} if reason else {}
    return tuple(each for each in asked if each not in lacking), lacking


def measure_signals(session: Session, signals: Sequence[Signal]) -> Iterator[FinishedBlock]:
    """Measure the signals of a session's cases, one after the other: latency wants to be alone.

    Raises:
        ValgrindFailedError: If valgrind does not work.
    """
    if "latency" in signals:
        yield from session.run()
    if others := [each for each in signals if each in _ACTIONS]:
        yield from prepare_counting_session(session).run(others)


def prepare_counting_session(session: Session) -> CountingSession:
    """Prepare counting the cases of a session.

    If the status of a case is unknown, a worker probes the cases first: that tells which cases
    work and which are slow, in a hundredth of the time that it takes under valgrind.
    """
    if any(session.records[info.case.name].status == "interrupted" for info in session.cases):
        session.probe()
    return CountingSession(
        session.launcher, session.cases, session.records, lambda: session.slow, session.count_plants
    )


@dataclass(slots=True)
class CountingSession:
    """Measures instructions and allocations of cases, one pass each.

    ``records`` says what is known of the cases, and is brought up to date: cases that could not be
    measured are left out, and what goes wrong here is noted in ``CaseRecord.missing``. ``slow``
    tells which cases are known to be slow, ``plants`` makes cases slower, see `Plan`.
    """

    launcher: Launcher
    cases: Sequence[CaseInfo]
    records: dict[str, CaseRecord]
    slow: Callable[[], Collection[str]] = frozenset
    plants: Mapping[str, int] = field(default_factory=dict)

    def run(
        self, signals: Sequence[Signal], index: int = 0, cases: Collection[str] | None = None
    ) -> Iterator[FinishedBlock]:
        """Measure; yields whenever a process has come to its end.

        Args:
            signals: Which; the latency is none of them.
            index: The number of the pass; it is the hash seed, and shifts the memory layout.
            cases: The names of those that are wanted; None for all.

        Raises:
            ValgrindFailedError: If valgrind does not work.
        """
        started = now()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            running = {
                pool.submit(self._launch, signal, block, index): (signal, block)
                for signal in signals
                for block in self._plan_blocks(signal, cases)
            }
            try:
                while running:
                    done, _ = concurrent.futures.wait(running, return_when=FIRST_COMPLETED)
                    for each in done:
                        signal, block = running.pop(each)
                        try:
                            messages = each.result()
                        except WorkerFailedError as error:
                            if rest := self._handle_failure(signal, block, error):
                                again = pool.submit(self._launch, signal, rest, index)
                                running[again] = (signal, rest)
                            given_up = tuple(info for info in block if info not in rest)
                            yield FinishedBlock(None, given_up, index, signal)
                        else:
                            self._note(signal, block, messages)
                            record = _build_record(signal, messages, index, started)
                            yield FinishedBlock(record, tuple(block), index, signal)
            except BaseException:
                for each in running:
                    each.cancel()
                self.launcher.stop()
                raise

    def _plan_blocks(self, signal: Signal, cases: Collection[str] | None) -> list[list[CaseInfo]]:
        due = [
            info
            for info in self.cases
            if (cases is None or info.case.name in cases)
            and self.records[info.case.name].status in MEASURABLE_STATUSES
        ]
        if signal == "instructions" and len(due) >= 2 * MINIMUM_CASES and (os.cpu_count() or 1) > 1:
            return self._split_in_two(due)
        return [due] if due else []

    def _split_in_two(self, due: list[CaseInfo]) -> list[list[CaseInfo]]:
        """Two blocks that take about as long, each with as few files to import as possible."""
        slow = self.slow()
        files = {info.path for info in due if info.case.name in slow}
        due.sort(key=lambda info: (info.path not in files, info.case.name not in slow))
        weights = [SLOW_WEIGHT if info.case.name in slow else 1 for info in due]
        ends = itertools.accumulate(weights)
        first = sum(end <= sum(weights) / 2 for end in ends)
        return [due[:first], due[first:]]

    def _launch(self, signal: Signal, block: list[CaseInfo], index: int) -> list[Message]:
        slow = self.slow()
        plan = Plan(
            action=_ACTIONS[signal],
            paths=tuple(dict.fromkeys(info.path for info in block)),
            cases=tuple(info.case.name for info in block),
            check=False,
            time_limit_s=LIMIT_S,
            heavy=tuple(info.case.name for info in block if info.case.name in slow),
            plants=restrict_to_block(self.plants, block),
        )
        return self.launcher.run(plan, hash_seed=index)

    def _handle_failure(
        self, signal: Signal, block: list[CaseInfo], error: WorkerFailedError
    ) -> list[CaseInfo]:
        """Give up the case that the worker names, or all; return what is tried again."""
        if signal == "instructions":
            callgrind.ensure_working()
        suspects = find_suspects(block, error) or block
        for info in suspects:
            self._mark_missing(signal, info.case.name, f"its worker {error}")
        return [info for info in block if info not in suspects]

    def _note(self, signal: Signal, block: Sequence[CaseInfo], messages: Sequence[Message]) -> None:
        measured = {each.name for each in messages if isinstance(each, CountsMessage)}
        measured |= {each.case for each in messages if isinstance(each, WeightMessage)}
        for message in messages:
            if isinstance(message, StatusMessage):
                self._set_status(signal, message)
        for info in block:
            name = info.case.name
            record = self.records[name]
            if (
                name not in measured
                and record.status == "measured"
                and signal not in record.missing
            ):
                self._mark_missing(signal, name, "its process said nothing of it")

    def _set_status(self, signal: Signal, message: StatusMessage) -> None:
        record = self.records[message.case]
        if message.status == "ready":
            if record.status in {"interrupted", "failed"}:  # another signal may have given it up
                record = replace(record, status="measured", reason="", control=message.control)
        elif record.status == "interrupted" and message.status != "failed":
            record = replace(record, status=message.status, reason=message.reason)
        else:
            self._mark_missing(signal, message.case, message.reason)
            return
        self.records[message.case] = record

    def _mark_missing(self, signal: Signal, name: str, reason: str) -> None:
        record = self.records[name]
        if record.status == "interrupted":  # it is not measured otherwise either
            record = replace(record, status="failed", reason=reason)
        self.records[name] = replace(record, missing={**record.missing, signal: reason})


def _build_record(
    signal: Signal, messages: Sequence[Message], index: int, started: str
) -> InstructionRecord | AllocationRecord:
    if signal == "allocations":
        weights = {each.case: each.weight for each in messages if isinstance(each, WeightMessage)}
        return AllocationRecord(index, index, started, now(), weights)
    counts = [each for each in messages if isinstance(each, CountsMessage)]
    return InstructionRecord(
        index,
        index,
        started,
        now(),
        controls={each.name: each.counts for each in counts if each.kind == "control"},
        operations={each.name: each.counts for each in counts if each.kind == "operation"},
    )
