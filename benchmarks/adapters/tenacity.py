"""tenacity: strategies that compose; a copy of the retry object for every call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import tenacity

from benchmarks import vocabulary, vocabulary_outages
from benchmarks.vocabulary import ATTEMPTS, DEADLINE_S, Operation, Payload
from benchmarks.vocabulary_outages import FIRST_WAIT_S, ON
from resilience_bench import PayloadError


class Retries(vocabulary.Retries):
    """Retries of tenacity."""

    def retrying(
        self,
        *,
        on: type[Exception] = PayloadError,
        on_result: Callable[[object], bool] | None = None,
        backoff: bool = False,
        deadline: bool = False,
    ) -> _Retrying:
        """Make a retry whose sleep returns at once."""
        stop: Any = tenacity.stop_after_attempt(ATTEMPTS)
        settings: dict[str, Any] = {
            "stop": stop | tenacity.stop_after_delay(DEADLINE_S) if deadline else stop,
            "retry": tenacity.retry_if_result(on_result)
            if on_result
            else tenacity.retry_if_exception_type(on),
            "reraise": True,
        }
        if backoff:
            settings["wait"] = tenacity.wait_random_exponential(multiplier=0.1, max=5)
        return _Retrying(settings)

    def construct(self, payload: Payload) -> Operation:
        """Decorate the payload, strategies included."""

        def construct() -> Any:
            return tenacity.retry(
                sleep=_do_not_sleep,
                stop=tenacity.stop_after_attempt(ATTEMPTS),
                retry=tenacity.retry_if_exception_type(PayloadError),
                reraise=True,
            )(payload)

        return construct


class Outages(vocabulary_outages.Guards):
    """A retry that waits."""

    def guard(self, payload: Payload) -> Operation:
        return tenacity.retry(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            retry=tenacity.retry_if_exception_type(ON),
            wait=tenacity.wait_exponential(multiplier=FIRST_WAIT_S),
            reraise=True,
        )(payload)


class _Retrying(vocabulary.Retrying):
    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings

    def decorated(self, payload: Payload) -> Operation:
        return tenacity.retry(sleep=_do_not_sleep, **self._settings)(payload)

    def decorated_async(self, payload: Payload) -> Operation:
        return tenacity.retry(sleep=_do_not_sleep_async, **self._settings)(payload)

    def called(self, payload: Payload) -> Operation:
        return partial(tenacity.Retrying(sleep=_do_not_sleep, **self._settings), payload)


def _do_not_sleep(seconds: float) -> None:
    """Return at once."""


async def _do_not_sleep_async(seconds: float) -> None:
    """Return at once, without a turn of the event loop."""
