"""pybreaker's breaker, told of outcomes after the fact: no call runs under its lock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import NoReturn

from pybreaker import (
    STATE_CLOSED,
    STATE_OPEN,
    CircuitBreaker,
    CircuitBreakerError,
    CircuitBreakerListener,
    CircuitBreakerState,
)

from resilience_stack.policy import Policy

__all__ = ["Breaker", "CircuitBreakerError"]


class Breaker(CircuitBreakerListener):
    """One breaker, which is asked before a call and told its outcome afterwards.

    pybreaker's own ``call`` holds its lock while the function runs. Here pybreaker counts and
    changes state under a lock that is held for that only, and not at all while the breaker is
    calm: closed, with no failure counted.

    An epoch is the time between two changes of state. Who asks gets the number of the epoch; an
    outcome that arrives in a later one is that of a call that the breaker has decided about since.
    """

    def __init__(self, name: str, policy: Policy, on_state: Callable[[str], None]) -> None:
        """Make a closed breaker.

        Args:
            name: Named in rejections.
            policy: When it opens and probes, and which exceptions are no failures.
            on_state: Called with each new state, in the order of the changes.
        """
        self.calm = 1
        """The epoch while the breaker is calm, else 0: calls may go ahead without asking."""
        self._closed = 1
        self._epoch = 1
        self._probing = False
        self._probe_at = 0.0
        self._on_state = on_state
        # Reentrant: the garbage collector may run a finalizer here that calls through this guard.
        self._lock = threading.RLock()
        self._breaker = CircuitBreaker(
            fail_max=policy.fail_max,
            reset_timeout=policy.reset_timeout_s,
            # One function: pybreaker takes a class with a metaclass for a predicate.
            exclude=[lambda error: isinstance(error, policy.ignored)],
            listeners=[self],
            name=name,
            throw_new_error_on_trip=False,
        )

    @property
    def state(self) -> str:
        """Closed, half-open or open, as pybreaker spells them."""
        return self._breaker.current_state

    def allows_retry(self, error: BaseException) -> bool:
        """Whether another attempt has a chance after this error: nothing refuses calls."""
        return bool(self._closed) and not isinstance(error, CircuitBreakerError)

    def admit(self) -> int:
        """Ask whether a call may go ahead; the outcome of one that may must be reported.

        Returns:
            The epoch to report the outcome with.

        Raises:
            CircuitBreakerError: If the breaker is open, or another call is its probe.
        """
        if epoch := self._closed:
            return epoch
        with self._lock:
            state = self.state
            if state == STATE_CLOSED:
                return self._epoch
            if self._probing or (state == STATE_OPEN and monotonic() < self._probe_at):
                message = f"the circuit breaker of guard {self._breaker.name!r} is {state}"
                raise CircuitBreakerError(message)
            if state == STATE_OPEN:
                self._breaker.half_open()
            self._probing = True
            return self._epoch

    def report(self, epoch: int, error: BaseException | None) -> None:
        """Tell the breaker how a call ended.

        An interrupt or a cancellation says nothing about the dependency: it counts neither way,
        and a probe that ends so leaves its place to the next call.

        Args:
            epoch: What the call was admitted with.
            error: What the function raised, if it did.
        """
        with self._lock:
            if epoch != self._epoch:
                return
            self._probing = False
            if error is None:
                self._breaker.call(_succeed)
            elif isinstance(error, Exception):
                traceback = error.__traceback__
                try:
                    self._breaker.call(_fail, error)
                except Exception as same:  # noqa: BLE001 - the caller has it already
                    # Its traceback ends where the function was called, not in here.
                    same.__traceback__ = traceback

    def failure(self, cb: CircuitBreaker, exc: BaseException) -> None:
        """Be told by pybreaker that it counted a failure."""
        del cb, exc
        self.calm = 0

    def success(self, cb: CircuitBreaker) -> None:
        """Be told by pybreaker that it counted a success, after which it is closed."""
        del cb
        self.calm = self._epoch

    def state_change(
        self,
        cb: CircuitBreaker,
        old_state: CircuitBreakerState | None,
        new_state: CircuitBreakerState,
    ) -> None:
        """Be told by pybreaker of another state; it holds its lock, so the order is right."""
        del old_state
        self._epoch += 1
        self._closed = self.calm = self._epoch if new_state.name == STATE_CLOSED else 0
        if new_state.name == STATE_OPEN:
            self._probe_at = monotonic() + cb.reset_timeout
        self._on_state(new_state.name)


def _succeed() -> None:
    """Succeed, as the function did."""


def _fail(error: Exception) -> NoReturn:
    raise error
