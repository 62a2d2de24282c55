"""What an operation is said to allocate, from operations whose allocations are known."""

from __future__ import annotations

import asyncio
import gc
import itertools
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from resilience_bench._model import Weight
from resilience_bench.worker.allocations import CALLS, FUNCTION_CALLS, measure_allocations
from resilience_bench.worker.operations import Operation

SIZE = 100
BYTES = sys.getsizeof(bytes(SIZE))
KINDS = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
RAISES = pytest.mark.parametrize("raises", [False, True], ids=["returning", "raising"])


@pytest.fixture(autouse=True)
def _unfrozen() -> Iterator[None]:
    """Weighing freezes what there is, which a worker can afford and a test run cannot."""
    yield
    gc.unfreeze()


def weighed(call: Callable[[], Any], *, is_async: bool = False, raises: bool = False) -> Weight:
    """What is weighed of an operation that does this, and raises in the end if it is to."""

    def plain() -> Any:
        made = call()
        if raises:
            raise KeyError
        return made

    async def awaited() -> Any:
        return plain()

    with asyncio.Runner() as runner:
        expected = (KeyError,) if raises else ()
        return measure_allocations(
            Operation(awaited if is_async else plain, is_async, expected), runner
        )


@KINDS
@RAISES
def test_what_stays_allocated_is_reported_per_call(*, is_async: bool, raises: bool) -> None:
    """An operation that keeps a bytes object a call keeps one block, of its size."""
    kept: list[bytes | None] = [None] * 10_000
    place = itertools.count()

    def keep() -> None:
        kept[next(place)] = bytes(SIZE)

    weight = weighed(keep, is_async=is_async, raises=raises)
    assert weight.calls == CALLS
    assert weight.kept_blocks == pytest.approx(1, abs=0.1)
    assert weight.kept_bytes == pytest.approx(BYTES, abs=5)
    assert weight.result_bytes == pytest.approx(0, abs=5)


@KINDS
def test_what_a_call_returns_is_weighed_apart(*, is_async: bool) -> None:
    """An operation that returns a bytes object keeps nothing; its result is one block."""
    weight = weighed(lambda: bytes(SIZE), is_async=is_async)
    assert weight.result_blocks == pytest.approx(1, abs=0.1)
    assert weight.result_bytes == pytest.approx(BYTES, abs=5)
    assert weight.kept_blocks == pytest.approx(0, abs=0.1)
    assert weight.kept_bytes == pytest.approx(0, abs=5)


@KINDS
@RAISES
def test_an_operation_that_keeps_nothing_weighs_nothing(*, is_async: bool, raises: bool) -> None:
    """What measuring itself allocates, or an event loop, or an exception, is not counted."""
    weight = weighed(lambda: None, is_async=is_async, raises=raises)
    for each in (weight.kept_blocks, weight.result_blocks):
        assert each == pytest.approx(0, abs=0.1)
    for each in (weight.kept_bytes, weight.result_bytes):
        assert each == pytest.approx(0, abs=5)


@KINDS
@RAISES
def test_peak_is_the_most_that_one_call_holds(*, is_async: bool, raises: bool) -> None:
    """A bytes object that a call drops again is the peak, once, however many calls there are."""
    weight = weighed(lambda: len(bytes(1_000_000)), is_async=is_async, raises=raises)
    assert weight.peak_bytes == pytest.approx(1_000_000, rel=0.01)
    assert weight.kept_bytes == pytest.approx(0, abs=5)


def test_garbage_in_cycles_is_not_kept() -> None:
    """What only the collector can free is free in the end."""

    def cycle() -> None:
        one: list[Any] = []
        one.append(one)

    assert weighed(cycle).kept_blocks == pytest.approx(0, abs=0.1)


def test_large_operations_are_called_less_often() -> None:
    """The number of calls follows from how many functions one call calls."""

    def large() -> None:
        for _ in range(FUNCTION_CALLS):
            abs(0)

    assert weighed(large).calls == 1


def test_an_operation_that_fails_leaves_no_tracing_behind() -> None:
    """After an exception that nobody expected, nothing is traced and garbage is collected."""

    def failing() -> None:
        if tracemalloc.is_tracing():
            raise OSError

    with pytest.raises(OSError, match=r"^$"):
        weighed(failing)
    assert not tracemalloc.is_tracing()
    assert gc.isenabled()
