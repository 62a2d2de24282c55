"""Exact time limits for coroutines, with one timer of the event loop for all calls of a limit."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError
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


class _Call:
    """A call that is timed.

    Attributes:
        task: What is cancelled when its time is up.
        ends_s: When that is, by ``time.perf_counter``.
        cancelling: How often others had cancelled the task when the call began.
    """

    __slots__ = ("cancelling", "ends_s", "task")

    def __init__(self, task: asyncio.Task[object], ends_s: float) -> None:
        self.task = task
        self.ends_s = ends_s
        self.cancelling = task.cancelling()


class _Loop:
    """What is timed in one event loop.

    Attributes:
        calls: Those under way, in the order of their beginnings.
        expired: The calls whose tasks were cancelled because their time was up, and have not
            noticed yet; by task and end, the innermost call last.
        fires_s: When the event loop's timer fires next, by ``time.perf_counter``.
    """

    __slots__ = ("calls", "expired", "fires_s")

    def __init__(self) -> None:
        self.calls: dict[_Call, None] = {}
        self.expired: dict[tuple[asyncio.Task[object], float], list[_Call]] = {}
        self.fires_s = NEVER

    def expire(self, call: _Call) -> None:
        """Cancel the task of a call."""
        del self.calls[call]
        self.expired.setdefault((call.task, call.ends_s), []).append(call)
        call.task.cancel()

    def forget(self, call: _Call) -> None:
        """Take back the cancellation of an expired call, unless it was taken back already."""
        place = call.task, call.ends_s
        calls = self.expired.get(place, [])
        if call in calls:
            calls.remove(call)
            call.task.uncancel()
        if not calls:
            self.expired.pop(place, None)


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
        timed, call = self._start(ends_s)
        is_cancelled = False
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
        except CancelledError:
            is_cancelled = True  # by whom, `absorb` says
            raise
        finally:
            if call in timed.calls:
                del timed.calls[call]
            elif not is_cancelled:  # it has swallowed the cancellation, or made another error of it
                timed.forget(call)

    def absorb(self, ends_s: float) -> bool:
        """Take back the cancellation of the running task, if the end of a call was its cause.

        Args:
            ends_s: When the call had to end.

        Returns:
            Whether it was, and nobody else cancelled the task meanwhile.
        """
        task = asyncio.current_task()
        timed = self._loops.get(asyncio.get_running_loop())
        calls = timed.expired.get((task, ends_s)) if task and timed else None
        if not task or not timed or not calls:
            return False
        call = calls[-1]
        timed.forget(call)
        return task.cancelling() <= call.cancelling

    def _start(self, ends_s: float) -> tuple[_Loop, _Call]:
        loop = asyncio.get_running_loop()
        timed = self._loops.get(loop)
        if timed is None:
            timed = self._loops.setdefault(loop, _Loop())
        task = asyncio.current_task(loop)
        assert task is not None
        call = _Call(task, ends_s)
        timed.calls[call] = None
        if ends_s < timed.fires_s:
            self._arm(loop, timed, ends_s)
        return timed, call

    def _arm(self, loop: asyncio.AbstractEventLoop, timed: _Loop, ends_s: float) -> None:
        timed.fires_s = ends_s
        loop.call_later(max(ends_s - perf_counter(), 0.0), self._expire, loop, timed)

    def _expire(self, loop: asyncio.AbstractEventLoop, timed: _Loop) -> None:
        """Cancel the calls whose time is up, and wait for the one that has to end next."""
        now_s, next_s = perf_counter(), NEVER
        for call in list(timed.calls):
            if call.ends_s > now_s:
                next_s = min(next_s, call.ends_s)
            else:
                timed.expire(call)
        timed.fires_s = NEVER
        if next_s != NEVER:
            self._arm(loop, timed, next_s)
