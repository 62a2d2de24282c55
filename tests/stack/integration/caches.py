"""What the tests of the cache share: one that is called alike for functions and coroutines."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from resilience_stack.core.deadline import DEADLINE
from resilience_stack.integrations.redis import AsyncCache, Cache, policy
from tests.stack.bench import Bench

__all__ = ["KINDS", "Caller", "limited"]

KINDS = ("plain", "awaited")


@contextlib.contextmanager
def limited(seconds: float = 0.4) -> Iterator[None]:
    """Limit the calls inside: those of a test that must fail, while all others have ample time."""
    token = DEADLINE.set(perf_counter() + seconds)
    try:
        yield
    finally:
        DEADLINE.reset(token)


class Caller:
    """A cache, and an event loop if it needs one; its methods can be called as plain functions."""

    def __init__(
        self,
        bench: Bench,
        kind: str,
        url: str,
        options: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        made = {"deadline_s": 30.0, "fail_max": 3, **settings}
        self.guard = bench.manager.guard("cache", policy(**made))
        self.is_async = kind == "awaited"
        self.runner = asyncio.Runner()
        self.cache: Any = (AsyncCache if self.is_async else Cache)(
            self.guard, url, **(options or {})
        )

    def close(self) -> None:
        """Close the cache and the event loop."""
        self.do(self.cache.close)
        self.runner.close()

    def do(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call, and await what comes back if it can be awaited."""
        if self.is_async:
            context = contextvars.copy_context()
            return self.runner.run(_await(function, args, kwargs), context=context)
        return function(*args, **kwargs)

    def get(self, key: str) -> Any:
        """Read."""
        return self.do(self.cache.get, key)

    def set(self, key: str, value: bytes | str) -> Any:
        """Write."""
        return self.do(self.cache.set, key, value, ttl_s=600)

    def load_by(self, load: Callable[[], Any]) -> Callable[[], Any]:
        """The function as read-through takes it."""
        if not self.is_async:
            return load

        async def load_async() -> Any:
            await asyncio.sleep(0)
            return load()

        return load_async

    def answer(self, key: str, load: Callable[[], Any], **times: float) -> Any:
        """Read through."""
        return self.do(self.cache.answer, key, self.load_by(load), **times)


async def _await(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    result = function(*args, **kwargs)
    return await result if inspect.isawaitable(result) else result
