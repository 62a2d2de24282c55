"""Scenarios of a user's own: a small guard of one's own beside the bare call."""

import functools
import threading
from collections.abc import Callable

from resilience_bench import FAILS, RESULT, PayloadError, scenario


class Guard:
    """Counts failures under a lock; the code whose cost is in question."""

    def __init__(self) -> None:
        self.failures = 0
        self._lock = threading.Lock()

    def call(self, work: Callable[[], str]) -> str:
        """Do the work, and note whether it failed."""
        try:
            result = work()
        except Exception:
            with self._lock:
                self.failures += 1
            raise
        with self._lock:
            self.failures = 0
        return result


@scenario
def success(payload):
    """Our guard lets a call through that succeeds."""
    return functools.partial(Guard().call, payload)


@scenario(outcomes=(FAILS,), raises=PayloadError)
def failure(payload):
    """Our guard counts a call that fails."""
    return functools.partial(Guard().call, payload)


@scenario(parameters={"guards": (1, 2, 4)})
def nested(payload, guards):
    """Several guards around one call."""
    operation = payload
    for _ in range(guards):
        operation = functools.partial(Guard().call, operation)
    return operation


@scenario(returns=RESULT)
async def coroutine(payload):
    """The same work in a coroutine: an async scenario builds a coroutine function."""
    guard = Guard()

    async def operation():
        result = await payload()
        guard.call(lambda: result)
        return result

    return operation
