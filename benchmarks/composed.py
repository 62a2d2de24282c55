"""Breaker and retry together: alone, and with a metric that counts attempts or calls."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

from benchmarks.vocabulary import ATTEMPTS, FAILURES_TO_OPEN, NEVER, Operation, Payload
from resilience_bench import FAILS, REJECTION, Counted, Library, PayloadError, scenario

METRICS = "benchmarks.adapters.prometheus_client:Metrics"
PYBREAKER = "benchmarks.adapters.pybreaker:Breakers"
STACKS = (
    Library(
        "tenacity+pybreaker",
        ("benchmarks.adapters.tenacity:Retries", PYBREAKER, METRICS),
        ("tenacity", "pybreaker", "prometheus-client"),
    ),
    Library(
        "stamina+pybreaker",
        ("benchmarks.adapters.stamina:Retries", PYBREAKER, METRICS),
        ("stamina", "pybreaker", "prometheus-client"),
    ),
    Library(
        "pyresilience",
        ("benchmarks.adapters.pyresilience:Composed", METRICS),
        ("pyresilience", "prometheus-client"),
    ),
)
GUARDS = (
    *STACKS,
    Library(
        "resilience_stack",
        "benchmarks.adapters.resilience_stack:Guards",
        ("resilience-stack",),
    ),
)
"""Measured with a count of calls: the stacks with one around them, and one that has its own."""
PARAMETERS = {"metric": ("none", "child", "labels")}
"""No metric, a child that was looked up before, a look-up of the labels at every attempt."""

Guard = Callable[[Payload], tuple[Operation, Callable[[], float]]]
"""Puts breaker and retry around a call; returns that, and what reads the breaker's failures."""


@scenario(library=STACKS, parameters=PARAMETERS)
def breaker_in_retry(
    library: tuple[Any, ...], payload: Payload, metric: str
) -> Iterator[Operation | Counted]:
    """A retry around a closed breaker around a call that succeeds."""
    yield from _success(library, _breaker_in_retry(library), payload, metric)


@scenario(library=STACKS, parameters=PARAMETERS)
def retry_in_breaker(
    library: tuple[Any, ...], payload: Payload, metric: str
) -> Iterator[Operation | Counted]:
    """A closed breaker around a retry around a call that succeeds."""
    yield from _success(library, _retry_in_breaker(library), payload, metric)


@scenario(
    library=STACKS,
    parameters=PARAMETERS,
    outcomes=(FAILS,),
    payload_calls=ATTEMPTS,
    raises=PayloadError,
)
def breaker_in_retry_failing(
    library: tuple[Any, ...], payload: Payload, metric: str
) -> Iterator[Counted]:
    """A retry around a closed breaker: all three attempts fail, and three failures count."""
    yield from _failure(library, _breaker_in_retry(library), payload, metric, ATTEMPTS)


@scenario(
    library=STACKS,
    parameters=PARAMETERS,
    outcomes=(FAILS,),
    payload_calls=ATTEMPTS,
    raises=PayloadError,
)
def retry_in_breaker_failing(
    library: tuple[Any, ...], payload: Payload, metric: str
) -> Iterator[Counted]:
    """A closed breaker around a retry: all three attempts fail, and one failure counts."""
    yield from _failure(library, _retry_in_breaker(library), payload, metric, 1)


@scenario(library=GUARDS, in_profile=["threads"])
def guarded(library: Any, payload: Payload) -> Iterator[Counted]:
    """A count of calls by outcome around a retry around a closed breaker: the call succeeds."""
    yield from _guarded(library, payload, "success")


@scenario(library=GUARDS, outcomes=(FAILS,), payload_calls=ATTEMPTS, raises=PayloadError)
def guarded_failing(library: Any, payload: Payload) -> Iterator[Counted]:
    """A count of calls by outcome around a retry around a closed breaker: all attempts fail."""
    yield from _guarded(library, payload, "failure")


@scenario(library=GUARDS, outcomes=(FAILS,), raises=PayloadError, by_default=False)
def guarded_failure(library: Any, payload: Payload) -> Iterator[Counted]:
    """A count of calls by outcome around a retry around a closed breaker: not to be retried."""
    yield from _guarded(library, payload, "failure", on=ConnectionError)


@scenario(library=GUARDS, outcomes=(FAILS,), payload_calls=0, raises=REJECTION, by_default=False)
def guarded_rejection(library: Any, payload: Payload) -> Iterator[Counted]:
    """A count of calls by outcome around a retry around an open breaker, which rejects."""
    for counted in _guarded(library, payload, "rejected", fail_max=FAILURES_TO_OPEN):
        for _ in range(FAILURES_TO_OPEN):
            with contextlib.suppress(Exception):  # the payload's failures, and rejections
                counted.operation()
        yield counted


@scenario(library=GUARDS, in_profile=["tasks"])
async def async_guarded(library: Any, payload: Payload) -> AsyncIterator[Counted]:
    """A count of calls by outcome around a retry around a closed breaker: a coroutine succeeds."""
    if not isinstance(library, tuple):
        yield library.guarded(payload, "success")
        return
    with library[-1].opened() as meter:
        yield meter.counting_async(_breaker_in_retry_async(library, payload), "success")


def _guarded(library: Any, payload: Payload, outcome: str, **settings: Any) -> Iterator[Counted]:
    if not isinstance(library, tuple):
        yield library.guarded(payload, outcome, **settings)
        return
    # A count by hand knows success and failure only, no rejection.
    seen = "success" if outcome == "success" else "failure"
    with library[-1].opened() as meter:
        operation, _failures = _breaker_in_retry(library, **settings)(payload)
        yield meter.counting(operation, seen, cached=False)


def _success(
    library: tuple[Any, ...], guard: Guard, payload: Payload, metric: str
) -> Iterator[Operation | Counted]:
    if metric == "none":
        yield guard(payload)[0]
        return
    with library[-1].opened() as meter:
        attempt = meter.counting(payload, "success", cached=metric == "child")
        yield Counted(guard(attempt.operation)[0], attempt.count)


def _failure(
    library: tuple[Any, ...], guard: Guard, payload: Payload, metric: str, failures: int
) -> Iterator[Counted]:
    if metric == "none":
        yield Counted(*guard(payload), step=failures)
        return
    with library[-1].opened() as meter:
        attempt = meter.counting(payload, "failure", cached=metric == "child")
        yield Counted(guard(attempt.operation)[0], attempt.count, step=ATTEMPTS)


def _breaker_in_retry(
    library: tuple[Any, ...], on: type[Exception] = PayloadError, fail_max: int = NEVER
) -> Guard:
    *layers, _metrics = library
    if len(layers) == 1:
        return partial(layers[0].breaker_in_retry, on=on, fail_max=fail_max)
    retries, breakers = layers

    def guard(call: Payload) -> tuple[Operation, Callable[[], float]]:
        breaker = breakers.breaker(fail_max=fail_max)
        return retries.retrying(on=on).decorated(breaker.decorated(call)), breaker.failures

    return guard


def _breaker_in_retry_async(library: tuple[Any, ...], payload: Payload) -> Operation:
    *layers, _metrics = library
    if len(layers) == 1:
        operation, _failures = layers[0].breaker_in_retry(payload)
        return operation
    retries, breakers = layers
    breaker = breakers.breaker(fail_max=NEVER)
    return retries.retrying().decorated_async(breaker.block_async(payload))


def _retry_in_breaker(library: tuple[Any, ...]) -> Guard:
    *layers, _metrics = library
    if len(layers) == 1:
        return layers[0].retry_in_breaker
    retries, breakers = layers

    def guard(call: Payload) -> tuple[Operation, Callable[[], float]]:
        breaker = breakers.breaker(fail_max=NEVER)
        return breaker.decorated(retries.retrying().decorated(call)), breaker.failures

    return guard
