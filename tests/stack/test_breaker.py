"""The breaker: when it opens, how it comes back, and what does not disturb it."""

from __future__ import annotations

import asyncio
from abc import ABCMeta
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from resilience_stack import CircuitBreakerError, Guard
from tests.stack.bench import Bench, Flaky, exhaust


def opened(bench: Bench, **settings: object) -> Guard:
    """Make a guard that opens at the first failure, and open it."""
    guard = bench.guard(fail_max=1, attempts=1, **settings)
    exhaust(lambda: guard.call(Flaky(1)))
    assert guard.state == "open"
    return guard


def begun(guard: Guard) -> AbstractContextManager[None]:
    """Begin a block."""
    block = guard.context()
    block.__enter__()
    return block


def failed(block: AbstractContextManager[None], error: BaseException | None = None) -> None:
    """End a block by an exception."""
    error = error or ConnectionError()
    block.__exit__(type(error), error, None)


def succeeded(block: AbstractContextManager[None]) -> None:
    """End a block."""
    block.__exit__(None, None, None)


def test_open_breaker_rejects_without_calling(bench: Bench) -> None:
    """After fail_max failures in a row the function is not called, nor is the rejection retried."""
    function = Flaky(99)
    guarded = bench.guard(attempts=1, fail_max=3)(function)
    exhaust(guarded, times=3)
    for _ in range(2):
        with pytest.raises(CircuitBreakerError, match="guard 'database' is open"):
            guarded()
    assert function.calls == 3
    assert bench.slept == []
    assert bench.calls() == (0, 3, 2)
    assert bench.sample("retries_total") == 0


def test_success_between_failures_keeps_the_breaker_closed(bench: Bench) -> None:
    """Only failures in a row open the breaker."""
    guard = bench.guard(attempts=1, fail_max=2)
    for _ in range(3):
        exhaust(lambda: guard.call(Flaky(1)))
        guard.call(Flaky(0))
    assert guard.state == "closed"


def test_ignored_exceptions_do_not_open_it(bench: Bench) -> None:
    """What the policy ignores is an answer: it also ends a row of failures."""
    guard = bench.guard(attempts=1, fail_max=2, ignored=(LookupError,))
    for _ in range(3):
        exhaust(lambda: guard.call(Flaky(1)))
        with pytest.raises(KeyError):
            guard.call(Flaky(1, error=KeyError))
    assert guard.state == "closed"
    assert bench.calls() == (3, 3, 0)


def test_ignored_exceptions_may_have_a_metaclass(bench: Bench) -> None:
    """An exception class with a metaclass of its own is ignored as others are, and only it."""

    class AbstractError(Exception, metaclass=ABCMeta):
        pass

    guard = bench.guard(attempts=1, fail_max=1, ignored=(AbstractError,))
    with pytest.raises(AbstractError):
        guard.call(Flaky(1, error=AbstractError))
    assert guard.state == "closed"
    exhaust(lambda: guard.call(Flaky(1)))
    assert guard.state == "open"


def test_breaker_recovers_and_its_way_is_counted(bench: Bench) -> None:
    """After its time a failed probe opens the breaker again, and one that succeeds closes it."""
    guarded = bench.guard(attempts=1, fail_max=2)(Flaky(3))
    assert bench.sample("breaker_state") == 0
    exhaust(guarded, times=2)
    assert bench.sample("breaker_state") == 2
    bench.now_s += 60
    exhaust(guarded)
    assert bench.sample("breaker_state") == 2
    bench.now_s += 60
    assert guarded() == "done"
    assert bench.sample("breaker_state") == 0
    assert bench.transitions() == {"open": 2, "half-open": 2, "closed": 1}


def test_breaker_rejects_until_its_time_is_over(bench: Bench) -> None:
    """No probe before reset_timeout_s, counted from the last opening."""
    guard = opened(bench, reset_timeout_s=30)
    for _ in range(2):
        bench.now_s += 29.9
        with pytest.raises(CircuitBreakerError):
            guard.call(Flaky(0))
        bench.now_s += 0.1
        exhaust(lambda: guard.call(Flaky(1)))


def test_probe_that_fails_is_not_retried(bench: Bench) -> None:
    """A failed probe opens the breaker, which ends its own retry."""
    guard = bench.guard(fail_max=1, attempts=3)
    exhaust(lambda: guard.call(Flaky(9)))
    bench.now_s += 60
    function = Flaky(9)
    exhaust(lambda: guard.call(function))
    assert function.calls == 1


def test_breaker_that_closed_counts_from_zero(bench: Bench) -> None:
    """After a recovery it takes fail_max failures again."""
    guard = bench.guard(fail_max=2, attempts=1)
    exhaust(lambda: guard.call(Flaky(9)), times=2)
    bench.now_s += 60
    guard.call(Flaky(0))
    exhaust(lambda: guard.call(Flaky(9)))
    assert guard.state == "closed"
    exhaust(lambda: guard.call(Flaky(9)))
    assert guard.state == "open"


def test_probe_is_seen_in_the_gauge(bench: Bench) -> None:
    """While a probe runs the gauge says half-open."""
    guard = opened(bench)
    bench.now_s += 60
    assert guard.call(bench.sample, "breaker_state") == 1


def test_everybody_but_the_probe_is_rejected(bench: Bench) -> None:
    """While a probe runs no other call goes through, however much time passes."""
    guard = opened(bench)
    bench.now_s += 60
    probe = begun(guard)
    for _ in range(2):
        with pytest.raises(CircuitBreakerError, match="guard 'database' is half-open"):
            guard.call(Flaky(0))
        bench.now_s += 3600
    succeeded(probe)
    assert guard.call(Flaky(0)) == "done"


def test_ignored_exception_of_a_probe_closes_the_breaker(bench: Bench) -> None:
    """A dependency that answers is back."""
    guard = opened(bench, ignored=(KeyError,))
    bench.now_s += 60
    with pytest.raises(KeyError):
        guard.call(Flaky(1, error=KeyError))
    assert guard.state == "closed"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_interrupted_probe_leaves_its_place(bench: Bench, error: type[BaseException]) -> None:
    """A probe that was interrupted says nothing: the next call is the probe."""
    guard = opened(bench)
    bench.now_s += 60
    with pytest.raises(error):
        guard.call(Flaky(1, error=error))
    assert guard.state == "half-open"
    assert guard.call(Flaky(0)) == "done"
    assert guard.state == "closed"
    assert bench.transitions() == {"open": 1, "half-open": 1, "closed": 1}


def test_cancelled_probe_leaves_its_place(bench: Bench) -> None:
    """A task that is cancelled while it probes does not leave the breaker half-open for ever."""
    guard = opened(bench)
    bench.now_s += 60

    async def cancel_the_probe() -> None:
        probe = asyncio.create_task(guard.call_async(asyncio.sleep, 3600))
        await asyncio.sleep(0)
        with pytest.raises(CircuitBreakerError):
            await guard.call_async(asyncio.sleep, 0)
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        assert guard.state == "half-open"
        await guard.call_async(asyncio.sleep, 0)

    asyncio.run(cancel_the_probe())
    assert guard.state == "closed"


def test_coroutine_that_is_never_finished_leaves_the_probe(bench: Bench) -> None:
    """A probe whose coroutine is thrown away gives its place to the next call."""
    guard = opened(bench)
    bench.now_s += 60

    class Forever:
        def __await__(self) -> object:
            yield

    probe = guard.call_async(Forever)
    probe.send(None)
    with pytest.raises(CircuitBreakerError):
        guard.call(Flaky(0))
    probe.close()
    assert guard.call(Flaky(0)) == "done"


def test_interrupted_calls_are_no_failures(bench: Bench) -> None:
    """However many calls are interrupted, the breaker stays closed."""
    guard = bench.guard(fail_max=1)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            guard.call(Flaky(1, error=KeyboardInterrupt))
    assert guard.state == "closed"


@pytest.mark.parametrize("end", [failed, succeeded])
def test_late_outcomes_do_not_disturb_an_open_breaker(
    bench: Bench, end: Callable[[AbstractContextManager[None]], None]
) -> None:
    """A call that began before the breaker opened neither closes it nor opens it longer."""
    guard = bench.guard(fail_max=1)
    late = begun(guard)
    failed(begun(guard))
    bench.now_s += 59
    end(late)
    assert guard.state == "open"
    assert bench.transitions() == {"open": 1, "half-open": 0, "closed": 0}
    bench.now_s += 1
    succeeded(begun(guard))
    assert guard.state == "closed"


@pytest.mark.parametrize("end", [failed, succeeded])
def test_late_outcomes_are_not_taken_for_the_probe(
    bench: Bench, end: Callable[[AbstractContextManager[None]], None]
) -> None:
    """A call that began before the breaker opened neither decides for the probe nor frees it."""
    guard = bench.guard(fail_max=1)
    late = begun(guard)
    failed(begun(guard))
    bench.now_s += 60
    probe = begun(guard)
    end(late)
    assert guard.state == "half-open"
    with pytest.raises(CircuitBreakerError):
        begun(guard)
    succeeded(probe)
    assert guard.state == "closed"


def test_late_failures_do_not_count_after_a_recovery(bench: Bench) -> None:
    """Failures of calls that began before the breaker opened are not those of the recovered one."""
    guard = bench.guard(fail_max=1)
    late = [begun(guard) for _ in range(5)]
    failed(late.pop())
    bench.now_s += 60
    succeeded(begun(guard))
    for block in late:
        failed(block)
    assert guard.state == "closed"
    assert bench.calls() == (1, 5, 0)


def test_success_of_an_earlier_call_ends_a_row_of_failures(bench: Bench) -> None:
    """A call that began while nothing had failed resets the count when it succeeds later."""
    guard = bench.guard(fail_max=2)
    early = begun(guard)
    failed(begun(guard))
    succeeded(early)
    failed(begun(guard))
    assert guard.state == "closed"


def test_a_call_is_refused_as_it_was_found(bench: Bench) -> None:
    """A breaker that closes while it refuses a call says why it refused it."""
    breaker = opened(bench)._breaker
    assert breaker.admit() == 0
    breaker.close()
    assert str(breaker.refuse()) == "the circuit breaker of guard 'database' is open"
    assert breaker.admit()
