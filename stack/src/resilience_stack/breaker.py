"""pybreaker's breaker, set as a policy says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pybreaker import (
    STATE_OPEN,
    CircuitBreaker,
    CircuitBreakerError,
    CircuitBreakerListener,
    CircuitBreakerState,
)

from resilience_stack.policy import Policy

__all__ = ["Breaker", "CircuitBreakerError"]

_CAME_FROM_THE_CALL: Final = "_resilience_stack_came_from_the_call"


class Breaker:
    """One breaker, whose ``call`` raises the function's own exception, also when it opens.

    So a `CircuitBreakerError` always means that a function was not called.
    """

    def __init__(self, name: str, policy: Policy, on_state: Callable[[str], None]) -> None:
        self._breaker = CircuitBreaker(
            fail_max=policy.fail_max,
            reset_timeout=policy.reset_timeout_s,
            listeners=[_Listener(on_state)],
            name=name,
            throw_new_error_on_trip=False,
        )
        # pybreaker's own method, for a method of ours would be one more call.
        self.call = self._breaker.call

    @property
    def state(self) -> str:
        """Closed, half-open or open, as pybreaker spells them."""
        return self._breaker.current_state

    def allows_retry(self, error: BaseException) -> bool:
        """Whether another attempt has a chance after this error: nothing refuses calls."""
        return not isinstance(error, CircuitBreakerError) and self.state != STATE_OPEN


def is_rejection(error: BaseException) -> bool:
    """Whether the error that came out of ``Breaker.call`` is that breaker's own rejection.

    A function that is guarded may itself call something with a breaker; the rejection by that one
    is a failure of the function.
    """
    return isinstance(error, CircuitBreakerError) and not hasattr(error, _CAME_FROM_THE_CALL)


class _Listener(CircuitBreakerListener):
    def __init__(self, on_state: Callable[[str], None]) -> None:
        self._on_state = on_state

    def failure(self, cb: CircuitBreaker, exc: BaseException) -> None:
        """Mark somebody else's rejection; pybreaker tells of a failure before it raises it."""
        del cb
        if isinstance(exc, CircuitBreakerError):
            setattr(exc, _CAME_FROM_THE_CALL, True)

    def state_change(
        self,
        cb: CircuitBreaker,
        old_state: CircuitBreakerState | None,
        new_state: CircuitBreakerState,
    ) -> None:
        """Pass the new state on; pybreaker holds its lock meanwhile, so the order is right."""
        del cb, old_state
        self._on_state(new_state.name)
