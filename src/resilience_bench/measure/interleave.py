"""Variants that are measured, and take turns: a busy machine then disturbs all of them alike."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from resilience_bench._model import CaseInfo, Signal
from resilience_bench.environments.interpreters import Interpreter
from resilience_bench.measure.counting import prepare_counting_session
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import LoadSession, create_sessions
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.selection import Selection
from resilience_bench.measure.session import FinishedBlock, Profile, Session
from resilience_bench.quantities import COUNT_SIGNALS, LOAD_SIGNALS
from resilience_bench.scenarios.loads import NOOP, SINGLE
from resilience_bench.servers.open_servers import Servers

Item = TypeVar("Item")


@dataclass(slots=True, eq=False)
class MeasuredVariant:
    """A variant and what was measured of it; ``is_null`` marks BASE, measured once more."""

    session: Session
    recording: Recording
    loaded: tuple[LoadSession, ...] = ()
    name: str = ""
    is_null: bool = False

    def measure(
        self, signals: Collection[Signal], index: int, cases: Collection[str] | None = None
    ) -> Iterator[FinishedBlock]:
        """Measure like `visit`, and record each block before it is yielded."""
        for block in self.visit(signals, index, cases):
            self.recording.add(block)
            yield block

    def visit(
        self, signals: Collection[Signal], index: int, cases: Collection[str] | None = None
    ) -> Iterator[FinishedBlock]:
        """Measure with the workers of one number, which is their hash seed; yields each block."""
        if "latency" in signals:
            yield from self.session.visit(index, cases)
        if counted := [signal for signal in signals if signal in COUNT_SIGNALS]:
            yield from prepare_counting_session(self.session).run(counted, [index], cases)
        for loaded in self.loaded:
            if loaded.signal in signals:
                yield from loaded.visit(index, cases)

    def count_visits(self, signals: Sequence[Signal]) -> int:
        """Return how many measurements of a case a run makes, all workers and signals together."""
        alone = sum(
            self.session.workers if signal == "latency" else 1
            for signal in signals
            if signal not in LOAD_SIGNALS
        )
        loaded = [session.count_visits() for session in self.loaded if session.signal in signals]
        return alone * len(self.session.cases) + sum(loaded)


def order_by_turn(items: Sequence[Item], turn: int) -> Sequence[Item]:
    """Return the items as they are in an even turn, reversed in an odd one: A B, B A, A B ..."""
    return items[::-1] if turn % 2 else items


def create_interpreter_sessions(  # noqa: PLR0913 - what a run and its interpreter say
    interpreter: Interpreter,
    launcher: Launcher,
    cases: Sequence[CaseInfo],
    profile: Profile,
    listing: Selection,
    *,
    servers: Servers | None = None,
) -> tuple[Session, tuple[LoadSession, ...]]:
    """Create the sessions under an interpreter; ``listing`` has the cases that it lists itself."""
    alone, loaded = create_sessions(launcher, cases, profile, servers=servers)
    there = {info.case.name for info in listing.cases}
    for info in cases:
        reason = interpreter.explain_unavailability(info)
        record = alone.records[info.case.name]
        if info.case.with_load(SINGLE, NOOP).name not in there:
            why = "; ".join(text for text in listing.problems if text.startswith(info.path))
            reason = why or f"its file does not define it under {interpreter.name}"
            alone.records[info.case.name] = replace(record, status="not available", reason=reason)
        elif reason:
            alone.records[info.case.name] = replace(record, status="not installed", reason=reason)
    return alone, loaded


def measure_interleaved(
    variants: Sequence[MeasuredVariant], signals: Sequence[Signal]
) -> Iterator[tuple[MeasuredVariant, FinishedBlock]]:
    """Measure with all workers of a run; yields each block with its variant.

    Latency, scaling and share take turns. Counts do not depend on the load of the machine, and are
    taken of one variant after the other. ValgrindFailedError if valgrind does not work.
    """
    counted = [signal for signal in signals if signal in COUNT_SIGNALS]
    turns: list[tuple[list[Signal], int]] = []
    if "latency" in signals:
        turns += [(["latency"], index) for index in range(variants[0].session.workers)]
    if counted:
        turns.append((counted, 0))
    for loaded in variants[0].loaded:
        if loaded.signal in signals:
            turns += [([loaded.signal], index) for index in range(loaded.workers)]
    for measured, index in turns:
        for variant in order_by_turn(variants, index):
            for block in variant.visit(measured, index):
                yield variant, block
