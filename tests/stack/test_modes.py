"""Guards that are forced by hand, and what is logged and attached while calls fail."""

from __future__ import annotations

import logging

import pytest

from resilience_stack import (
    CallFailure,
    CircuitBreakerError,
    Fallback,
    find_failure,
)
from resilience_stack.core import breaker
from resilience_stack.core.failures import annotate, categorize, register_category
from tests.stack.bench import Bench, Flaky, exhaust


@pytest.fixture
def clock(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The bench, whose clock the breakers go by."""
    monkeypatch.setattr(breaker, "monotonic", lambda: bench.now_s)
    return bench


def test_a_guard_that_is_forced_open_stays_so_until_it_is_released(clock: Bench) -> None:
    """No time and no probe changes it; released it is closed."""
    guard, function = clock.guard(reset_timeout_s=1, retries=()), Flaky(0)
    guard.force("open")
    clock.now_s += 3600
    guard.recover()
    with pytest.raises(CircuitBreakerError, match="guard 'database' is forced open"):
        guard.call(function)
    assert (guard.state, guard.status().mode) == ("open", "open")
    guard.release()
    assert guard.call(function) == "done"
    assert clock.transitions() == {"open": 1, "half-open": 0, "closed": 1}


def test_a_guard_that_is_forced_degraded_answers_by_its_fallback(bench: Bench) -> None:
    """The function is not called; the manager names the guard and since when."""
    guard = bench.guard(fallback=Fallback(default=lambda: "default"), retries=())
    function = Flaky(0)
    bench.manager.force("database", "degraded")
    assert guard.call(function) == "default"
    assert function.calls == 0
    assert list(bench.manager.degraded()) == ["database"]
    bench.manager.release("database")
    assert guard.call(function) == "done"
    assert bench.manager.degraded() == {}


def test_a_guard_that_is_off_only_counts(bench: Bench) -> None:
    """Neither breaker nor retry nor fallback interferes; calls are counted all the same."""
    guard = bench.guard(fail_max=1, attempts=3, fallback=Fallback(default=lambda: "default"))
    guard.force("off")
    exhaust(lambda: guard.call(Flaky(9)), 3)
    assert (guard.state, bench.calls(), bench.slept) == ("closed", (0, 3, 0), [])
    guard.release()
    assert guard.call(Flaky(9)) == "default"


def test_a_call_that_was_refused_before_the_guard_was_off_has_its_fallback(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """It was not made: the switch between the two must not be an error of a request."""
    guard = bench.guard(fallback=Fallback(default=lambda: "default"))
    guard.force("degraded")

    class Switch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            """Force the guard off while a call is being refused."""
            if "refused" in record.getMessage():
                guard.force("off")

    switch = Switch()
    caplog.set_level(logging.DEBUG, logger="resilience_stack")
    logging.getLogger("resilience_stack").addHandler(switch)
    try:
        assert guard.call(Flaky(0)) == "default"
    finally:
        logging.getLogger("resilience_stack").removeHandler(switch)
    with pytest.raises(ConnectionError):
        guard.call(Flaky(1))


@pytest.mark.parametrize(
    ("name", "mode", "expected"),
    [
        ("database", "shut", "mode is 'shut', expected open, degraded or off"),
        ("database", "degraded", "has no fallback, so it cannot be degraded"),
        ("cache", "open", "there is no guard 'cache'; expected one of: database"),
    ],
)
def test_a_mode_that_makes_no_sense_is_refused(
    bench: Bench, name: str, mode: str, expected: str
) -> None:
    """With the guard, what was found and what is expected."""
    bench.guard()
    with pytest.raises(ValueError, match=expected):
        bench.manager.force(name, mode)  # type: ignore[arg-type]


def test_an_error_says_what_is_known_of_its_call(bench: Bench) -> None:
    """Guard, attempt, time, state and category are in an attribute and in a note."""
    guard = bench.guard(attempts=2, wait_initial_s=0, jitter_s=0)
    with pytest.raises(ConnectionError) as caught:
        guard.call(Flaky(9))
    found = find_failure(caught.value)
    assert isinstance(found, CallFailure)
    assert found[:2] == ("database", 2)
    assert found.elapsed_s >= 0
    assert found[3:] == ("closed", "connection", None)
    assert caught.value.__notes__ == [str(found)]
    assert "guard database: connection in attempt 2" in str(found)


@pytest.mark.parametrize(
    ("elapsed_s", "words"),
    [(0.0, "0.000 s"), (0.0004, "0.000 s"), (0.0126, "0.013 s"), (61.5, "61.500 s")],
)
def test_a_note_is_that_of_its_own_call(elapsed_s: float, words: str) -> None:
    """Notes that were made for other calls do not get into its words."""
    for guard, attempt, state in (("a", 1, "closed"), ("a", 2, "closed"), ("b", 2, "open")):
        error = ConnectionError()
        annotate(error, guard, attempt, elapsed_s, state, "connection")
        expected = f"guard {guard}: connection in attempt {attempt} after {words}, breaker {state}"
        assert error.__notes__ == [expected]
        assert find_failure(error) == (guard, attempt, elapsed_s, state, "connection", None)


def test_a_rejection_says_so(bench: Bench) -> None:
    """A refused call has no attempt, and says when the next one is let through."""
    guard = bench.guard(fail_max=1, retries=())
    exhaust(lambda: guard.call(Flaky(9)))
    with pytest.raises(CircuitBreakerError) as caught:
        guard.call(Flaky(0))
    found = find_failure(caught.value)
    assert found is not None
    assert (found.attempt, found.state, found.category) == (0, "open", "rejected")
    assert found.retry_at_s is not None
    assert len(caught.value.__notes__) == 1


def test_the_innermost_guard_has_the_first_word(bench: Bench) -> None:
    """An outer guard adds a note and leaves the attribute."""
    outer = bench.guard("outer", retries=())
    inner = bench.guard("inner", retries=())
    with pytest.raises(ConnectionError) as caught:
        outer.call(inner(Flaky(9)))
    found = find_failure(caught.value)
    assert found is not None
    assert found.guard == "inner"
    assert [note.split(":")[0] for note in caught.value.__notes__] == ["guard inner", "guard outer"]


def test_an_error_that_takes_no_attributes_comes_out_as_it_is(bench: Bench) -> None:
    """Such a type of exceptions is no reason to raise another one, and says what is known."""

    class ClosedError(ConnectionError):
        __slots__ = ()

        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(name)

    with pytest.raises(ClosedError) as caught:
        bench.guard("outer").call(bench.guard("inner", retries=())(Flaky(9, ClosedError)))
    found = find_failure(caught.value)
    assert found is not None
    assert (found.guard, found.category) == ("inner", "connection")
    assert [note.split(":")[0] for note in caught.value.__notes__] == ["guard inner", "guard outer"]


def test_the_notes_that_an_error_has_stay(bench: Bench) -> None:
    """That of a guard comes after what the function itself noted."""

    def fail() -> None:
        error = ConnectionError()
        error.add_note("mine")
        raise error

    with pytest.raises(ConnectionError) as caught:
        bench.guard(retries=()).call(fail)
    assert [note.split(":")[0] for note in caught.value.__notes__] == ["mine", "guard database"]


@pytest.mark.parametrize(
    ("kind", "category"),
    [
        (TimeoutError, "timeout"),
        (ConnectionRefusedError, "connection"),
        (OSError, "connection"),
        (CircuitBreakerError, "rejected"),
        (ZeroDivisionError, "bug"),
    ],
)
def test_errors_have_categories(kind: type[Exception], category: str) -> None:
    """The nearest registered type decides; all else is a bug."""
    assert categorize(kind()) == category


def test_a_category_may_be_registered() -> None:
    """Integrations say what their clients' exceptions mean, for derived types as well."""

    class ClientError(Exception):
        """That of a client."""

    class LateError(ClientError):
        """One of its kinds."""

    assert categorize(LateError()) == "bug"
    register_category(ClientError, "timeout")
    assert categorize(LateError()) == "timeout"


def test_an_answer_of_a_healthy_dependency_is_none_of_its_failures(bench: Bench) -> None:
    """What the policy ignores is categorized as an answer."""
    with pytest.raises(KeyError) as caught:
        bench.guard(ignored=(KeyError,), retries=()).call(Flaky(9, KeyError))
    found = find_failure(caught.value)
    assert found is not None
    assert found.category == "answer"


def test_an_outage_writes_a_line_a_transition(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """Ten thousand rejections add nothing above DEBUG; a transition has its fields."""
    caplog.set_level(logging.INFO, logger="resilience_stack")
    guard = bench.guard(fail_max=1, retries=())
    guarded = guard(Flaky(9))
    exhaust(guarded)
    for _ in range(10_000):
        with pytest.raises(CircuitBreakerError):
            guarded()
    [record] = caplog.records
    assert (record.levelname, record.__dict__["guard"]) == ("WARNING", "database")
    assert (record.__dict__["state_before"], record.__dict__["state"]) == ("closed", "open")
    assert record.__dict__["last_error"] == "ConnectionError"
    assert record.exc_info is None


def test_a_rejection_is_one_debug_line_without_a_traceback(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """Who asks for it sees every refused call."""
    caplog.set_level(logging.DEBUG, logger="resilience_stack")
    guard = bench.guard(retries=())
    guard.force("open")
    caplog.clear()
    with pytest.raises(CircuitBreakerError):
        guard.call(Flaky(0))
    [record] = caplog.records
    assert (record.levelname, record.exc_info) == ("DEBUG", None)
    assert "guard database refused a call" in record.getMessage()


def test_the_time_in_each_state_is_scraped(bench: Bench) -> None:
    """The seconds of all states add up to the age of the guard, in the state it was in."""
    guard = bench.guard(retries=())
    guard.force("open")
    seconds = guard.seconds_by_state()
    assert set(seconds) == {"closed", "half-open", "open"}
    assert seconds["half-open"] == 0
    assert min(seconds["closed"], seconds["open"]) > 0
    assert bench.sample("breaker_state_seconds_total", state="half-open") == 0
