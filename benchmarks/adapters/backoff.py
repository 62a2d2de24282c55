"""backoff: decorators around a wait generator; no state between calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backoff
import backoff._sync as backoff_sync

from benchmarks import vocabulary
from benchmarks.vocabulary import ATTEMPTS, DEADLINE_S, Operation, Payload
from resilience_bench import PayloadError


class Retries(vocabulary.Retries):
    """Retries of backoff."""

    def retrying(
        self,
        *,
        on: type[Exception] = PayloadError,
        on_result: Callable[[object], bool] | None = None,
        backoff: bool = False,
        deadline: bool = False,
    ) -> _Retrying:
        """Make a retry that computes its waits, and does not sleep them."""
        vocabulary.keep_awake(backoff_sync)
        settings: dict[str, Any] = {
            "max_tries": ATTEMPTS,
            "max_time": DEADLINE_S if deadline else None,
            "logger": None,
            **(_JITTERED if backoff else _AT_ONCE),
        }
        return _Retrying(on, on_result, settings)

    def construct(self, payload: Payload) -> Operation:
        """Decorate the payload."""

        def construct() -> Any:
            return backoff.on_exception(
                backoff.constant,
                PayloadError,
                max_tries=ATTEMPTS,
                jitter=None,
                logger=None,
                interval=0,
            )(payload)

        return construct


_AT_ONCE: dict[str, Any] = {"wait_gen": backoff.constant, "interval": 0, "jitter": None}
_JITTERED: dict[str, Any] = {
    "wait_gen": backoff.expo,
    "factor": 0.1,
    "jitter": backoff.full_jitter,
}


class _Retrying(vocabulary.Retrying):
    def __init__(
        self,
        on: type[Exception],
        on_result: Callable[[object], bool] | None,
        settings: dict[str, Any],
    ) -> None:
        self._on = on
        self._on_result = on_result
        self._settings = settings

    def decorated(self, payload: Payload) -> Operation:
        if self._on_result:
            decorate = backoff.on_predicate(predicate=self._on_result, **self._settings)
        else:
            decorate = backoff.on_exception(exception=self._on, **self._settings)
        return decorate(payload)

    def decorated_async(self, payload: Payload) -> Operation:
        return self.decorated(payload)
