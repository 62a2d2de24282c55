"""resilience-stack: the reference stack, which counts every call by its outcome itself."""

from __future__ import annotations

from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry

import resilience_stack
from benchmarks import vocabulary
from benchmarks.vocabulary import ATTEMPTS, NEVER, RECOVERY_S, Payload, return_at_once
from resilience_bench import Counted, PayloadError
from resilience_stack import Policy, ResilienceManager

NAME = "dependency"
"""The guard's name, which is a label of its metrics."""


class Guards:
    """Guards of one manager each, with metrics in a registry of its own."""

    def guarded(self, payload: Payload, outcome: str) -> Counted:
        """Put a guard around the payload, whose breaker never opens and whose retry never sleeps.

        Args:
            payload: What is called, or awaited when it is a coroutine function.
            outcome: Which outcome is read back: success or failure.
        """
        registry = CollectorRegistry()
        guard = ResilienceManager(registry, sleep=return_at_once).guard(NAME, _policy())
        labels = {"guard": NAME, "outcome": outcome}
        read = partial(registry.get_sample_value, "resilience_calls_total", labels)
        # The first commits of the stack have a guard for plain functions only.
        with vocabulary.needs("guard for this kind of function"):
            return Counted(guard(payload), read)


def _policy() -> Policy:
    retry: dict[str, Any] = {"attempts": ATTEMPTS, "wait_initial_s": 0, "jitter_s": 0}
    breaker: dict[str, Any] = {"fail_max": NEVER, "reset_timeout_s": RECOVERY_S}
    if not hasattr(resilience_stack, "Retry"):
        # The first commits of the stack have one rule for all exceptions.
        return Policy(**breaker, **retry, retry_on=(PayloadError,))
    return Policy(**breaker, retries=(resilience_stack.Retry(on=(PayloadError,), **retry),))
