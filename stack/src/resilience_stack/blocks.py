"""``with`` blocks: one way through a breaker, and one block with a guard around it."""

from __future__ import annotations

from time import perf_counter

from resilience_stack.breaker import Breaker, CircuitBreakerError
from resilience_stack.metrics import GuardMetrics

__all__ = ["Block", "Passage"]


class Passage:
    """A way through a breaker, which may be taken again: one attempt a time."""

    __slots__ = ("_breaker", "_epoch", "rejected")

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker
        self._epoch = 0
        self.rejected = False
        """Whether the breaker refused the last attempt."""

    def __enter__(self) -> None:
        self.rejected = True
        self._epoch = self._breaker.calm or self._breaker.admit()
        self.rejected = False

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None or self._breaker.calm != self._epoch:
            self._breaker.report(self._epoch, error)


class Block:
    """A breaker and metrics around a ``with`` or ``async with`` block, once: nothing is retried."""

    __slots__ = ("_metrics", "_passage", "_started_s")

    def __init__(self, breaker: Breaker, metrics: GuardMetrics) -> None:
        self._passage = Passage(breaker)
        self._metrics = metrics
        self._started_s = 0.0

    def __enter__(self) -> None:
        self._started_s = perf_counter()
        try:
            self._passage.__enter__()
        except CircuitBreakerError as error:
            self._metrics.end(self._started_s, error, rejected=True)
            raise

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._passage.__exit__(kind, error, traceback)
        self._metrics.end(self._started_s, error)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self.__exit__(kind, error, traceback)
