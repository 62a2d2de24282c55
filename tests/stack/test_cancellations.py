"""Time limits and cancellations that meet in one task: whose end it was, and what is left of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from resilience_stack import DeadlineExceededError
from tests.stack.bench import Bench

SHORT = {"deadline_s": 0.01, "retries": ()}


async def hang() -> None:
    """Wait for what never comes."""
    await asyncio.Event().wait()


async def swallow() -> str:
    """Make an answer of a cancellation."""
    try:
        await hang()
    except asyncio.CancelledError:
        return "swallowed"
    raise AssertionError


async def translate() -> None:
    """Make another error of a cancellation."""
    try:
        await hang()
    except asyncio.CancelledError:
        raise KeyError("translated") from None


async def outcome_of(function: Callable[[], Awaitable[object]]) -> tuple[object, int]:
    """What a call returns or raises, and how often its task is cancelled afterwards."""
    task = asyncio.current_task()
    assert task is not None
    result: object
    try:
        result = await function()
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - all of them are judged
        result = type(error)
    return result, task.cancelling()


@pytest.mark.parametrize("limits", [SHORT, {"attempt_s": 0.01, "retries": ()}])
def test_a_guarded_call_within_one_of_the_same_guard_ends_with_it(
    bench: Bench, limits: dict[str, object]
) -> None:
    """Both have the same end: what comes out is the error of the limit, and no cancellation."""
    guard = bench.guard(**limits)
    inner = guard(hang)

    @guard
    async def outer() -> None:
        await inner()

    assert asyncio.run(outcome_of(outer)) == (DeadlineExceededError, 0)


@pytest.mark.parametrize(
    ("function", "expected"),
    [(swallow, "swallowed"), (translate, KeyError)],
    ids=["answer", "error"],
)
def test_a_function_that_keeps_its_cancellation_to_itself_leaves_nothing_behind(
    bench: Bench, function: Callable[[], Awaitable[object]], expected: object
) -> None:
    """The task counts as cancelled no more, and the next call in it ends at its limit, too."""
    guard = bench.guard(**SHORT)

    async def scenario() -> list[tuple[object, int]]:
        return [
            await outcome_of(lambda: guard.call_async(function)),
            await outcome_of(lambda: guard.call_async(hang)),
        ]

    assert asyncio.run(scenario()) == [(expected, 0), (DeadlineExceededError, 0)]


def test_a_call_in_the_clean_up_of_a_cancelled_task_has_its_limit(bench: Bench) -> None:
    """Its end is the error of its limit, counted by the breaker; the task stays cancelled."""
    guard = bench.guard(**SHORT)
    caught: list[type[Exception]] = []

    async def work() -> None:
        try:
            await hang()
        finally:
            try:
                await guard.call_async(hang)
            except DeadlineExceededError as error:
                caught.append(type(error))

    async def scenario() -> bool:
        task = asyncio.ensure_future(work())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(scenario())
    assert caught == [DeadlineExceededError]
    assert guard._breaker.failures == 1


def test_a_task_that_is_cancelled_while_its_time_is_up_stays_cancelled(bench: Bench) -> None:
    """Somebody else's cancellation is never taken back, be it before or after the end."""
    guard = bench.guard(**SHORT)

    async def clean_up_slowly() -> None:
        try:
            await hang()
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)  # the deadline passes meanwhile
            raise

    async def scenario() -> bool:
        task = asyncio.ensure_future(guard.call_async(clean_up_slowly))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(scenario())
    assert guard._breaker.failures == 0
