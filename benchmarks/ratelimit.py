"""Rate limits: a call that is permitted, and one that is refused at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from benchmarks.vocabulary import Operation, Payload
from benchmarks.vocabulary_limits import UNLIMITED, RateLimits
from resilience_bench import REJECTION, Library, scenario

LIMITS = {"algorithm": ("fixed-window", "moving-window", "sliding-counter")}
PYRATE_LIMITER = {"algorithm": ("sliding-log", "gcra")}
THROTTLED = {"algorithm": ("token-bucket", "fixed-window", "gcra")}
BOTH = (
    Library("limits", "benchmarks.adapters.limits:RateLimits", ("limits",), LIMITS),
    Library(
        "pyrate_limiter",
        "benchmarks.adapters.pyrate_limiter:RateLimits",
        ("pyrate-limiter",),
        PYRATE_LIMITER,
    ),
    Library(
        "throttled", "benchmarks.adapters.throttled_py:RateLimits", ("throttled-py",), THROTTLED
    ),
    Library(
        "pyresilience", "benchmarks.adapters.pyresilience_limits:RateLimits", ("pyresilience",)
    ),
)
PLAIN = (
    *BOTH,
    Library("token_bucket", "benchmarks.adapters.token_bucket:RateLimits", ("token-bucket",)),
)
ASYNC = (
    *BOTH,
    Library("aiolimiter", "benchmarks.adapters.aiolimiter:RateLimits", ("aiolimiter",)),
    Library("hyx", "benchmarks.adapters.hyx:RateLimits", ("hyx",)),
)
HOUR_S = 3600


@scenario(library=PLAIN, in_profile=["threads-16"], by_default=False)
def permitted(library: RateLimits, payload: Payload, algorithm: str = "") -> Iterator[Operation]:
    """A call is permitted by a limit that is never reached."""
    yield library.guard(payload, UNLIMITED, 1, algorithm)
    library.close()


@scenario(library=PLAIN, payload_calls=0, raises=REJECTION, by_default=False)
def refused(library: RateLimits, payload: Payload, algorithm: str = "") -> Iterator[Operation]:
    """A call is refused: the one call of this hour has been made."""
    guarded = library.guard(payload, 1, HOUR_S, algorithm)
    guarded()
    yield guarded
    library.close()


@scenario(library=ASYNC, in_profile=["tasks-100"], by_default=False)
async def async_permitted(
    library: RateLimits, payload: Payload, algorithm: str = ""
) -> AsyncIterator[Operation]:
    """A coroutine is permitted by a limit that is never reached."""
    yield library.guard_async(payload, UNLIMITED, 1, algorithm)
    library.close()


@scenario(library=ASYNC, payload_calls=0, raises=REJECTION, by_default=False)
async def async_refused(
    library: RateLimits, payload: Payload, algorithm: str = ""
) -> AsyncIterator[Operation]:
    """A coroutine is refused: the one call of this hour has been made."""
    guarded = library.guard_async(payload, 1, HOUR_S, algorithm)
    await guarded()
    yield guarded
    library.close()
