"""interlock-cb: a window of outcomes, one lock around the bookkeeping, a clock to hand in."""

from __future__ import annotations

import time
from functools import partial
from operator import attrgetter
from typing import Any

import interlock

from benchmarks import vocabulary
from benchmarks.vocabulary import FAILURES_TO_OPEN, RECOVERY_S, Operation, Payload

NAME = "benchmark"


class Breakers(vocabulary.Breakers):
    """Breakers of interlock-cb."""

    rejection = interlock.CircuitOpenError

    def breaker(
        self,
        *,
        fail_max: int = FAILURES_TO_OPEN,
        exclude: type[BaseException] | None = None,
        listener: bool = False,
        manual_time: bool = False,
    ) -> _Breaker:
        """Make a breaker with a window of five calls, all of which must fail to open it.

        A threshold that is never reached asks for more calls than the window holds.
        """
        with vocabulary.needs("setting that this needs"):
            breaker = interlock.CircuitBreaker(
                name=NAME,
                config=_config(fail_max),
                clock=(clock := _Clock()) if manual_time else None,
                classifier=_Classifier(exclude) if exclude else None,
                listener=_Listener() if listener else None,
            )
        return _Breaker(breaker, clock if manual_time else None)

    def construct(self, payload: Payload) -> Operation:
        """Make a breaker object; its settings are an object of their own, made once."""
        del payload
        with vocabulary.needs("setting that this needs"):
            config = _config(FAILURES_TO_OPEN)
        return partial(interlock.CircuitBreaker, name=NAME, config=config)


def _config(fail_max: int) -> interlock.Config:
    return interlock.Config(
        window_size=FAILURES_TO_OPEN,
        minimum_number_of_calls=fail_max,
        failure_rate_threshold=1.0,
        permitted_calls_in_half_open=1,
        wait_duration_in_open=RECOVERY_S,
    )


class _Breaker(vocabulary.Breaker):
    forgets = True

    def __init__(self, breaker: interlock.CircuitBreaker, clock: _Clock | None) -> None:
        self._breaker = breaker
        self._clock = clock
        self._forgotten = 0

    def guard(self, payload: Payload, *args: object, **kwargs: object) -> Operation:
        return partial(self._breaker.call, payload, *args, **kwargs)

    def decorated(self, payload: Payload) -> Operation:
        return self._breaker(payload)

    def block(self, payload: Payload) -> Operation:
        breaker = self._breaker

        def block() -> Any:
            with breaker:
                return payload()

        return block

    def guard_async(self, payload: Payload) -> Operation:
        return partial(self._breaker.call, payload)

    def read_state(self) -> Operation:
        return partial(attrgetter("state"), self._breaker)

    def failures(self) -> float:
        """Return the failures so far; reading empties the window, which holds no more than five."""
        self._forgotten += self._breaker.snapshot().failed_calls
        self._breaker.reset()
        return self._forgotten

    def elapse(self) -> None:
        if self._clock is None:
            raise TypeError("elapse() needs breaker(manual_time=True)")
        self._clock.ahead_s += RECOVERY_S


class _Clock:
    """The monotonic clock, which can be moved on."""

    def __init__(self) -> None:
        self.ahead_s = 0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead_s


class _Classifier:
    """Every exception is a failure but one."""

    def __init__(self, exclude: type[BaseException]) -> None:
        self._exclude = exclude

    def is_failure(self, *, result: object, exception: Exception | None) -> bool:
        del result
        return exception is not None and not isinstance(exception, self._exclude)


class _Listener:
    """Does nothing with an event."""

    def on_state_change(self, *, name: str, old: object, new: object) -> None:
        pass

    def on_call(self, *, name: str, outcome: object, duration: float) -> None:
        pass

    def on_rejected(self, *, name: str) -> None:
        pass

    def on_reset(self, *, name: str) -> None:
        pass
