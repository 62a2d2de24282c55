"""An outage in a worker: how answers are judged, what is logged, and what is read when."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from resilience_bench.scenarios.definition import RESULT
from resilience_bench.worker.outage import LogCounter, OutageRun, Watch
from tests.outage_factories import NAMES, SCHEDULE


class Dependency:
    """A dependency in this process: work that fails as long as it is switched to fail."""

    def __init__(self) -> None:
        """Be healthy."""
        self.mode = "healthy"
        self.calls = 0
        self.reported: list[tuple[str, float]] = []

    def work(self) -> str:
        """Return a value, or raise."""
        self.calls += 1
        if self.mode != "healthy":
            raise ConnectionError(self.mode)
        return "value"

    def behave(self, mode: str, delay_s: float = 0.0) -> int:
        """See `Control`."""
        self.reported.append((mode, delay_s))
        self.mode = mode
        return self.calls

    def close(self) -> None:
        """See `Control`."""


def watch(work: Callable[[], Any] = lambda: "value") -> Watch:
    """A watch over a dependency that returns a value."""
    return Watch(work, "value")


def test_a_value_is_live_if_it_was_read_meanwhile() -> None:
    """The same value of an earlier request is stale, also as a copy."""
    watched = watch()
    payload = watched.make_payload()
    kept = payload()
    assert watched.make_server(payload)() == "L"
    assert watched.make_server(lambda: kept)() == "S"
    assert watched.make_server(lambda: pickle.loads(pickle.dumps(kept)))() == "S"


@pytest.mark.parametrize(
    ("answer", "letter"), [(RESULT, "D"), (None, "W"), ("value", "W"), (b"x", "W"), (7, "W")]
)
def test_a_default_is_the_result_and_anything_else_is_wrong(answer: object, letter: str) -> None:
    """No exception is not enough to be an answer."""
    assert watch().make_server(lambda: answer)() == letter


def test_a_wrong_value_of_the_dependency_is_wrong() -> None:
    """Though it was read meanwhile."""
    watched = watch(lambda: "another")
    assert watched.make_server(watched.make_payload())() == "W"
    assert watched.serve_bare() == "W"


def test_exceptions_are_errors() -> None:
    """Of the guard as well as of a bare call."""

    def fail() -> str:
        raise TimeoutError

    watched = watch(fail)
    assert watched.make_server(watched.make_payload())() == "E"
    assert watched.serve_bare() == "E"


def test_opened_is_when_a_request_made_no_call() -> None:
    """Answered by a fallback or refused; but not before it is looked for."""
    watched = watch()
    served = watched.make_server(watched.make_payload())
    refused = watched.make_server(lambda: RESULT)
    refused()
    watched.looks_for_opening = True
    served()
    assert watched.opened_ns is None
    refused()
    first_ns = watched.opened_ns
    refused()
    assert first_ns is not None
    assert watched.opened_ns == first_ns


def test_a_log_record_counts_with_its_traceback_at_the_default_level() -> None:
    """As a file would hold it; debug lines are off by default."""
    counter, log = LogCounter(), logging.getLogger("tests.outage")
    before = logging.getLogger().handlers
    with counter.attached():
        log.debug("nothing")
        assert counter.bytes == 0
        log.warning("é")
        line_bytes = counter.bytes
        assert line_bytes == len("2026-01-02 03:04:05,678 WARNING tests.outage: é") + 2
        try:
            int("x")
        except ValueError:
            log.exception("é")
    assert counter.bytes > 2 * line_bytes + len("Traceback (most recent call last):")
    assert logging.getLogger().handlers is before


def test_counters_are_read_once_at_each_boundary() -> None:
    """The dependency gets each phase once; what is counted adds up to all that happened."""
    dependency = Dependency()
    watched = Watch(dependency.work, "value")
    looks: list[int] = []
    run = OutageRun(SCHEDULE, watched, dependency, lambda: looks.append(1))  # type: ignore[arg-type]
    bare_requests, bare_cpu_us = run.measure_bare()
    outage = run.measure(watched.make_payload(), (bare_requests, bare_cpu_us))
    modes = [phase.mode for phase in SCHEDULE.phases]
    assert [mode for mode, _ in dependency.reported] == ["healthy", *modes, modes[-1]]
    assert dependency.reported[2] == ("slow", 0.75)
    assert [phase.name for phase in outage.phases] == list(NAMES)
    assert [phase.starts_us for phase in outage.phases[1:]] == [
        phase.ends_us for phase in outage.phases[:-1]
    ]
    assert len(outage.arrivals_us) == len(outage.latencies_us) == len(outage.answers)
    assert (outage.bare_requests, outage.callers) == (bare_requests, SCHEDULE.callers)
    assert set(outage.answers) == {"L", "E"}
    # Nothing opens: each request makes its call, and only the first one of each caller none.
    assert sum(phase.reached for phase in outage.phases) <= len(outage.answers)
    assert all(phase.threads > SCHEDULE.callers for phase in outage.phases)
    assert len(looks) > 1


def test_a_guard_that_answers_is_seen_to_open() -> None:
    """With a stale value, and without a call: after the first phase."""
    dependency = Dependency()
    watched = Watch(dependency.work, "value")
    payload = watched.make_payload()
    kept = payload()

    def guarded() -> object:
        return payload() if dependency.mode == "healthy" else kept

    run = OutageRun(SCHEDULE, watched, dependency, lambda: None)  # type: ignore[arg-type]
    outage = run.measure(guarded, (0, 0))
    assert set(outage.answers) == {"L", "S"}
    assert outage.opened_us is not None
    assert outage.opened_us >= outage.phases[1].starts_us
    assert [phase.reached for phase in outage.phases[1:4]] == [0, 0, 0]
