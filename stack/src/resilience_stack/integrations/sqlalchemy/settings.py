"""The policy of a guard for a database."""

from __future__ import annotations

from typing import Any

from resilience_stack.core.matching import matching
from resilience_stack.core.policy import Policy, Retry
from resilience_stack.integrations.sqlalchemy.verdicts import is_answer, is_retried

__all__ = ["policy"]


def policy(
    *,
    deadline_s: float = 5.0,
    attempts: int = 3,
    wait_initial_s: float = 0.05,
    wait_max_s: float = 1.0,
    jitter_s: float = 0.05,
    **settings: Any,
) -> Policy:
    """Return a policy by which only connections, pools and time limits are failures of a database.

    Lost connections, exceeded limits, serialization failures and deadlocks are retried, from the
    beginning of the transaction. Integrity errors, wrong statements and the caller's own
    exceptions are answers of a healthy database: they come out as they are.

    Args:
        deadline_s: The limit of a call with all its attempts.
        attempts: How many there may be.
        wait_initial_s: The wait before the second one, doubled for each that follows.
        wait_max_s: No wait is longer.
        jitter_s: Up to this is added to each wait.
        settings: Other fields of `Policy`: ``attempt_s``, ``fail_max``, ``bulkhead``, ``budget``...

    Raises:
        ValueError: If a number is out of range; the text has the field and the value.
        TypeError: If a value is of another type, or there is no such field.
    """
    retry = Retry(
        on=(matching(is_retried),),
        attempts=attempts,
        wait_initial_s=wait_initial_s,
        wait_max_s=wait_max_s,
        jitter_s=jitter_s,
    )
    return Policy(
        ignored=(matching(is_answer),), retries=(retry,), deadline_s=deadline_s, **settings
    )
