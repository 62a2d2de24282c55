"""tenacity's retry, which takes over when a first attempt failed without it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Final, TypeVar, cast

import tenacity

from resilience_stack.policy import Policy, Retry

__all__ = ["Retries", "Run"]

Result = TypeVar("Result")

FIRST: Final = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
"""The state after a first attempt, which tenacity did not see: only its wait is asked with it."""


class Retries:
    """The retries of one guard; any number of threads and tasks may use them at once."""

    def __init__(
        self,
        policy: Policy,
        *,
        allowed: Callable[[BaseException], bool],
        on_retry: Callable[[], None],
        sleep: Callable[[float], None],
        async_sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """Make tenacity's strategies as the policy says.

        Args:
            policy: Which failures are retried, how often, after which waits.
            allowed: Asked after each failure that the policy would retry.
            on_retry: Called before each attempt but the first.
            sleep: Waits for so many seconds.
            async_sleep: The same, awaited.
        """
        self.on_retry = on_retry
        self.sleep = sleep
        self.async_sleep = async_sleep
        self._rules = tuple(map(_Rule, policy.retries))
        self._allowed = allowed

    def after(self, error: BaseException) -> Run | None:
        """Return what goes on after a first attempt that failed so, or None to give up."""
        rule = self.rule(error)
        return None if rule.attempts == 1 else Run(self, error, rule)

    def rule(self, error: BaseException) -> _Rule:
        """Return the first rule that names the exception's type, if it may be retried at all."""
        for rule in self._rules:
            if isinstance(error, rule.on) and self._allowed(error):
                return rule
        return NEVER


class Run:
    """A call that failed at first, and is tried again.

    Failures are handed to tenacity as None, and kept here: it would keep an exception in a cycle
    with its traceback, and one that goes through it costs more than an attempt.
    """

    __slots__ = ("_error", "_retries", "_rule")

    def __init__(self, retries: Retries, error: BaseException, rule: _Rule) -> None:
        self._retries = retries
        self._error: BaseException | None = error
        self._rule = rule

    def resume(self, passage: AbstractContextManager[None], call: Callable[[], Result]) -> Result:
        """Wait and make the call, each time inside the passage, until one succeeds.

        Raises:
            BaseException: The last attempt's own exception, when none succeeds.
        """

        def attempt() -> Result | None:
            with self, passage:
                return call()
            return None

        sleep = self._retries.sleep
        sleep(self._rule.first_wait(FIRST))
        retrying = tenacity.Retrying(sleep=sleep, retry=self._wants, wait=self._wait)
        return self._outcome(retrying(attempt))

    async def resume_async(
        self, passage: AbstractContextManager[None], call: Callable[[], Awaitable[Result]]
    ) -> Result:
        """Wait and go on as ``resume`` does, with a call that is awaited."""

        async def attempt() -> Result | None:
            with self, passage:
                return await call()
            return None

        sleep = self._retries.async_sleep
        await sleep(self._rule.first_wait(FIRST))
        retrying = tenacity.AsyncRetrying(sleep=sleep, retry=self._wants, wait=self._wait)
        result: Result | None = await retrying(attempt)
        return self._outcome(result)

    def __enter__(self) -> None:
        self._retries.on_retry()

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        self._error, self._rule = None, NEVER
        if isinstance(error, Exception):
            self._error, self._rule = error, self._retries.rule(error)
        return self._error is not None

    def _wants(self, state: tenacity.RetryCallState) -> bool:
        # tenacity would ask a stop of its own after computing a wait, which costs more.
        return not self._rule.stop(state)

    def _wait(self, state: tenacity.RetryCallState) -> float:
        return self._rule.wait(state)

    def _outcome(self, result: Result | None) -> Result:
        if self._error is None:
            return cast("Result", result)
        try:
            raise self._error
        finally:
            # A frame on the traceback would keep the exception, in a cycle.
            self._error = None


class _Rule:
    """tenacity's strategies for some exceptions; what it counts as attempt 1 is a call's second."""

    def __init__(self, retry: Retry) -> None:
        wait = partial(
            tenacity.wait_exponential_jitter, max=retry.wait_max_s, jitter=retry.jitter_s
        )
        self.on = retry.on
        self.attempts = retry.attempts
        self.stop = tenacity.stop_after_attempt(retry.attempts - 1)
        self.first_wait = wait(multiplier=retry.wait_initial_s)
        self.wait = wait(multiplier=2 * retry.wait_initial_s)


NEVER: Final = _Rule(Retry(attempts=1))
