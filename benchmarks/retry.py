"""Retries: three attempts, no sleeping, the last exception is raised."""

from __future__ import annotations

from benchmarks.vocabulary import ATTEMPTS, Operation, Payload, Retries
from resilience_bench import EMPTY, FAILS, RETURNS, Library, PayloadError, scenario

RETRIES = (
    Library("tenacity", "benchmarks.adapters.tenacity:Retries", ("tenacity",)),
    Library("stamina", "benchmarks.adapters.stamina:Retries", ("stamina",)),
    Library("backoff", "benchmarks.adapters.backoff:Retries", ("backoff",)),
    Library("retrying", "benchmarks.adapters.retrying:Retries", ("retrying",)),
    Library("pyresilience", "benchmarks.adapters.pyresilience:Retries", ("pyresilience",)),
)
TWO_FAILURES = (FAILS, FAILS, RETURNS)


def is_empty(result: object) -> bool:
    """Whether a result is turned down."""
    return result is None


@scenario(library=RETRIES, in_profile=["threads"])
def first_try(library: Retries, payload: Payload) -> Operation:
    """The first attempt succeeds."""
    return library.retrying().decorated(payload)


@scenario(library=RETRIES, outcomes=TWO_FAILURES)
def recovers_after_two(library: Retries, payload: Payload) -> Operation:
    """Two attempts fail and the third succeeds, without waiting."""
    return library.retrying().decorated(payload)


@scenario(library=RETRIES, outcomes=(FAILS,), payload_calls=ATTEMPTS, raises=PayloadError)
def exhausts_three(library: Retries, payload: Payload) -> Operation:
    """All three attempts fail, and the last exception is raised."""
    return library.retrying().decorated(payload)


@scenario(library=RETRIES, outcomes=(FAILS,), raises=PayloadError)
def wrong_exception(library: Retries, payload: Payload) -> Operation:
    """An exception that is not to be retried is raised at once."""
    return library.retrying(on=ConnectionError).decorated(payload)


@scenario(library=RETRIES, outcomes=(EMPTY, EMPTY, RETURNS))
def result_predicate(library: Retries, payload: Payload) -> Operation:
    """Two results are turned down by a predicate, and the third is returned."""
    return library.retrying(on_result=is_empty).decorated(payload)


@scenario(library=RETRIES, outcomes=TWO_FAILURES)
def backoff_with_jitter(library: Retries, payload: Payload) -> Operation:
    """Two attempts fail, and exponential waits with jitter are computed but not slept."""
    return library.retrying(backoff=True).decorated(payload)


@scenario(library=RETRIES, outcomes=TWO_FAILURES)
def deadline(library: Retries, payload: Payload) -> Operation:
    """Two attempts fail, and the time in all is checked against a deadline as well."""
    return library.retrying(deadline=True).decorated(payload)


@scenario(library=RETRIES)
def call_object(library: Retries, payload: Payload) -> Operation:
    """The library's object calls the function, beside the decorator."""
    return library.retrying().called(payload)


@scenario(library=RETRIES, payload_calls=0)
def construct(library: Retries, payload: Payload) -> Operation:
    """A function is decorated."""
    return library.construct(payload)


@scenario(library=RETRIES, in_profile=["tasks"])
async def async_first_try(library: Retries, payload: Payload) -> Operation:
    """The first attempt of a coroutine succeeds."""
    return library.retrying().decorated_async(payload)


@scenario(library=RETRIES, outcomes=TWO_FAILURES)
async def async_recovers_after_two(library: Retries, payload: Payload) -> Operation:
    """Two attempts of a coroutine fail and the third succeeds, without waiting."""
    return library.retrying().decorated_async(payload)
