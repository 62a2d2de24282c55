"""tenacity's retry, which takes over after a first attempt that failed without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import tenacity

from resilience_stack.policy import Policy

Result = TypeVar("Result")


class Retry:
    """One retry; any number of threads may use it at once."""

    def __init__(
        self,
        policy: Policy,
        *,
        allowed: Callable[[BaseException], bool],
        on_retry: Callable[[], None],
        sleep: Callable[[float], None],
    ) -> None:
        """Set tenacity as the policy says.

        Args:
            policy: How many attempts, after what, with which waits.
            allowed: Asked after each failure that the policy would retry.
            on_retry: Called before each wait.
            sleep: Waits for so many seconds.
        """
        self._retry_on = policy.retry_on
        self._allowed = allowed
        self._retrying = tenacity.Retrying(
            sleep=sleep,
            stop=tenacity.stop_after_attempt(policy.attempts),
            wait=tenacity.wait_exponential_jitter(
                multiplier=policy.wait_initial_s, max=policy.wait_max_s, jitter=policy.jitter_s
            ),
            retry=tenacity.retry_if_exception(self.wants),
            before_sleep=lambda _state: on_retry(),
            reraise=True,
        )

    def wants(self, error: BaseException) -> bool:
        """Whether this failure is worth another attempt, should there be one left."""
        return isinstance(error, self._retry_on) and self._allowed(error)

    def resume(self, failed: list[Exception], attempt: Callable[[], Result]) -> Result:
        """Go on after a first attempt that failed.

        Args:
            failed: The exception of the first attempt; it is taken out of the list, for a frame
                that kept it would be in a cycle with its traceback.
            attempt: Makes one more attempt.

        Returns:
            What the first attempt that succeeds returns.

        Raises:
            BaseException: The last attempt's own exception, when none succeeds.
        """

        def replayed() -> Result:
            # tenacity counts attempts and computes waits from the first one: it is told of it.
            if failed:
                raise failed.pop()
            return attempt()

        return self._retrying(replayed)
