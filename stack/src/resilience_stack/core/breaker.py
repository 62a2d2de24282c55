"""pybreaker's breaker, which hears of outcomes after the fact: no call runs under its lock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Final, Literal

from pybreaker import (
    STATE_CLOSED,
    STATE_OPEN,
    CircuitBreaker,
    CircuitBreakerError,
    CircuitBreakerListener,
    CircuitBreakerState,
)

from resilience_stack.core.failures import Refusal
from resilience_stack.core.policy import Policy
from resilience_stack.core.storage import Storage

__all__ = ["Breaker", "CircuitBreakerError", "Mode"]

Mode = Literal["open", "degraded", "off"]
"""How a guard can be forced by hand: rejecting, answering by its fallback, or without a breaker."""
FOREVER: Final = float("inf")


class Breaker(CircuitBreakerListener):
    """One breaker, which is asked before a call and hears its outcome afterwards.

    pybreaker's own ``call`` holds its lock while the function runs. Here pybreaker counts and
    changes state under a lock that is held for that only, and not at all while the breaker is
    calm: closed, with no failure counted.

    An epoch is the time between two changes of state. Who asks gets the number of the epoch; an
    outcome that arrives in a later one is that of a call that the breaker has decided about since.
    """

    def __init__(
        self, name: str, policy: Policy, on_change: Callable[[str, str, Breaker], None]
    ) -> None:
        """Make a closed breaker; ``on_change`` hears of each change, with the state before it."""
        self.name = name
        self.calm = 1
        """The epoch while the breaker is calm, else 0: calls may go ahead without asking."""
        self.state = STATE_CLOSED
        """Closed, half-open or open, as pybreaker spells them."""
        self.mode: Mode | None = None
        """How the breaker is forced by hand; None while it decides itself."""
        self.last_error: type[Exception] | str | None = None
        """The type of the failure that was counted last, or why the breaker was opened."""
        self._closed = 1
        self._epoch = 1
        self._probing = False
        self._probe_at_s = 0.0
        self._refusal = Refusal(name, STATE_CLOSED, "", None)
        self._ignored = policy.ignored
        self._fail_max = policy.fail_max
        self._reset_timeout_s = policy.reset_timeout_s
        self._on_change = on_change
        # Reentrant: the garbage collector may run a finalizer here that calls through this guard.
        self._lock = threading.RLock()
        self._storage = Storage(STATE_CLOSED)
        self._breaker = CircuitBreaker(
            fail_max=policy.fail_max,
            reset_timeout=policy.reset_timeout_s,
            listeners=[self],
            state_storage=self._storage,
            name=name,
        )

    @property
    def failures(self) -> int:
        """How many failures in a row are counted."""
        return self._storage.counter

    @property
    def is_probe_due(self) -> bool:
        """Whether the breaker is not closed, and would let the next call through."""
        return not self._closed and not self._probing and monotonic() >= self._probe_at_s

    def allows_retry(self, error: BaseException) -> bool:
        """Whether another attempt has a chance after this error: nothing refuses calls."""
        return (
            bool(self._closed) and self.mode is None and not isinstance(error, CircuitBreakerError)
        )

    def admit(self) -> int:
        """Ask whether a call may go ahead; the outcome of one that may must be reported.

        Returns:
            The epoch to report the outcome with; 0 if the breaker is open, or being probed.
        """
        if epoch := self._closed:
            return epoch
        if monotonic() < self._probe_at_s:
            return 0
        with self._lock:
            state = self.state
            if state == STATE_CLOSED:
                return self._epoch
            if self._probing or monotonic() < self._probe_at_s:
                return 0
            if state == STATE_OPEN:
                self._breaker.half_open()
            self._probing = True
            return self._epoch

    def refuse(self) -> CircuitBreakerError:
        """Return the exception for a call that was not admitted; who asked raises it."""
        return self._refusal.make_error()

    def report(self, epoch: int, error: BaseException | None) -> None:
        """Say how a call ended.

        An interrupt or a cancellation says nothing about the dependency: it counts neither way,
        and a probe that ends so leaves its place to the next call.

        Args:
            epoch: What the call was admitted with.
            error: What the function raised, if it did.
        """
        with self._lock:
            if epoch != self._epoch or self.mode is not None:
                return
            self._probing = False
            if error is None or isinstance(error, self._ignored):
                if self._closed:
                    self._storage.reset_counter()
                    self.calm = self._epoch
                else:
                    self._breaker.close()
            elif isinstance(error, Exception):
                self.calm = 0
                self.last_error = error.__class__
                failures = self._storage.counter = self._storage.counter + 1
                if failures >= self._fail_max or not self._closed:
                    self._breaker.open()

    def close(self) -> None:
        """Close the breaker now, because the dependency was seen to answer; not if it is forced."""
        with self._lock:
            if self.mode is None and self.state != STATE_CLOSED:
                self._breaker.close()

    def open(self, reason: str) -> None:
        """Open the breaker now, because the dependency was seen to fail; not if it is forced."""
        with self._lock:
            if self.mode is None:
                self.last_error = reason
                self._breaker.open()

    def force(self, mode: Mode) -> None:
        """Force the breaker by hand, until `release`: no outcome and no time changes it."""
        with self._lock:
            self.mode = mode
            if mode == "off":
                if self.state != STATE_CLOSED:
                    self._breaker.close()
                self.calm = self._closed
            else:
                if self.state != STATE_OPEN:
                    self._breaker.open()
                self._probe_at_s = FOREVER
                text = f"guard {self.name!r} is forced {mode}: the function was not called"
                self._refusal = Refusal(self.name, STATE_OPEN, text, None)

    def release(self) -> None:
        """Let the breaker decide itself again: from closed, with nothing counted."""
        with self._lock:
            self.mode = None
            self._storage.reset_counter()
            if self.state == STATE_CLOSED:
                self.calm = self._closed
            else:
                self._breaker.close()

    def state_change(
        self,
        cb: CircuitBreaker,
        old_state: CircuitBreakerState | None,
        new_state: CircuitBreakerState,
    ) -> None:
        """Hear from pybreaker of another state; the lock is held, so the order is right."""
        del cb
        state = new_state.name
        before = old_state.name if old_state else STATE_CLOSED
        self._epoch += 1
        self._probing = False
        self._closed = self.calm = self._epoch if state == STATE_CLOSED else 0
        self._probe_at_s = monotonic() + self._reset_timeout_s if state == STATE_OPEN else 0.0
        if state != STATE_CLOSED:  # else a call that is being refused needs the one there is
            text = f"the circuit breaker of guard {self.name!r} is {state}"
            self._refusal = Refusal(self.name, state, text, self._probe_at_s)
        if state != STATE_OPEN:
            self._storage.reset_counter()
        self.state = state
        self._on_change(before, state, self)
