"""retrying: one class of keyword arguments; a fresh object for every decorated call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import retrying

from benchmarks import vocabulary
from benchmarks.vocabulary import ATTEMPTS, DEADLINE_S, Operation, Payload
from resilience_bench import PayloadError


class Retries(vocabulary.Retries):
    """Retries of retrying."""

    def retrying(
        self,
        *,
        on: type[Exception] = PayloadError,
        on_result: Callable[[object], bool] | None = None,
        backoff: bool = False,
        deadline: bool = False,
    ) -> _Retrying:
        """Make a retry that computes its waits, and does not sleep them."""
        vocabulary.keep_awake(retrying)

        def is_retried(error: Exception) -> bool:
            return isinstance(error, on)

        settings: dict[str, Any] = {
            "stop_max_attempt_number": ATTEMPTS,
            "stop_max_delay": DEADLINE_S * 1000 if deadline else None,
            "retry_on_exception": _is_never_retried if on_result else is_retried,
            "retry_on_result": on_result,
        }
        if backoff:
            settings["wait_exponential_multiplier"] = 100
            settings["wait_jitter_max"] = 1000
        return _Retrying(settings)

    def construct(self, payload: Payload) -> Operation:
        """Decorate the payload; the library makes the rest at each call."""

        def is_retried(error: Exception) -> bool:
            return isinstance(error, PayloadError)

        def construct() -> Any:
            return retrying.retry(stop_max_attempt_number=ATTEMPTS, retry_on_exception=is_retried)(
                payload
            )

        return construct


class _Retrying(vocabulary.Retrying):
    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings

    def decorated(self, payload: Payload) -> Operation:
        return retrying.retry(**self._settings)(payload)

    def called(self, payload: Payload) -> Operation:
        return partial(retrying.Retrying(**self._settings).call, payload)


def _is_never_retried(error: Exception) -> bool:
    del error
    return False
