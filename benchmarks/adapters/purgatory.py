"""purgatory: consecutive failures, no lock, wall-clock time, breakers by name in a factory."""

from __future__ import annotations

from functools import partial
from operator import attrgetter
from typing import Any

from purgatory import AsyncCircuitBreakerFactory, SyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState

from benchmarks import vocabulary
from benchmarks.vocabulary import FAILURES_TO_OPEN, RECOVERY_S, Operation, Payload

NAME = "benchmark"


class Breakers(vocabulary.Breakers):
    """Breakers of purgatory."""

    rejection = OpenedState

    def breaker(
        self,
        *,
        fail_max: int = FAILURES_TO_OPEN,
        exclude: type[BaseException] | None = None,
        listener: bool = False,
        manual_time: bool = False,
    ) -> _Breaker:
        """Make a factory, which makes its breaker when it is first called."""
        del manual_time
        settings = {
            "default_threshold": fail_max,
            "default_ttl": RECOVERY_S,
            "exclude": [exclude] if exclude else None,
        }
        return _Breaker(settings, listener=listener)

    def construct(self, payload: Payload) -> Operation:
        """Make a factory and its breaker: in one factory breakers would pile up."""
        del payload

        def construct() -> Any:
            return SyncCircuitBreakerFactory(FAILURES_TO_OPEN, RECOVERY_S).get_breaker(NAME)

        return construct


class _Breaker(vocabulary.Breaker):
    def __init__(self, settings: dict[str, Any], *, listener: bool) -> None:
        self._settings = settings
        self._factory: Any = SyncCircuitBreakerFactory(**settings)
        if listener:
            self._factory.add_listener(_ignore)

    def guard(self, payload: Payload, *args: object, **kwargs: object) -> Operation:
        guarded = self._factory(NAME)(payload)
        return partial(guarded, *args, **kwargs) if args or kwargs else guarded

    def decorated(self, payload: Payload) -> Operation:
        return self.guard(payload)

    def block(self, payload: Payload) -> Operation:
        get_breaker = self._factory.get_breaker

        def block() -> Any:
            with get_breaker(NAME):
                return payload()

        return block

    def guard_async(self, payload: Payload) -> Operation:
        self._factory = AsyncCircuitBreakerFactory(**self._settings)
        return self._factory(NAME)(payload)

    def read_state(self) -> Operation:
        return partial(attrgetter("context.state"), self._factory.get_breaker(NAME))

    def failures(self) -> float:
        breakers = self._factory.uow.contexts.breakers
        return breakers[NAME].failure_count if NAME in breakers else 0

    def elapse(self) -> None:
        # Later than the recovery, not as late: the library asks for strictly more.
        self._state().opened_at -= RECOVERY_S + 1

    def while_open(self, operation: Operation) -> Operation:
        """Let go of the last rejection's traceback first.

        The rejection is the state object itself, raised again and again; Python adds to its
        traceback each time, so that about a kilobyte a rejection would pile up.
        """
        state = self._state()

        def reject() -> Any:
            state.__traceback__ = None
            return operation()

        return reject

    def _state(self) -> Any:
        # Context.opened_at is read-only; the state object that holds it is not.
        return self._factory.uow.contexts.breakers[NAME]._state  # noqa: SLF001


def _ignore(name: str, event_type: str, event: object) -> None:
    """Do nothing with an event."""
