"""Read-through for coroutines: one caller at a time refreshes a key, in all processes."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from resilience_stack.core.fallback import Answer
from resilience_stack.integrations.redis.clients import AsyncGuardedRedis
from resilience_stack.integrations.redis.entries import (
    LOCK_SUFFIX,
    POLL_S,
    RELEASE,
    Codec,
    Entry,
    Times,
    find_milliseconds,
    refuse_bad_key,
)
from resilience_stack.integrations.redis.flights import Flights, find_wait_s
from resilience_stack.integrations.redis.outcomes import Outcomes
from resilience_stack.integrations.redis.settings import FAILURES

__all__ = ["AsyncRefresher"]

Load = Callable[[], Awaitable[Any]]


class AsyncRefresher:
    """The read-through of one cache."""

    def __init__(self, client: AsyncGuardedRedis, codec: Codec, outcomes: Outcomes) -> None:
        self._client = client
        self._codec = codec
        self._outcomes = outcomes
        self._flights = Flights(asyncio.Event)

    async def answer(self, key: str, load: Load, times: Times) -> Answer[Any]:
        """Return a fresh value, be it cached or loaded, or a stale one."""
        refuse_bad_key(key)
        entry, is_up = await self._find(key)
        if entry is not None and times.is_fresh(entry):
            self._outcomes.note_read(is_hit=True)
            return Answer(entry.value, "live")
        source = "live"
        try:
            answer = await self._share(key, load, times, entry, is_up=is_up)
            source = answer.source
        finally:
            self._outcomes.note_answer(source, is_up=is_up)
        return answer

    async def _find(self, key: str) -> tuple[Entry | None, bool]:
        """Return the value of a key, and whether the cache has answered at all."""
        try:
            return self._codec.unpack(await self._client.get(key)), True
        except FAILURES as error:
            self._outcomes.note_failed_read(error)
            return None, False

    async def _share(
        self, key: str, load: Load, times: Times, entry: Entry | None, *, is_up: bool
    ) -> Answer[Any]:
        """Refresh a key, unless another caller of this process is at it."""
        flight, is_mine = self._flights.join(key)
        ends_s = time.monotonic() + find_wait_s(times.wait_s)
        while not is_mine:
            if (stale := times.make_stale(entry)) is not None:
                return stale
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ends_s - time.monotonic()):
                    await flight.done.wait()
            if not flight.done.is_set():
                return await _load(load)
            if (answer := flight.read()) is not None:
                return answer
            flight, is_mine = self._flights.join(key)  # who was at it has given up
        try:
            flight.answer = (
                await self._refresh(key, load, times, entry) if is_up else await _load(load)
            )
        except Exception as error:
            flight.error = error
            raise
        finally:
            self._flights.end(key)
        return flight.answer

    async def _refresh(
        self, key: str, load: Load, times: Times, entry: Entry | None
    ) -> Answer[Any]:
        """Refresh a key, unless another process is at it."""
        token = uuid.uuid4().hex
        lock = key + LOCK_SUFFIX
        try:
            is_mine = await self._client.set(
                lock, token, nx=True, px=find_milliseconds(times.lock_s)
            )
        except FAILURES as error:
            self._outcomes.note_failed_write(error)
            return await self._load(load, times, entry)
        if not is_mine:
            return (
                times.make_stale(entry)
                or await self._await_other(key, times)
                or await self._load(load, times, entry)
            )
        try:
            # Another process may have refreshed it since it was read.
            other, _ = await self._find(key)
            if other is not None and times.is_fresh(other):
                return Answer(other.value, "live")
            answer = await self._load(load, times, entry)
            if answer.source == "live":
                await self._keep(key, answer.value, times)
            return answer
        finally:
            await self._release(lock, token)

    async def _await_other(self, key: str, times: Times) -> Answer[Any] | None:
        """Wait for the value that another process makes; None if it does not come in time."""
        ends_s = time.monotonic() + find_wait_s(times.wait_s)
        while (left_s := ends_s - time.monotonic()) > 0:
            await asyncio.sleep(min(POLL_S, left_s))
            entry, is_up = await self._find(key)
            if entry is not None and times.is_fresh(entry):
                return Answer(entry.value, "live")
            if not is_up:
                break
        return None

    async def _load(self, load: Load, times: Times, entry: Entry | None) -> Answer[Any]:
        """Load, or fall back to the stale value."""
        try:
            return await _load(load)
        except Exception:
            if (stale := times.make_stale(entry)) is not None:
                return stale
            raise

    async def _keep(self, key: str, value: object, times: Times) -> None:
        try:
            packed = self._codec.pack(Entry(value, time.time()))
        except Exception as error:  # noqa: BLE001 - the value is there, and goes to the caller
            self._outcomes.note_unkept(error)
            return
        try:
            await self._client.set(key, packed, px=find_milliseconds(times.kept_s))
        except FAILURES as error:
            self._outcomes.note_failed_write(error)

    async def _release(self, lock: str, token: str) -> None:
        """Give the lock back; one that cannot be given back expires."""
        try:
            await self._client.eval(RELEASE, 1, lock, token)
        except FAILURES as error:
            self._outcomes.note_failed_write(error)


async def _load(load: Load) -> Answer[Any]:
    return Answer(await load(), "live")
