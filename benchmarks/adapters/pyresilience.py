"""pyresilience: one decorator for breaker and retry, one lock around the bookkeeping."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any

import pyresilience
import pyresilience._executor as executor

from benchmarks import vocabulary
from benchmarks.vocabulary import (
    ATTEMPTS,
    DEADLINE_S,
    FAILURES_TO_OPEN,
    NEVER,
    RECOVERY_S,
    Operation,
    Payload,
)
from resilience_bench import PayloadError, Unsupported


class Breakers(vocabulary.Breakers):
    """Breakers of pyresilience."""

    rejection = pyresilience.CircuitOpenError

    def breaker(
        self,
        *,
        fail_max: int = FAILURES_TO_OPEN,
        exclude: type[BaseException] | None = None,
        listener: bool = False,
        manual_time: bool = False,
    ) -> _Breaker:
        """Make the settings of a breaker; the library makes one for each decorated function."""
        del manual_time
        more = {"ignore_on": (exclude,)} if exclude else {}
        return _Breaker(_circuit(fail_max, **more), listeners=[_ignore] if listener else None)

    def construct(self, payload: Payload) -> Operation:
        """Decorate the payload, for the library makes its breaker then."""
        config = _circuit(FAILURES_TO_OPEN)

        def construct() -> Any:
            return pyresilience.resilient(circuit_breaker=config)(payload)

        return construct


class _Breaker(vocabulary.Breaker):
    def __init__(
        self, config: pyresilience.CircuitBreakerConfig, listeners: list[Any] | None
    ) -> None:
        self._decorate = pyresilience.resilient(circuit_breaker=config, listeners=listeners)
        self._circuit = pyresilience.CircuitBreaker(config)

    def guard(self, payload: Payload, *args: object, **kwargs: object) -> Operation:
        guarded = self._decorate(payload)
        self._circuit = _circuit_of(guarded)
        return partial(guarded, *args, **kwargs) if args or kwargs else guarded

    def decorated(self, payload: Payload) -> Operation:
        return self.guard(payload)

    def guard_async(self, payload: Payload) -> Operation:
        return self.guard(payload)

    def read_state(self) -> Operation:
        return partial(attrgetter("state"), self._circuit)

    def failures(self) -> float:
        return self._circuit.failure_count

    def elapse(self) -> None:
        # The only record of the opening.
        self._circuit._last_failure_time -= RECOVERY_S  # noqa: SLF001


class Retries(vocabulary.Retries):
    """Retries of pyresilience."""

    def retrying(
        self,
        *,
        on: type[Exception] = PayloadError,
        on_result: Callable[[object], bool] | None = None,
        backoff: bool = False,
        deadline: bool = False,
    ) -> _Retrying:
        """Make a retry that computes its waits, and does not sleep them."""
        vocabulary.keep_awake(executor)
        settings: dict[str, Any] = {"retry_on": (on,)}
        if on_result:
            settings = {"retry_on": (), "retry_on_result": on_result}
        settings |= {"delay": 0.1, "jitter": True} if backoff else {"delay": 0, "jitter": False}
        with vocabulary.needs("setting that this needs"):
            retry = pyresilience.RetryConfig(max_attempts=ATTEMPTS, **settings)
            timeout = (
                pyresilience.TimeoutConfig(seconds=DEADLINE_S, per_attempt=False)
                if deadline
                else None
            )
        return _Retrying(pyresilience.resilient(retry=retry, timeout=timeout))

    def construct(self, payload: Payload) -> Operation:
        """Decorate the payload."""

        def construct() -> Any:
            return pyresilience.resilient(
                retry=pyresilience.RetryConfig(
                    max_attempts=ATTEMPTS, delay=0, jitter=False, retry_on=(PayloadError,)
                )
            )(payload)

        return construct


class _Retrying(vocabulary.Retrying):
    def __init__(self, decorate: Callable[[Payload], Operation]) -> None:
        self._decorate = decorate

    def decorated(self, payload: Payload) -> Operation:
        return self._decorate(payload)

    def decorated_async(self, payload: Payload) -> Operation:
        return self._decorate(payload)


class Composed:
    """Breaker and retry under one decorator."""

    rejection = pyresilience.CircuitOpenError

    def breaker_in_retry(
        self, call: Payload, on: type[Exception] = PayloadError, fail_max: int = NEVER
    ) -> tuple[Operation, Callable[[], float]]:
        """Return the decorated call, and what reads the breaker's failures."""
        vocabulary.keep_awake(executor)
        retry = pyresilience.RetryConfig(
            max_attempts=ATTEMPTS, delay=0, jitter=False, retry_on=(on,)
        )
        guarded = pyresilience.resilient(retry=retry, circuit_breaker=_circuit(fail_max))(call)
        return guarded, partial(attrgetter("failure_count"), _circuit_of(guarded))

    def retry_in_breaker(self, call: Payload) -> tuple[Operation, Callable[[], float]]:
        """Refuse: the decorator has an order of its own."""
        del call
        raise Unsupported("its one decorator always puts the breaker inside the retry")


def _circuit(fail_max: int, **more: Any) -> pyresilience.CircuitBreakerConfig:
    with vocabulary.needs("setting that this needs"):
        return pyresilience.CircuitBreakerConfig(
            failure_threshold=fail_max, recovery_timeout=RECOVERY_S, success_threshold=1, **more
        )


def _circuit_of(guarded: Any) -> pyresilience.CircuitBreaker:
    # A decorated function offers no public way to its breaker.
    return guarded._executor._circuit_breaker  # noqa: SLF001


def _ignore(event: object) -> None:
    """Do nothing with an event."""
