"""A guard from the outside: its state, and what an operator or a probe may change."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from resilience_stack.core.attempts import AttemptLimit
from resilience_stack.core.breaker import Breaker, Mode
from resilience_stack.core.budget import Budget
from resilience_stack.core.chain import Chain
from resilience_stack.core.events import describe_error, log_transition
from resilience_stack.core.fallback import Fallback
from resilience_stack.core.full_layers import FullLayers
from resilience_stack.core.layers import Layers
from resilience_stack.core.policy import Policy
from resilience_stack.core.retry import Retries
from resilience_stack.core.status import FailureShare, GuardStatus, StateClock
from resilience_stack.metrics.registry import GuardMetrics

__all__ = ["Controls", "Sleeps"]


@dataclass(frozen=True, slots=True)
class Sleeps:
    """How retries wait, for plain functions and for coroutines."""

    sleep: Callable[[float], None]
    async_sleep: Callable[[float], Awaitable[None]]


class Controls:
    """The parts of one guard, its state, and how it is forced by hand."""

    def __init__(
        self,
        name: str,
        policy: Policy,
        fallback: Fallback | None,
        metrics: GuardMetrics,
        sleeps: Sleeps,
    ) -> None:
        self.name = name
        self.policy = policy
        self.fallback = fallback
        self._metrics = metrics
        self._clock = StateClock()
        self._share = FailureShare()
        self._forced_since_s: float | None = None
        self.on_change: Callable[[str, str], None] | None = None
        """Called with the states before and after each change, in the thread of its cause."""
        self._breaker = Breaker(name, policy, self._note_change)
        retries = Retries(
            policy,
            allowed=self._breaker.allows_retry,
            on_retry=metrics.count_retry,
            on_exhausted=metrics.count_exhaustion,
            budget=Budget(policy.budget, metrics.count_calls) if policy.budget else None,
            sleep=sleeps.sleep,
            async_sleep=sleeps.async_sleep,
        )
        self._attempt = AttemptLimit(name, policy.attempt_s) if policy.attempt_s else None
        self._chain = Chain(fallback, self._breaker, metrics, policy.ignored) if fallback else None
        # What is called without the decorator keeps its last good values here.
        self._memory = self._chain.make_memory() if self._chain else None
        self._layers = Layers(self._breaker, retries, metrics)
        if fallback or policy.deadline_s or policy.bulkhead:
            self._layers = FullLayers(self._breaker, retries, metrics, policy)

    @property
    def metrics(self) -> GuardMetrics:
        """What is counted of its calls; an integration counts more there."""
        return self._metrics

    @property
    def state(self) -> str:
        """The breaker's state: closed, half-open or open."""
        return self._breaker.state

    @property
    def in_flight(self) -> int | None:
        """How many calls are in flight; None without a bulkhead, which counts them."""
        slots = self._layers.slots
        return None if slots is None else slots.in_flight

    @property
    def in_flight_limit(self) -> int | None:
        """How many calls the bulkhead lets in at once; None without a bulkhead."""
        slots = self._layers.slots
        return None if slots is None else slots.limit

    @property
    def degraded_since_s(self) -> float | None:
        """Since when the guard is degraded, in seconds since 1970; None if it is not.

        It is degraded while it is forced by hand, while its breaker is not closed and it has a
        fallback, and while the fallback gave the last answer.
        """
        times_s = [self._forced_since_s]
        if self._chain is not None:
            times_s.append(self._chain.degraded_since_s)
            if self.state != "closed":
                times_s.append(self._clock.since_s)
        return min((moment_s for moment_s in times_s if moment_s is not None), default=None)

    def status(self) -> GuardStatus:
        """Return what the guard is like at the moment; nothing is called for it."""
        successes, failures = self._metrics.success.count(), self._metrics.failure.count()
        return GuardStatus(
            name=self.name,
            state=self.state,
            since_s=self._clock.since_s,
            mode=self._breaker.mode,
            degraded_since_s=self.degraded_since_s,
            last_error=describe_error(self._breaker.last_error),
            failure_share=self._share.read(successes, failures),
            is_critical=self.policy.critical,
            has_fallback=self.fallback is not None,
            is_probe_due=self._breaker.is_probe_due,
        )

    def seconds_by_state(self) -> dict[str, float]:
        """Return how long the breaker has been in each state."""
        return self._clock.read()

    def force(self, mode: Mode) -> None:
        """Force the guard by hand until `release`, whatever calls and probes find out.

        Args:
            mode: ``open`` rejects all calls, ``degraded`` answers all by the fallback, ``off``
                makes all calls without breaker, retry and fallback.

        Raises:
            ValueError: If there is no such mode, or no fallback for ``degraded``.
        """
        if mode not in ("open", "degraded", "off"):
            message = f"guard {self.name!r}: mode is {mode!r}, expected open, degraded or off"
            raise ValueError(message)
        if mode == "degraded" and self.fallback is None:
            message = (
                f"guard {self.name!r} has no fallback, so it cannot be degraded; "
                "force it open, or give it a Fallback"
            )
            raise ValueError(message)
        self._breaker.force(mode)
        if self._forced_since_s is None:
            self._forced_since_s = time.time()

    def release(self) -> None:
        """Let the guard decide itself again."""
        self._forced_since_s = None
        self._breaker.release()

    def recover(self) -> None:
        """Close the breaker, because the dependency was seen to answer; not if it is forced."""
        self._breaker.close()

    def trip(self, reason: str) -> None:
        """Open the breaker, because the dependency was seen to fail; not if it is forced.

        Args:
            reason: What was seen; the health report shows it as the last error.
        """
        self._breaker.open(reason)

    def _note_change(self, before: str, after: str, breaker: Breaker) -> None:
        self._clock.change(after)
        if before != after:
            self._metrics.count_transition(before, after)
            if self.on_change is not None:
                self.on_change(before, after)
        log_transition(self.name, before, after, describe_error(breaker.last_error), breaker.mode)
