"""resilience-stack: fallback and limits of a guard, which has a breaker and metrics anyway."""

from __future__ import annotations

import contextlib
import inspect
import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry

from benchmarks import vocabulary_limits as vocabulary
from benchmarks import vocabulary_outages
from benchmarks.vocabulary import (
    ATTEMPTS,
    FAILURES_TO_OPEN,
    NEVER,
    RECOVERY_S,
    Operation,
    Payload,
    needs,
    return_at_once,
)
from benchmarks.vocabulary_limits import (
    ATTEMPT_S,
    LIMIT_S,
    STALE_S,
    Guarded,
    nest_decorators,
    return_fallback,
    return_fallback_async,
)
from benchmarks.vocabulary_outages import FIRST_WAIT_S, ON, RESET_S
from resilience_bench import Counted, PayloadError
from resilience_stack import (
    Bulkhead,
    BulkheadFullError,
    DeadlineExceededError,
    Fallback,
    Guard,
    Policy,
    ResilienceManager,
    Retry,
)
from resilience_stack.edge.request_id import add_to_log_records

NAME = "dependency"
_RETRY = Retry(on=(PayloadError,), attempts=ATTEMPTS, wait_initial_s=0, jitter_s=0)


class Fallbacks(vocabulary.Fallbacks):
    """Guards with a fallback."""

    def guard(self, payload: Payload, source: str, fail_max: int = NEVER) -> Guarded:
        """Answer by a function of the call's arguments, or by the last good value."""
        return _answer_by(return_fallback, payload, source, fail_max)

    def guard_async(self, payload: Payload, source: str, fail_max: int = NEVER) -> Guarded:
        """Answer by a coroutine function, or by the last good value."""
        return _answer_by(return_fallback_async, payload, source, fail_max)


def _answer_by(answer: Payload, payload: Payload, source: str, fail_max: int) -> Guarded:
    registry = CollectorRegistry()
    with needs("fallback"):
        fallback = {
            "default": lambda: Fallback(default=answer),
            "stale": lambda: Fallback(stale_s=STALE_S),
            "other": lambda: Fallback(other=_guard()(answer)),
        }[source]()
        guard = _guard(registry, fallback, fail_max=fail_max)
    labels = {"guard": NAME, "source": source}
    read = partial(registry.get_sample_value, "resilience_fallbacks_total", labels)
    return Guarded(guard(payload), read)


class Timeouts(vocabulary.Timeouts):
    """Guards with a deadline; that of a plain function is handed on to what it calls."""

    rejection = DeadlineExceededError

    def limit(self, payload: Payload, seconds: float) -> Operation:
        """Note when the call has to end; nothing interrupts it."""
        return _guard(deadline_s=seconds)(payload)

    def limit_async(self, payload: Payload, seconds: float) -> Operation:
        return _guard(deadline_s=seconds)(payload)

    def limit_attempts_async(self, payload: Payload) -> Operation:
        return _guard(deadline_s=LIMIT_S, attempt_s=ATTEMPT_S, retries=(_RETRY,))(payload)


class Bulkheads(vocabulary.Bulkheads):
    """Guards with a bulkhead, whose places are a deque."""

    rejection = BulkheadFullError

    def guard(self, payload: Payload, slots: int, wait_s: float = 0) -> Operation:
        return _guard(bulkhead=Bulkhead(slots, wait_s))(payload)

    def guard_async(self, payload: Payload, slots: int, wait_s: float = 0) -> Operation:
        return self.guard(payload, slots, wait_s)


class Everything:
    """One guard, in a service whose log records carry the ID of the request."""

    @contextlib.contextmanager
    def opened(self, payload: Payload, outcome: str, fail_max: int) -> Iterator[Counted]:
        """Put it around the payload; what is counted is read back by its outcome."""
        registry, answer = CollectorRegistry(), return_fallback
        if inspect.iscoroutinefunction(payload):
            answer = return_fallback_async
        guard = _guard(
            registry,
            Fallback(default=answer),
            fail_max=fail_max,
            retries=(_RETRY,),
            deadline_s=LIMIT_S,
            bulkhead=Bulkhead(vocabulary.SLOTS),
        )
        labels = {"guard": NAME, "outcome": outcome}
        make_record = logging.getLogRecordFactory()
        add_to_log_records()
        try:
            read = partial(registry.get_sample_value, "resilience_calls_total", labels)
            yield Counted(guard(payload), lambda: read() or 0)
        finally:
            logging.setLogRecordFactory(make_record)


class Outages(vocabulary_outages.Guards):
    """One guard that answers with the last good value."""

    def guard(self, payload: Payload) -> Operation:
        retry = Retry(on=ON, attempts=ATTEMPTS, wait_initial_s=FIRST_WAIT_S, jitter_s=0)
        policy = Policy(fail_max=FAILURES_TO_OPEN, reset_timeout_s=RESET_S, retries=(retry,))
        manager = ResilienceManager(CollectorRegistry())
        return manager.guard(NAME, policy, Fallback(stale_s=STALE_S))(payload)


class Pipelines(vocabulary.Pipelines):
    """Guards around one another, each of a manager of its own."""

    def nest(self, payload: Payload, depth: int) -> Operation:
        """Put guards without a retry around the payload; the empty one is forced off."""
        if depth == 0:
            guard = _guard()
            guard.force("off")
            return guard(payload)
        return nest_decorators(_guard, payload, depth)

    def nest_async(self, payload: Payload, depth: int) -> Operation:
        return self.nest(payload, depth)


def _guard(
    registry: CollectorRegistry | None = None,
    fallback: Fallback | None = None,
    **policy: Any,
) -> Guard:
    """Make a guard that never opens and never retries, but for what the policy says."""
    settings = {"fail_max": NEVER, "reset_timeout_s": RECOVERY_S, "retries": (), **policy}
    manager = ResilienceManager(registry or CollectorRegistry(), sleep=return_at_once)
    return manager.guard(NAME, Policy(**settings), fallback)
