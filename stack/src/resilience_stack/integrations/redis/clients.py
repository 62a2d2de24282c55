"""Clients of redis-py whose every command and pipeline goes through a guard."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final, NoReturn

import redis
from redis import asyncio as aredis
from redis import exceptions
from redis.asyncio.client import Pipeline as AsyncPipeline
from redis.client import Pipeline

from resilience_stack.core.guard import Guard
from resilience_stack.integrations.redis.limits import AsyncLimitedPool, LimitedPool
from resilience_stack.integrations.redis.settings import NO_DATA, REPEATABLE, find_hint

__all__ = ["AsyncGuardedRedis", "GuardedRedis"]

HARMLESS: Final = frozenset(
    """
    DEL ECHO EXISTS EXPIRE EXPIREAT GET GETRANGE HDEL HEXISTS HGET HGETALL HKEYS HLEN HMGET HSCAN
    HSET HVALS LINDEX LLEN LRANGE MGET MSET PERSIST PEXPIRE PEXPIREAT PING PSETEX PTTL SADD SCAN
    SCARD SET SETEX SISMEMBER SMEMBERS SMISMEMBER SREM SSCAN STRLEN TTL TYPE UNLINK ZADD ZCARD
    ZCOUNT ZRANGE ZRANGEBYSCORE ZRANK ZREM ZREVRANGE ZSCAN ZSCORE
    """.split()  # noqa: SIM905 - read as words
)
"""Commands that change no more when they are done twice."""
CONDITIONS: Final = frozenset({"NX", "XX", "GET", "INCR", "GT", "LT"})
"""Arguments by which they do, or answer something else the second time."""


def is_repeatable(command: tuple[Any, ...]) -> bool:
    """Whether a command may be sent again when it is not known whether it was done."""
    name, *arguments = command
    return str(name).upper() in HARMLESS and not any(
        isinstance(one, str) and one.upper() in CONDITIONS for one in arguments
    )


def explain(
    error: exceptions.RedisError, commands: Iterable[tuple[Any, ...]], guard: Guard
) -> NoReturn:
    """Raise an error again, with what the guard has to know of it.

    Raises:
        ConnectionError: Of redis-py; for a server that can serve nothing.
        RedisError: The error itself, for everything else.
    """
    # redis-py had no type for a replica that may not answer before 6.0.
    if isinstance(error, NO_DATA) or str(error).startswith("MASTERDOWN"):
        raise exceptions.ConnectionError(str(error)) from error
    is_refused = isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError)
    if is_refused or not all(map(is_repeatable, commands)):
        error.retry_after_s = math.inf  # type: ignore[attr-defined]
    if hint := find_hint(error):
        error.add_note(f"guard {guard.name!r}: {hint}")
    raise error


class GuardedPipeline(Pipeline):
    """A pipeline that is executed through a guard, as one call."""

    guard: Guard

    def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002 - redis-py's
        """Execute what was queued; a retry sends all of it again."""
        queued, scripts, was_watching = [*self.command_stack], {*self.scripts}, self.watching

        def send() -> list[Any]:
            self.command_stack, self.scripts = [*queued], {*scripts}
            try:
                return super(GuardedPipeline, self).execute(raise_on_error)
            except exceptions.RedisError as error:
                commands = [(*command[0],) for command in queued]
                explain(error, [*commands, ("WATCH",)] if was_watching else commands, self.guard)

        try:
            return self.guard.call(send)
        finally:
            self.reset()  # what was refused is not executed with what is queued next


class GuardedRedis(redis.Redis):
    """A client of redis-py: a command that fails raises redis-py's error, or the guard's."""

    def __init__(self, guard: Guard, pool: LimitedPool) -> None:
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        self.guard = guard
        self._guarded = guard(self._send)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Do a command through the guard."""
        return self._guarded(*args, **options)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> GuardedPipeline:  # noqa: FBT001, FBT002 - redis-py's
        """Return a pipeline that is executed through the guard."""
        made = GuardedPipeline(
            self.connection_pool, self.response_callbacks, transaction, shard_hint
        )
        made.guard = self.guard
        return made

    def _send(self, *args: Any, **options: Any) -> Any:
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except exceptions.RedisError as error:
            explain(error, [args], self.guard)


class AsyncGuardedPipeline(AsyncPipeline):
    """A pipeline of coroutines that is executed through a guard, as one call."""

    guard: Guard

    async def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002 - redis-py's
        """Execute what was queued; a retry sends all of it again."""
        queued, scripts, was_watching = [*self.command_stack], {*self.scripts}, self.watching

        async def send() -> list[Any]:
            self.command_stack, self.scripts = [*queued], {*scripts}
            try:
                return await super(AsyncGuardedPipeline, self).execute(raise_on_error)
            except exceptions.RedisError as error:
                commands = [(*command[0],) for command in queued]
                explain(error, [*commands, ("WATCH",)] if was_watching else commands, self.guard)

        commands = [(*command[0],) for command in queued]
        token = REPEATABLE.set(not was_watching and all(map(is_repeatable, commands)))
        try:
            return await self.guard.call_async(send)
        finally:
            REPEATABLE.reset(token)
            await self.reset()  # type: ignore[no-untyped-call]


class AsyncGuardedRedis(aredis.Redis):
    """A client of redis-py for coroutines; else like `GuardedRedis`."""

    def __init__(self, guard: Guard, pool: AsyncLimitedPool) -> None:
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        self.guard = guard
        self._guarded = guard(self._send)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Do a command through the guard."""
        token = REPEATABLE.set(is_repeatable(args))
        try:
            return await self._guarded(*args, **options)
        finally:
            REPEATABLE.reset(token)

    def pipeline(
        self,
        transaction: bool = True,  # noqa: FBT001, FBT002 - redis-py's
        shard_hint: str | None = None,
    ) -> AsyncGuardedPipeline:
        """Return a pipeline that is executed through the guard."""
        made = AsyncGuardedPipeline(
            self.connection_pool, self.response_callbacks, transaction, shard_hint
        )
        made.guard = self.guard
        return made

    async def _send(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except exceptions.RedisError as error:
            explain(error, [args], self.guard)
