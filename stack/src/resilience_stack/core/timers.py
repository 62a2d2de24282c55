"""Exact time limits for coroutines, with one timer of the event loop for all calls of a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from time import perf_counter
from types import CoroutineType, coroutine
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from resilience_stack.core.deadline import NEVER

__all__ = ["ENDED", "Timer", "collect"]

Result = TypeVar("Result")
ENDED: Final = object()
"""What the first step of `collect` returns when there is no second one."""


@coroutine
def collect(awaited: Any, results: list[Any]) -> Generator[Any, Any, None]:
    """Await something and append its result to a list.

    The first step, ``next(steps, ENDED)``, finds out whether it waits for anything. A coroutine by
    itself ends with an exception that has the result in it, which costs twice as much.

    Args:
        awaited: A coroutine, or what an ``__await__`` returned.
        results: Where the result goes to.
    """
    results.append((yield from awaited))


class _Loop:
    """What is timed in one event loop.

    Attributes:
        calls: By a key that nothing else has: the task of each call, and when it has to end.
        expired: The tasks that were cancelled because their time was up, and have not noticed yet.
        fires_s: When the event loop's timer fires next, by ``time.perf_counter``.
    """

    __slots__ = ("calls", "expired", "fires_s")

    def __init__(self) -> None:
        self.calls: dict[object, tuple[asyncio.Task[object] | None, float]] = {}
        self.expired: set[asyncio.Task[object]] = set()
        self.fires_s = NEVER


class Timer:
    """Cancels calls that take too long.

    ``asyncio.timeout`` pushes a timer into the event loop's heap for each call, and cancels it
    again. Here one timer of the event loop waits for the call that has to end first, and a call
    that ends without having waited for anything is not timed at all.
    """

    def __init__(self) -> None:
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = WeakKeyDictionary()

    async def run(self, awaitable: Awaitable[Result], ends_s: float) -> Result:
        """Await something; its task is cancelled when the time is up, see `absorb`.

        Args:
            awaitable: What is awaited.
            ends_s: When it has to end, by ``time.perf_counter``.
        """
        results: list[Result] = []
        is_coroutine = type(awaitable) is CoroutineType
        steps = collect(awaitable if is_coroutine else awaitable.__await__(), results)
        if (waited_for := next(steps, ENDED)) is not ENDED:
            await self.finish(steps, waited_for, ends_s)
        return results[0]

    @coroutine
    def finish(
        self, steps: Generator[Any, Any, None], waited_for: object, ends_s: float
    ) -> Generator[Any, Any, None]:
        """Go on with what has been started by `collect`, and waits for something now.

        Args:
            steps: What `collect` returned.
            waited_for: What its first step returned.
            ends_s: When it has to end, by ``time.perf_counter``.
        """
        key = object()
        timed = self._start(key, ends_s)
        try:
            while True:
                try:
                    sent = yield waited_for
                except BaseException as error:  # noqa: BLE001 - what is awaited has to hear of it
                    waited_for = steps.throw(error)
                else:
                    waited_for = steps.send(sent)
        except StopIteration:
            return
        finally:
            timed.calls.pop(key, None)

    def absorb(self) -> bool:
        """Take back the cancellation of the running task, if it was cancelled here.

        Returns:
            Whether it was, and nobody else cancelled it too.
        """
        task = asyncio.current_task()
        timed = self._loops.get(asyncio.get_running_loop())
        if task is None or timed is None or task not in timed.expired:
            return False
        timed.expired.discard(task)
        return not task.uncancel()

    def _start(self, key: object, ends_s: float) -> _Loop:
        loop = asyncio.get_running_loop()
        timed = self._loops.get(loop)
        if timed is None:
            timed = self._loops.setdefault(loop, _Loop())
        timed.calls[key] = asyncio.current_task(loop), ends_s
        if ends_s < timed.fires_s:
            self._arm(loop, timed, ends_s)
        return timed

    def _arm(self, loop: asyncio.AbstractEventLoop, timed: _Loop, ends_s: float) -> None:
        timed.fires_s = ends_s
        loop.call_later(max(ends_s - perf_counter(), 0.0), self._expire, loop, timed)

    def _expire(self, loop: asyncio.AbstractEventLoop, timed: _Loop) -> None:
        """Cancel the calls whose time is up, and wait for the one that has to end next."""
        now_s, next_s = perf_counter(), NEVER
        for key, (task, ends_s) in list(timed.calls.items()):
            if ends_s > now_s:
                next_s = min(next_s, ends_s)
                continue
            del timed.calls[key]
            if task is not None:
                timed.expired.add(task)
                task.cancel()
        timed.fires_s = NEVER
        if next_s != NEVER:
            self._arm(loop, timed, next_s)
