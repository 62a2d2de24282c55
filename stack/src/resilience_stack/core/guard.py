"""A guard: what its users call."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import CoroutineType
from typing import Any, ParamSpec, TypeVar, cast

from resilience_stack.core.attempts import AttemptLimit
from resilience_stack.core.block import Block
from resilience_stack.core.breaker import Breaker, Mode
from resilience_stack.core.budget import Budget
from resilience_stack.core.chain import Chain
from resilience_stack.core.events import describe_error, log_transition
from resilience_stack.core.fallback import Answer, Fallback
from resilience_stack.core.full_layers import FullLayers
from resilience_stack.core.layers import Layers
from resilience_stack.core.policy import Policy
from resilience_stack.core.retry import Retries
from resilience_stack.core.status import FailureShare, GuardStatus, StateClock
from resilience_stack.metrics.registry import GuardMetrics

__all__ = ["Guard", "Sleeps"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Sleeps:
    """How retries wait, for plain functions and for coroutines."""

    sleep: Callable[[float], None]
    async_sleep: Callable[[float], Awaitable[None]]


class Guard:
    """A fallback around limits around metrics around a retry around a breaker around a call.

    Each part but breaker and metrics is there only if the policy asks for it. A guard is a
    decorator of plain functions and coroutine functions; ``call`` and ``call_async`` do the same
    for one call, ``answer`` and ``answer_async`` say where the answer came from as well, and
    ``context`` guards a block.
    """

    def __init__(
        self,
        name: str,
        policy: Policy,
        fallback: Fallback | None,
        metrics: GuardMetrics,
        sleeps: Sleeps,
    ) -> None:
        self.name = name
        self.policy = policy
        self.fallback = fallback
        self._metrics = metrics
        self._clock = StateClock()
        self._share = FailureShare()
        self._forced_since_s: float | None = None
        self._breaker = Breaker(name, policy, self._note_change)
        retries = Retries(
            policy,
            allowed=self._breaker.allows_retry,
            on_retry=metrics.count_retry,
            on_exhausted=metrics.count_exhaustion,
            budget=Budget(policy.budget, metrics.count_calls) if policy.budget else None,
            sleep=sleeps.sleep,
            async_sleep=sleeps.async_sleep,
        )
        self._attempt = AttemptLimit(name, policy.attempt_s) if policy.attempt_s else None
        self._chain = Chain(fallback, self._breaker, metrics, policy.ignored) if fallback else None
        # What is called without the decorator keeps its last good values here.
        self._memory = self._chain.make_memory() if self._chain else None
        self._layers = Layers(self._breaker, retries, metrics)
        if fallback or policy.deadline_s or policy.bulkhead:
            self._layers = FullLayers(self._breaker, retries, metrics, policy)

    @property
    def state(self) -> str:
        """The breaker's state: closed, half-open or open."""
        return self._breaker.state

    @property
    def in_flight(self) -> int | None:
        """How many calls are in flight; None without a bulkhead, which counts them."""
        slots = self._layers.slots
        return None if slots is None else slots.in_flight

    @property
    def degraded_since_s(self) -> float | None:
        """Since when the guard is degraded, in seconds since 1970; None if it is not.

        It is degraded while it is forced by hand, while its breaker is not closed and it has a
        fallback, and while the fallback gave the last answer.
        """
        times_s = [self._forced_since_s]
        if self._chain is not None:
            times_s.append(self._chain.degraded_since_s)
            if self.state != "closed":
                times_s.append(self._clock.since_s)
        return min((moment_s for moment_s in times_s if moment_s is not None), default=None)

    def status(self) -> GuardStatus:
        """Return what the guard is like at the moment; nothing is called for it."""
        successes, failures = self._metrics.success.count(), self._metrics.failure.count()
        return GuardStatus(
            name=self.name,
            state=self.state,
            since_s=self._clock.since_s,
            mode=self._breaker.mode,
            degraded_since_s=self.degraded_since_s,
            last_error=describe_error(self._breaker.last_error),
            failure_share=self._share.read(successes, failures),
            is_critical=self.policy.critical,
            has_fallback=self.fallback is not None,
            is_probe_due=self._breaker.is_probe_due,
        )

    def seconds_by_state(self) -> dict[str, float]:
        """Return how long the breaker has been in each state."""
        return self._clock.read()

    def force(self, mode: Mode) -> None:
        """Force the guard by hand until `release`, whatever calls and probes find out.

        Args:
            mode: ``open`` rejects all calls, ``degraded`` answers all by the fallback, ``off``
                makes all calls without breaker, retry and fallback.

        Raises:
            ValueError: If there is no such mode, or no fallback for ``degraded``.
        """
        if mode not in {"open", "degraded", "off"}:
            message = f"guard {self.name!r}: mode is {mode!r}, expected open, degraded or off"
            raise ValueError(message)
        if mode == "degraded" and self.fallback is None:
            message = (
                f"guard {self.name!r} has no fallback, so it cannot be degraded; "
                "force it open, or give it a Fallback"
            )
            raise ValueError(message)
        self._breaker.force(mode)
        if self._forced_since_s is None:
            self._forced_since_s = time.time()

    def release(self) -> None:
        """Let the guard decide itself again."""
        self._forced_since_s = None
        self._breaker.release()

    def recover(self) -> None:
        """Close the breaker, because the dependency was seen to answer; not if it is forced."""
        self._breaker.close()

    def trip(self, reason: str) -> None:
        """Open the breaker, because the dependency was seen to fail; not if it is forced.

        Args:
            reason: What was seen; the health report shows it as the last error.
        """
        self._breaker.open(reason)

    def __call__(self, function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        """Return the function, plain or a coroutine function, with the guard around it.

        Raises:
            TypeError: If it is a generator function, whose work begins when it has returned.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise self._refuse(function, "a generator function")
        guarded: Callable[..., Any]
        if any(map(inspect.iscoroutinefunction, (function, type(function).__call__))):
            coroutine_function = cast("Callable[..., Awaitable[Any]]", function)
            guarded = self._put_around_async(coroutine_function, self._chain)
        else:
            if self._chain is not None:
                self._chain.ensure_plain()
            guarded = self._put_around(function, self._chain)
        return cast("Callable[Parameters, Result]", functools.wraps(function)(guarded))

    def call(
        self,
        function: Callable[Parameters, Result],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a plain function through the guard.

        Returns:
            What the function returns, or what the fallback answers.

        Raises:
            CircuitBreakerError: If the breaker is open: the function was not called.
            BulkheadFullError: If too many calls are in flight; likewise.
            DeadlineExceededError: If the deadline of an enclosing call has passed; likewise.
            TypeError: If the function returns a coroutine; ``call_async`` is for those.
            BaseException: The last attempt's own exception.
        """
        if self._chain is None:
            return self._call_live(function, args, kwargs)
        return self.answer(function, *args, **kwargs).value

    async def call_async(
        self,
        function: Callable[Parameters, Awaitable[Result]],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a function and await what it returns; else like ``call``."""
        if self._chain is None:
            return await self._put_around_async(function)(*args, **kwargs)
        return (await self.answer_async(function, *args, **kwargs)).value

    def answer(
        self,
        function: Callable[Parameters, Result],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Answer[Result]:
        """Call a plain function through the guard, and say where the answer came from.

        The last good values of ``call`` and ``answer`` are kept for each function on its own.
        """
        chain = self._chain
        if chain is None:
            return Answer(self._call_live(function, args, kwargs), "live")
        chain.ensure_plain()
        try:
            result = self._call_live(function, args, kwargs)
        except Exception as error:  # noqa: BLE001 - whatever it is, the fallback decides
            return chain.answer(error, self._memory, args, kwargs, function)
        if self._memory is not None:
            self._memory.keep(result, args, kwargs, function)
        chain.note_live()
        return Answer(result, "live")

    async def answer_async(
        self,
        function: Callable[Parameters, Awaitable[Result]],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Answer[Result]:
        """Call a function, await what it returns, and say where the answer came from."""
        chain = self._chain
        if chain is None:
            return Answer(await self._put_around_async(function)(*args, **kwargs), "live")
        try:
            result = await self._put_around_async(function)(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever it is, the fallback decides
            return await chain.answer_async(error, self._memory, args, kwargs, function)
        if self._memory is not None:
            self._memory.keep(result, args, kwargs, function)
        chain.note_live()
        return Answer(result, "live")

    def context(self) -> Block:
        """Return what guards one ``with`` or ``async with`` block.

        The block cannot be run again and has no result, so breaker and metrics are all it has.
        """
        return Block(self._breaker, self._layers)

    def _call_live(
        self, function: Callable[..., Result], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Result:
        result = self._put_around(function)(*args, **kwargs)
        if isinstance(result, CoroutineType):
            result.close()
            raise self._refuse(function, "a coroutine function")
        return result

    def _put_around(
        self, function: Callable[Parameters, Result], chain: Chain | None = None
    ) -> Callable[Parameters, Result]:
        if self._attempt is not None:
            function = self._attempt.around(function)
        return self._layers.around(function, chain)

    def _put_around_async(
        self, function: Callable[Parameters, Awaitable[Result]], chain: Chain | None = None
    ) -> Callable[Parameters, Awaitable[Result]]:
        if self._attempt is not None:
            function = self._attempt.around_async(function)
        return self._layers.around_async(function, chain)

    def _note_change(self, before: str, after: str, breaker: Breaker) -> None:
        self._clock.change(after)
        if before != after:
            self._metrics.count_transition(before, after)
        log_transition(self.name, before, after, describe_error(breaker.last_error), breaker.mode)

    def _refuse(self, function: Callable[..., object], kind: str) -> TypeError:
        return TypeError(
            f"guard {self.name!r} cannot be put around {function!r}, {kind}: it would end before "
            "its work begins; expected a plain function, or for a coroutine function the decorator "
            "or call_async"
        )
