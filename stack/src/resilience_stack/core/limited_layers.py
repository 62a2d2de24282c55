"""The limits of a whole call: its deadline and its bulkhead."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable
from typing import TypeVar

from resilience_stack.core.breaker import Breaker
from resilience_stack.core.bulkhead import Slots
from resilience_stack.core.deadline import DEADLINE, NEVER, DeadlineExceededError
from resilience_stack.core.layers import Layers
from resilience_stack.core.policy import Policy
from resilience_stack.core.retry import Retries
from resilience_stack.core.timers import Timer
from resilience_stack.metrics.registry import GuardMetrics

__all__ = ["LimitedLayers"]

Result = TypeVar("Result")


class LimitedLayers(Layers):
    """Layers that know the limits of a call; `FullLayers` puts them around functions."""

    def __init__(
        self, breaker: Breaker, retries: Retries, metrics: GuardMetrics, policy: Policy
    ) -> None:
        super().__init__(breaker, retries, metrics)
        self._seconds = policy.deadline_s or NEVER
        self._timer = Timer() if policy.deadline_s else None
        bulkhead = policy.bulkhead
        self.slots = Slots(bulkhead.limit, bulkhead.wait_s, breaker.name) if bulkhead else None
        self._too_long = f"guard {breaker.name!r}: the call took longer than {self._seconds:g} s"
        self._no_time = f"guard {breaker.name!r}: the deadline of the enclosing call has passed"

    def _clip(self, enclosing_s: float, started_s: float) -> float:
        """Return the deadline of the enclosing call, which comes first.

        Raises:
            DeadlineExceededError: If it has passed: the call is not begun.
        """
        if enclosing_s > started_s:
            return enclosing_s
        error = DeadlineExceededError(self._no_time)
        self.reject(error, started_s, attempt=0)
        raise error

    def _enter(self, ends_s: float, started_s: float) -> None:
        assert self.slots is not None
        try:
            self.slots.enter(ends_s)
        except Exception as error:
            self.reject(error, started_s, attempt=0)
            raise

    async def _enter_async(self, ends_s: float, started_s: float) -> None:
        assert self.slots is not None
        try:
            await self.slots.enter_async(ends_s)
        except Exception as error:
            self.reject(error, started_s, attempt=0)
            raise

    def _hand_out(self) -> None:
        assert self.slots is not None
        self.slots.hand_out()

    def _await(self, awaitable: Awaitable[Result], ends_s: float) -> Awaitable[Result]:
        return awaitable if self._timer is None else self._timer.run(awaitable, ends_s)

    def _explain(self, error: BaseException, epoch: int, started_s: float, attempt: int) -> None:
        """Raise the error of the deadline, if that is why a coroutine was cancelled."""
        if self._timer is None or not isinstance(error, CancelledError):
            return
        if not self._timer.absorb(DEADLINE.get()):
            return
        exceeded = DeadlineExceededError(self._too_long)
        if epoch:
            self._breaker.report(epoch, exceeded)
        self.give_up(exceeded, started_s, attempt)
        try:
            raise exceeded from error
        finally:
            del exceeded  # else its traceback would keep it, in a cycle
