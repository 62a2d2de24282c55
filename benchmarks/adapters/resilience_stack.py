"""resilience-stack: the reference stack, which counts every call by its outcome itself."""

from __future__ import annotations

from functools import partial

from prometheus_client import CollectorRegistry

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
            payload: What is called.
            outcome: Which outcome is read back: success or failure.
        """
        registry = CollectorRegistry()
        policy = Policy(
            fail_max=NEVER,
            reset_timeout_s=RECOVERY_S,
            attempts=ATTEMPTS,
            retry_on=(PayloadError,),
            wait_initial_s=0,
            jitter_s=0,
        )
        guard = ResilienceManager(registry, sleep=return_at_once).guard(NAME, policy)
        labels = {"guard": NAME, "outcome": outcome}
        read = partial(registry.get_sample_value, "resilience_calls_total", labels)
        return Counted(guard(payload), read)
