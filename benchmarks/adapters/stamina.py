"""stamina: tenacity with opinions; a fresh tenacity object for every call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import stamina
import tenacity

from benchmarks import vocabulary, vocabulary_outages
from benchmarks.vocabulary import ATTEMPTS, DEADLINE_S, Operation, Payload
from benchmarks.vocabulary_outages import FIRST_WAIT_S, ON
from resilience_bench import PayloadError, Unsupported


class Retries(vocabulary.Retries):
    """Retries of stamina."""

    def retrying(
        self,
        *,
        on: type[Exception] = PayloadError,
        on_result: Callable[[object], bool] | None = None,
        backoff: bool = False,
        deadline: bool = False,
    ) -> _Retrying:
        """Make a retry that computes its waits, and does not sleep them."""
        if on_result:
            raise Unsupported("it retries on exceptions only, never on a result")
        _turn_off_hooks()
        vocabulary.keep_awake(tenacity.nap)
        settings: dict[str, Any] = {
            "attempts": ATTEMPTS,
            "timeout": DEADLINE_S if deadline else None,
            "wait_initial": 0.1 if backoff else 0,
            "wait_jitter": 1 if backoff else 0,
        }
        return _Retrying(on, settings)

    def construct(self, payload: Payload) -> Operation:
        """Decorate the payload."""

        def construct() -> Any:
            return stamina.retry(
                on=PayloadError,
                attempts=ATTEMPTS,
                timeout=None,
                wait_initial=0,
                wait_max=0,
                wait_jitter=0,
            )(payload)

        return construct


class Outages(vocabulary_outages.Guards):
    """A retry that waits, with the log lines and the counter that are on by default."""

    def guard(self, payload: Payload) -> Operation:
        stamina.instrumentation.set_on_retry_hooks(None)
        return stamina.retry(on=ON, attempts=ATTEMPTS, wait_initial=FIRST_WAIT_S, wait_jitter=0)(
            payload
        )


class _Retrying(vocabulary.Retrying):
    def __init__(self, on: type[Exception], settings: dict[str, Any]) -> None:
        self._on = on
        self._settings = settings

    def decorated(self, payload: Payload) -> Operation:
        return stamina.retry(on=self._on, **self._settings)(payload)

    def decorated_async(self, payload: Payload) -> Operation:
        return self.decorated(payload)

    def called(self, payload: Payload) -> Operation:
        with vocabulary.needs("RetryingCaller"):
            caller = stamina.RetryingCaller(**self._settings)
        return partial(caller, self._on, payload)


def _turn_off_hooks() -> None:
    """Turn off what is on by default: a log line and a prometheus_client counter a retry."""
    with vocabulary.needs("way to turn off its log lines"):
        stamina.instrumentation.set_on_retry_hooks(())
