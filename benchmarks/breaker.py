"""Circuit breakers: five failures in a row open, 60 s to recover, one success closes."""

from __future__ import annotations

from benchmarks.vocabulary import FAILURES_TO_OPEN, NEVER, Breakers, Operation, Payload
from resilience_bench import (
    FAILS,
    REJECTION,
    RETURNS,
    Counted,
    Library,
    PayloadError,
    Probed,
    scenario,
)

BREAKERS = (
    Library("pybreaker", "benchmarks.adapters.pybreaker:Breakers", ("pybreaker",)),
    Library("circuitbreaker", "benchmarks.adapters.circuitbreaker:Breakers", ("circuitbreaker",)),
    Library("aiobreaker", "benchmarks.adapters.aiobreaker:Breakers", ("aiobreaker",)),
    Library("purgatory", "benchmarks.adapters.purgatory:Breakers", ("purgatory",)),
    Library("interlock_cb", "benchmarks.adapters.interlock:Breakers", ("interlock-cb",)),
    Library("pyresilience", "benchmarks.adapters.pyresilience:Breakers", ("pyresilience",)),
    Library(
        "resilience_stack", "benchmarks.adapters.resilience_stack:Breakers", ("resilience-stack",)
    ),
)


@scenario(library=BREAKERS, in_profile=["threads"])
def closed_success(library: Breakers, payload: Payload) -> Operation:
    """A closed breaker lets a call through that succeeds."""
    return library.breaker().guard(payload)


@scenario(library=BREAKERS, arguments=((1, "two", None), {"four": 4, "five": "5", "six": None}))
def closed_success_args(library: Breakers, payload: Payload) -> Operation:
    """A closed breaker passes on three positional and three keyword arguments."""
    return library.breaker().guard(payload, 1, "two", None, four=4, five="5", six=None)


@scenario(library=BREAKERS, outcomes=(FAILS,), raises=PayloadError, in_profile=["threads-16"])
def closed_failure(library: Breakers, payload: Payload) -> Counted:
    """A closed breaker counts a failure, stays closed and lets the exception through."""
    breaker = library.breaker(fail_max=NEVER)
    return Counted(breaker.guard(payload), breaker.failures, is_lossy=breaker.forgets)


@scenario(
    library=BREAKERS,
    outcomes=(FAILS,),
    payload_calls=0,
    raises=REJECTION,
    in_profile=["threads-16"],
)
def open_rejection(library: Breakers, payload: Payload) -> Operation:
    """An open breaker rejects a call without running it."""
    breaker = library.breaker()
    guarded = breaker.guard(payload)
    for _ in range(FAILURES_TO_OPEN):
        try:
            guarded()
        except (PayloadError, library.rejection):
            pass
    return breaker.while_open(guarded)


@scenario(library=BREAKERS, payload_calls=0)
def state_read(library: Breakers) -> Operation:
    """The state of a closed breaker is read."""
    return library.breaker().read_state()


@scenario(
    library=BREAKERS,
    outcomes=(FAILS,) * FAILURES_TO_OPEN + (RETURNS,),
    probes=True,
    in_profile=["threads-16"],
)
def trip_and_recover(library: Breakers, payload: Payload) -> Probed:
    """Five failures open a breaker, its time passes, and a successful probe closes it."""
    breaker = library.breaker(manual_time=True)
    guarded = breaker.guard(payload)
    elapse = breaker.elapse
    failures = (PayloadError, library.rejection)

    def trip() -> None:
        for _ in range(FAILURES_TO_OPEN):
            try:
                guarded()
            except failures:
                pass
        elapse()

    return Probed(trip, guarded)


@scenario(library=BREAKERS, outcomes=(FAILS,), raises=PayloadError)
def excluded_exception(library: Breakers, payload: Payload) -> Counted:
    """A closed breaker lets an exception through that is not to be counted."""
    breaker = library.breaker(exclude=PayloadError)
    return Counted(breaker.guard(payload), breaker.failures, step=0)


@scenario(library=BREAKERS)
def with_listener(library: Breakers, payload: Payload) -> Operation:
    """A closed breaker with a listener that does nothing lets a call through that succeeds."""
    return library.breaker(listener=True).guard(payload)


@scenario(library=BREAKERS)
def decorated(library: Breakers, payload: Payload) -> Operation:
    """A function under the decorator of a closed breaker is called and succeeds."""
    return library.breaker().decorated(payload)


@scenario(library=BREAKERS)
def context_manager(library: Breakers, payload: Payload) -> Operation:
    """A call that succeeds stands in the ``with`` block of a closed breaker."""
    return library.breaker().block(payload)


@scenario(library=BREAKERS, payload_calls=0)
def construct(library: Breakers, payload: Payload) -> Operation:
    """A breaker is made."""
    return library.construct(payload)


@scenario(library=BREAKERS, in_profile=["tasks"])
async def async_closed_success(library: Breakers, payload: Payload) -> Operation:
    """A closed breaker lets a coroutine through that succeeds."""
    return library.breaker().guard_async(payload)


@scenario(library=BREAKERS, outcomes=(FAILS,), payload_calls=0, raises=REJECTION)
async def async_open_rejection(library: Breakers, payload: Payload) -> Operation:
    """An open breaker rejects a coroutine without running it."""
    breaker = library.breaker()
    guarded = breaker.guard_async(payload)
    for _ in range(FAILURES_TO_OPEN):
        try:
            await guarded()
        except (PayloadError, library.rejection):
            pass
    return breaker.while_open(guarded)
