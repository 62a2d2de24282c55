"""The guard as its users see it: what comes out, of functions and of coroutine functions."""

from __future__ import annotations

import asyncio
import gc
import inspect
import traceback
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

import pytest

from resilience_stack import CircuitBreakerError, find_failure
from tests.stack.bench import BOTH, Bench, Call, Flaky, exhaust


@BOTH
def test_success_needs_one_attempt(bench: Bench, call: Call) -> None:
    """A call that succeeds is made once, and waits for nothing."""
    function = Flaky(0)
    assert call(bench.guard(), function) == "done"
    assert function.calls == 1
    assert bench.slept == []
    assert bench.calls() == (1, 0, 0)


@BOTH
def test_interrupt_is_never_retried(bench: Bench, call: Call) -> None:
    """Ctrl-C goes straight through, and the call is counted as a failure."""
    function = Flaky(9, error=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        call(bench.guard(), function)
    assert function.calls == 1
    assert bench.calls() == (0, 1, 0)


def test_interrupt_of_a_later_attempt_ends_the_retry(bench: Bench) -> None:
    """Ctrl-C in a second attempt comes out as it is, and is no third one."""
    errors: Iterator[type[BaseException]] = iter([ConnectionError, KeyboardInterrupt])

    def function() -> None:
        raise next(errors)

    with pytest.raises(KeyboardInterrupt):
        bench.guard().call(function)
    assert bench.sample("retries_total") == 1
    assert bench.calls() == (0, 1, 0)


def test_cancellation_goes_through(bench: Bench) -> None:
    """A task that is cancelled inside a guarded call ends, and the call counts as failed."""

    async def cancelled() -> None:
        task = asyncio.create_task(bench.guard()(asyncio.sleep)(3600))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    assert bench.calls() == (0, 1, 0)
    assert bench.slept == []


def test_guarded_function_may_call_itself(bench: Bench) -> None:
    """A guard that is entered again inside its own retry counts both calls."""
    tried: list[int] = []

    @bench.guard(fail_max=99)
    def count_down(number: int) -> int:
        tried.append(number)
        if tried.count(number) == 1:
            raise ConnectionError
        return number and count_down(number - 1)

    assert count_down(2) == 0
    assert tried == [2, 2, 1, 1, 0, 0]
    assert bench.calls() == (3, 0, 0)
    assert bench.sample("retries_total") == 3


def test_arguments_reach_the_function_whatever_their_names(bench: Bench) -> None:
    """Keywords that pybreaker and tenacity use themselves still belong to the function."""

    def function(*args: object, **kwargs: object) -> object:
        return args, kwargs

    async def awaited(*args: object, **kwargs: object) -> object:
        return args, kwargs

    keywords = {"func": 1, "cb": 2, "fn": 3, "self": 4, "function": 5}
    guard, expected = bench.guard(), ((1, 2), keywords)
    assert guard.call(function, 1, 2, **keywords) == expected
    assert guard(function)(1, 2, **keywords) == expected
    assert asyncio.run(guard.call_async(awaited, 1, 2, **keywords)) == expected
    assert asyncio.run(guard(awaited)(1, 2, **keywords)) == expected


def test_arguments_are_the_same_at_each_attempt(bench: Bench) -> None:
    """A retry calls with the arguments of the first attempt."""
    seen: list[object] = []

    @bench.guard(fail_max=9)
    def function(*args: int, **kwargs: int) -> None:
        seen.append((args, kwargs))
        raise ConnectionError

    @bench.guard(fail_max=9)
    async def awaited(*args: int, **kwargs: int) -> None:
        seen.append((args, kwargs))
        raise ConnectionError

    exhaust(lambda: function(1, two=2))
    exhaust(lambda: asyncio.run(awaited(1, two=2)))
    assert seen == [((1,), {"two": 2})] * 6


def test_decorated_function_keeps_its_name_and_kind(bench: Bench) -> None:
    """The decorator keeps what describes the function, and whether it is to be awaited."""

    @bench.guard()
    def load() -> None:
        """Load."""

    @bench.guard()
    async def load_async() -> None:
        """Load."""

    assert (load.__name__, load.__doc__) == ("load", "Load.")
    assert (load_async.__name__, load_async.__doc__) == ("load_async", "Load.")
    assert not inspect.iscoroutinefunction(load)
    assert inspect.iscoroutinefunction(load_async)


def test_methods_can_be_guarded(bench: Bench) -> None:
    """A decorated method gets its object, whether or not it is awaited."""

    class Client:
        value = "done"

        @bench.guard()
        def load(self) -> str:
            return self.value

        @bench.guard()
        async def load_async(self) -> str:
            return self.value

    assert Client().load() == asyncio.run(Client().load_async()) == "done"


class LostError(ConnectionError):
    """An exception that can be watched."""


class _Awaited:
    async def __call__(self, value: str) -> str:
        return value


@pytest.mark.parametrize("function", [partial(_Awaited().__call__, "done"), _Awaited()])
def test_whatever_is_awaited_is_guarded_until_it_ends(
    bench: Bench, function: Callable[..., object]
) -> None:
    """A partial coroutine function and an object with one are coroutine functions."""
    guarded = bench.guard()(function)
    assert inspect.iscoroutinefunction(guarded)
    assert bench.calls() == (0, 0, 0)


async def _coroutine() -> None:
    pass


def _generator() -> Iterator[int]:
    yield 1


async def _asynchronous_generator() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("function", [_generator, _asynchronous_generator])
def test_function_that_works_after_it_returned_is_refused(
    bench: Bench, function: Callable[[], object]
) -> None:
    """A guard that would end before the work begins is an error, and not a success."""
    with pytest.raises(TypeError, match=r"guard 'database' .* expected a plain function"):
        bench.guard()(function)


def test_plain_call_of_a_coroutine_function_is_refused(bench: Bench) -> None:
    """A coroutine that nobody would await under the guard is an error that names call_async."""
    with pytest.raises(TypeError, match=r"guard 'database' .*_coroutine.* call_async"):
        bench.guard().call(_coroutine)


@BOTH
def test_exception_comes_out_as_it_was_raised(bench: Bench, call: Call) -> None:
    """The last exception has no other in its context, and its traceback none of pybreaker."""
    with pytest.raises(ConnectionError) as caught:
        call(bench.guard(), Flaky(9))
    assert caught.value.__context__ is None
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert "bench.py" in files[-1]
    assert not [name for name in files if "pybreaker" in name or "contextlib" in name]


@pytest.mark.parametrize("attempts", [1, 3])
def test_exceptions_are_freed_at_once(bench: Bench, attempts: int) -> None:
    """No exception of a call that failed waits in a cycle for the garbage collector."""
    born: list[weakref.ref[LostError]] = []

    def fail() -> None:
        lost = LostError()
        born.append(weakref.ref(lost))
        try:
            raise lost
        finally:
            del lost

    async def fail_async() -> None:
        fail()

    guard = bench.guard(on=(LostError,), attempts=attempts, fail_max=9)
    gc.disable()
    try:
        with pytest.raises(LostError):
            guard.call(fail)
        with pytest.raises(LostError):
            # Nothing suspends here, and an event loop would keep the exception.
            guard.call_async(fail_async).send(None)
        assert [ref() for ref in born] == [None] * attempts * 2
    finally:
        gc.enable()


def test_rejection_by_an_inner_guard_is_a_failure_of_the_outer_one(bench: Bench) -> None:
    """A rejection is distinguished, and the outer guard does not retry it either."""
    inner = bench.guard("inner", attempts=1, fail_max=1)
    exhaust(lambda: inner.call(Flaky(1)))
    outer = bench.guard("outer", on=(Exception,))
    with pytest.raises(CircuitBreakerError):
        outer.call(inner.call, Flaky(0))
    assert bench.calls("inner") == (0, 1, 1)
    assert bench.calls("outer") == (0, 1, 0)
    assert bench.sample("retries_total", "outer") == 0


def test_rejection_by_an_inner_guard_in_a_retry_is_a_failure_of_the_outer_one(
    bench: Bench,
) -> None:
    """Also in a later attempt, somebody else's rejection ends the call as a failure."""
    inner = bench.guard("inner", attempts=1, fail_max=1)
    outer = bench.guard("outer", fail_max=9)
    with pytest.raises(CircuitBreakerError):
        outer.call(inner.call, Flaky(9))
    assert bench.calls("inner") == (0, 1, 1)
    assert bench.calls("outer") == (0, 1, 0)
    assert bench.sample("retries_total", "outer") == 1


def test_own_rejection_inside_an_own_call_is_no_rejection_of_the_outer_call(bench: Bench) -> None:
    """A guarded function that is rejected by its own guard was called: its call failed."""
    guard = bench.guard(attempts=1, fail_max=1)

    def function() -> None:
        exhaust(lambda: guard.call(Flaky(1)))
        guard.call(Flaky(0))

    with pytest.raises(CircuitBreakerError):
        guard.call(function)
    assert bench.calls() == (0, 2, 1)


def test_an_exception_that_many_calls_raise_does_not_grow_for_ever(bench: Bench) -> None:
    """A lost connection is the error of all who wait for it: it speaks of the last call."""
    error = ConnectionError("lost for all")

    def fail() -> None:
        raise error

    guard = bench.guard(attempts=2, fail_max=1000)
    guard.force("off")  # without retries
    for _ in range(100):
        with pytest.raises(ConnectionError):
            guard.call(fail)
    assert len(error.__notes__) < 100
    guard.release()
    with pytest.raises(ConnectionError):
        guard.call(fail)
    failure = find_failure(error)
    assert failure is not None
    assert failure.attempt == 2


def test_a_generator_function_cannot_be_called(bench: Bench) -> None:
    """Its work begins when the call has ended; what it returns is no answer."""

    def generate() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="a generator function"):
        bench.guard().call(generate)
    assert list(bench.guard().call(lambda *_: generate())) == [1]
