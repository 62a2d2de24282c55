"""What caches for plain functions and for coroutines have in common: how they are made."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar

from resilience_stack.core.guard import Guard
from resilience_stack.integrations.redis.entries import Codec
from resilience_stack.integrations.redis.outcomes import Outcomes

__all__ = ["CacheBase"]


class CacheBase:
    """The parts of a cache.

    Attributes:
        guard: Its guard.
        client: redis-py's client, each command and pipeline of it through the guard. It raises.
    """

    _make_client: ClassVar[Callable[..., Any]]
    _make_refresher: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        guard: Guard,
        url: str,
        *,
        dumps: Callable[[Any], str | bytes] = json.dumps,
        loads: Callable[[bytes], Any] = json.loads,
        **options: Any,
    ) -> None:
        """Make a client with the limits of the guard in it; nothing is connected yet.

        Args:
            guard: Made with `policy`.
            url: ``redis://``, ``rediss://`` or ``unix://``.
            dumps: Turns the values of `read_through` into bytes or text; what it raises is counted,
                and the value goes to its caller.
            loads: Turns them back; what it raises makes a miss.
            options: For redis-py's connections and pool, such as ``max_connections``.

        Raises:
            ValueError: If it is no such URL; the text has the guard, and not the URL.
            TypeError: If redis-py has no such option, or a value is of another type.
        """
        self.guard = guard
        self.client = self._make_client(guard, url, options)
        self._outcomes = Outcomes(guard)
        codec = Codec(dumps, loads)
        self._refresher = self._make_refresher(self.client, codec, self._outcomes)
