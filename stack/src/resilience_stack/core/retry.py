"""Which failures are tried again, and after which wait: tenacity's strategies, without its engine.

tenacity's engine copies itself and builds a list of actions for each call that it retries, which
costs more than the attempts. Its strategies are functions of the number of the attempt: they are
asked here directly.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Final

import tenacity

from resilience_stack.core.budget import Budget
from resilience_stack.core.deadline import DEADLINE
from resilience_stack.core.policy import Policy, Retry

__all__ = ["Retries"]

NO_RETRY: Final = -1.0


class Retries:
    """The retries of one guard; any number of threads and tasks may use them at once."""

    def __init__(  # noqa: PLR0913 - one caller, which has them all
        self,
        policy: Policy,
        *,
        allowed: Callable[[BaseException], bool],
        on_retry: Callable[[], None],
        on_exhausted: Callable[[], None],
        budget: Budget | None,
        sleep: Callable[[float], None],
        async_sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """Make tenacity's strategies as the policy says.

        Args:
            policy: Which failures are retried, how often, after which waits.
            allowed: Asked after each failure that the policy would retry.
            on_retry: Called before each attempt that is made but the first.
            on_exhausted: Called when the budget refuses a retry.
            budget: Asked last; None where retries are not limited.
            sleep: Waits for so many seconds.
            async_sleep: The same, awaited.
        """
        self.on_retry = on_retry
        self.sleep = sleep
        self.async_sleep = async_sleep
        self._on_exhausted = on_exhausted
        self._budget = budget
        self._rules = tuple(map(_Rule, policy.retries))
        self.has_rules = bool(self._rules)
        """Whether anything is ever retried; else a failure need not ask."""
        self._allowed = allowed

    def wait_after(self, error: BaseException, attempt: int) -> float:
        """Return how long to wait before another attempt.

        Args:
            error: How the last attempt ended.
            attempt: Its number, the first is 1.

        Returns:
            Seconds, or `NO_RETRY` if there is to be no other attempt: no rule names the error, its
            attempts are used up, the breaker has opened, the wait would outlast the deadline, or
            the budget is used up.
        """
        for rule in self._rules:
            if isinstance(error, rule.on):
                break
        else:
            return NO_RETRY
        if attempt >= rule.attempts or not self._allowed(error):
            return NO_RETRY
        wait_s = rule.wait_s(error, attempt)
        if wait_s == NO_RETRY:
            return NO_RETRY
        if perf_counter() + wait_s >= DEADLINE.get():
            return NO_RETRY
        if self._budget is not None and not self._budget.spend():
            self._on_exhausted()
            return NO_RETRY
        return wait_s


class _Attempt:
    """What tenacity's waits read of a call: the number of the attempt that failed."""

    __slots__ = ("attempt_number",)

    def __init__(self, attempt_number: int) -> None:
        self.attempt_number = attempt_number


class _Rule:
    """tenacity's strategies for some exceptions."""

    __slots__ = ("_max_s", "_wait", "attempts", "on")

    def __init__(self, retry: Retry) -> None:
        self.on = retry.on
        self.attempts = retry.attempts
        self._max_s = retry.wait_max_s
        self._wait = tenacity.wait_exponential_jitter(
            multiplier=retry.wait_initial_s, max=retry.wait_max_s, jitter=retry.jitter_s
        )

    def wait_s(self, error: BaseException, attempt: int) -> float:
        """Return the wait after an attempt; `NO_RETRY` if the dependency asks for a longer one."""
        wait_s = self._wait(_Attempt(attempt))  # type: ignore[arg-type]
        asked_s = getattr(error, "retry_after_s", None)
        if asked_s is None or not isinstance(asked_s, int | float):  # something else's attribute
            return wait_s
        return NO_RETRY if asked_s > self._max_s else max(wait_s, asked_s)
