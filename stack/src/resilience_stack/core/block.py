"""A ``with`` or ``async with`` block with a breaker and metrics around it."""

from __future__ import annotations

from time import perf_counter

from resilience_stack.core.breaker import Breaker
from resilience_stack.core.layers import Layers

__all__ = ["Block"]


class Block:
    """A breaker and metrics around a block, once: nothing is retried, nothing is limited."""

    __slots__ = ("_breaker", "_epoch", "_layers", "_started_s")

    def __init__(self, breaker: Breaker, layers: Layers) -> None:
        self._breaker = breaker
        self._layers = layers
        self._started_s = 0.0
        self._epoch = 0

    def __enter__(self) -> None:
        self._started_s = perf_counter()
        self._epoch = self._breaker.calm or self._breaker.admit()
        if not self._epoch:
            raise self._layers.refuse(self._started_s)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None:
            self._layers.succeed(self._epoch, self._started_s)
        else:
            self._breaker.report(self._epoch, error)
            self._layers.give_up(error, self._started_s, attempt=1)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self.__exit__(kind, error, traceback)
