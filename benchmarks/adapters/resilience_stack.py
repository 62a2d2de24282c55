"""resilience-stack: the reference stack, which counts every call by its outcome itself."""

from __future__ import annotations

from functools import partial
from operator import attrgetter
from typing import Any

from prometheus_client import CollectorRegistry

import resilience_stack
from benchmarks import vocabulary
from benchmarks.vocabulary import (
    ATTEMPTS,
    FAILURES_TO_OPEN,
    NEVER,
    RECOVERY_S,
    Operation,
    Payload,
    return_at_once,
)
from resilience_bench import Counted, PayloadError, Unsupported
from resilience_stack import CircuitBreakerError, Guard, Policy, ResilienceManager

NAME = "dependency"
"""The guard's name, which is a label of its metrics."""


class Guards:
    """Guards of one manager each, with metrics in a registry of its own."""

    rejection = CircuitBreakerError

    def guarded(
        self,
        payload: Payload,
        outcome: str,
        on: type[Exception] = PayloadError,
        fail_max: int = NEVER,
    ) -> Counted:
        """Put a guard around the payload, whose retry never sleeps.

        Args:
            payload: What is called, or awaited when it is a coroutine function.
            outcome: Which outcome is read back: success, failure or rejected.
            on: The exception that is retried.
            fail_max: So many failures in a row open the breaker.
        """
        registry = CollectorRegistry()
        policy = _policy(on, fail_max)
        guard = ResilienceManager(registry, sleep=return_at_once).guard(NAME, policy)
        labels = {"guard": NAME, "outcome": outcome}
        read = partial(registry.get_sample_value, "resilience_calls_total", labels)
        # The first commits of the stack have a guard for plain functions only.
        with vocabulary.needs("guard for this kind of function"):
            return Counted(guard(payload), read)


def _policy(on: type[Exception], fail_max: int) -> Policy:
    retry: dict[str, Any] = {"attempts": ATTEMPTS, "wait_initial_s": 0, "jitter_s": 0}
    breaker: dict[str, Any] = {"fail_max": fail_max, "reset_timeout_s": RECOVERY_S}
    if not hasattr(resilience_stack, "Retry"):
        # The first commits of the stack have one rule for all exceptions.
        return Policy(**breaker, **retry, retry_on=(on,))
    return Policy(**breaker, retries=(resilience_stack.Retry(on=(on,), **retry),))


class Breakers(vocabulary.Breakers):
    """Guards without a retry; their metrics cannot be left out, and are part of every figure."""

    rejection = CircuitBreakerError

    def breaker(
        self,
        *,
        fail_max: int = FAILURES_TO_OPEN,
        exclude: type[Exception] | None = None,
        listener: bool = False,
        manual_time: bool = False,
    ) -> _Breaker:
        """Make a guard of a manager of its own."""
        del manual_time
        if listener:
            raise Unsupported("it has no listeners: its metrics record every change")
        ignored = {"ignored": (exclude,)} if exclude else {}
        return _Breaker(_guard(fail_max, **ignored))

    def construct(self, payload: Payload) -> Operation:
        """Make a manager with its metrics, and one guard, which is made once in a manager."""
        del payload
        return partial(_guard, FAILURES_TO_OPEN)


class _Breaker(vocabulary.Breaker):
    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def guard(self, payload: Payload, *args: object, **kwargs: object) -> Operation:
        guarded = self._guard(payload)
        return partial(guarded, *args, **kwargs) if args or kwargs else guarded

    def decorated(self, payload: Payload) -> Operation:
        return self._guard(payload)

    def block(self, payload: Payload) -> Operation:
        with vocabulary.needs("context manager"):
            context = self._guard.context

        def block() -> Any:
            with context():
                return payload()

        return block

    def guard_async(self, payload: Payload) -> Operation:
        with vocabulary.needs("guard for coroutine functions"):
            return self._guard(payload)

    def read_state(self) -> Operation:
        return partial(attrgetter("state"), self._guard)

    def failures(self) -> float:
        return _count_failures(self._guard)

    def elapse(self) -> None:
        # The only record of when the next probe is due; earlier commits have it without its unit.
        breaker = self._guard._breaker  # noqa: SLF001
        name = "_probe_at_s" if hasattr(breaker, "_probe_at_s") else "_probe_at"
        setattr(breaker, name, getattr(breaker, name) - RECOVERY_S)


def _count_failures(guard: Guard) -> float:
    breaker = guard._breaker  # noqa: SLF001 - it has no public name
    if hasattr(breaker, "failures"):
        return breaker.failures
    return breaker._breaker.fail_counter  # noqa: SLF001 - that of earlier commits


def _guard(fail_max: int, **policy: Any) -> Guard:
    with vocabulary.needs("policy without a retry"):
        chosen = Policy(fail_max=fail_max, reset_timeout_s=RECOVERY_S, retries=(), **policy)
        return ResilienceManager(CollectorRegistry(), sleep=return_at_once).guard(NAME, chosen)
