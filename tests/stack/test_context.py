"""Guarded blocks: breaker and metrics around a ``with`` block, and no retry."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from resilience_stack import CircuitBreakerError, Guard
from tests.stack.bench import Bench, Flaky, exhaust


def plain(guard: Guard, function: Callable[[], object]) -> object:
    """Call inside of a plain block."""
    with guard.context():
        return function()


def awaited(guard: Guard, function: Callable[[], object]) -> object:
    """Call inside of an asynchronous block."""

    async def block() -> object:
        async with guard.context():
            await asyncio.sleep(0)
            return function()

    return asyncio.run(block())


BOTH = pytest.mark.parametrize("block", [plain, awaited])


@BOTH
def test_block_that_ends_is_a_success(bench: Bench, block: Callable[..., Any]) -> None:
    """A block is counted and timed when it has ended, also when it returns."""
    assert block(bench.guard(), Flaky(0)) == "done"
    assert bench.calls() == (1, 0, 0)
    assert bench.sample("call_seconds_count", outcome="success") == 1


@BOTH
def test_block_that_raises_is_a_failure_and_no_retry(
    bench: Bench, block: Callable[..., Any]
) -> None:
    """The exception of a block comes out of it, once."""
    function = Flaky(9)
    with pytest.raises(ConnectionError):
        block(bench.guard(), function)
    assert function.calls == 1
    assert bench.slept == []
    assert bench.calls() == (0, 1, 0)
    assert bench.sample("retries_total") == 0


@BOTH
def test_blocks_open_the_breaker_and_are_rejected(bench: Bench, block: Callable[..., Any]) -> None:
    """After fail_max blocks that raised, no block begins."""
    function, guard = Flaky(99), bench.guard(fail_max=2)
    exhaust(lambda: block(guard, function), times=2)
    with pytest.raises(CircuitBreakerError, match="guard 'database' is open"):
        block(guard, function)
    assert function.calls == 2
    assert bench.calls() == (0, 2, 1)


@BOTH
def test_block_can_be_the_probe(bench: Bench, block: Callable[..., Any]) -> None:
    """After its time the breaker lets a block through, which closes it."""
    guard = bench.guard(fail_max=1)
    exhaust(lambda: block(guard, Flaky(1)))
    bench.now_s += 60
    assert block(guard, lambda: guard.state) == "half-open"
    assert guard.state == "closed"


@BOTH
def test_ignored_exception_of_a_block_is_a_success(bench: Bench, block: Callable[..., Any]) -> None:
    """What the policy ignores comes out of the block, and counts as success."""
    guard = bench.guard(fail_max=1, ignored=(KeyError,))
    with pytest.raises(KeyError):
        block(guard, Flaky(1, error=KeyError))
    assert guard.state == "closed"
    assert bench.calls() == (1, 0, 0)


def test_calls_and_blocks_share_the_breaker(bench: Bench) -> None:
    """What calls and blocks fail adds up."""
    guard = bench.guard(fail_max=2, attempts=1)
    exhaust(lambda: guard.call(Flaky(1)))
    exhaust(lambda: plain(guard, Flaky(1)))
    assert guard.state == "open"


def test_abandoned_generator_leaves_the_probe_to_others(bench: Bench) -> None:
    """A block in a generator that is closed early says nothing about the dependency."""
    guard = bench.guard(fail_max=1)
    exhaust(lambda: plain(guard, Flaky(1)))
    bench.now_s += 60

    def rows() -> Iterator[int]:
        with guard.context():
            yield 1

    begun = rows()
    next(begun)
    begun.close()
    assert guard.state == "half-open"
    assert plain(guard, Flaky(0)) == "done"
    assert guard.state == "closed"


def test_block_works_inside_of_other_context_managers(bench: Bench) -> None:
    """A context manager that is built from a guarded block passes exceptions on."""

    @contextmanager
    def connection(guard: Guard) -> Iterator[str]:
        with guard.context():
            yield "connection"

    with pytest.raises(ConnectionError), connection(bench.guard()):
        raise ConnectionError
    assert bench.calls() == (0, 1, 0)
