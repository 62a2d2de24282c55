"""The work inside the guard: what it does, how long it takes, and how it ends."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

from resilience_bench.scenarios.definition import (
    EMPTY,
    FAILS,
    RESULT,
    RETURNS,
    BoundCase,
    PayloadError,
    Scenario,
)
from resilience_bench.scenarios.loads import CPU, IO, NOOP

IO_S: Final = 0.001
"""Sleep of the payload ``io``, which lets others run."""
CPU_TURNS: Final = 400
"""Turns of an empty loop that take about 10 microseconds and hold the interpreter's lock."""

RunRecorder = Callable[[], object]


def make_payload(bound: BoundCase, record: RunRecorder | None = None) -> Callable[..., Any]:
    """Make the work inside the guard; ``record`` is called at each run, but never while timing."""
    scenario, kind = bound.scenario, bound.info.case.payload
    if bound.is_probed_at_once:
        return PhasedPayload(kind, record).payload
    payload = bound.work or _add_work(
        _make_plain_payload(scenario), kind, is_async=scenario.is_async
    )
    if record is None:
        return payload
    counted = record  # a name that is not Optional, for the closures below

    def recording(*args: object, **kwargs: object) -> object:
        counted()
        return payload(*args, **kwargs)

    async def recording_async(*args: object, **kwargs: object) -> object:
        counted()
        return await payload(*args, **kwargs)

    return recording_async if scenario.is_async else recording


def _add_work(plain: Callable[..., Any], kind: str, *, is_async: bool) -> Callable[..., Any]:
    """Return the payload with work before it returns or raises."""
    if kind == NOOP:
        return plain
    work = {CPU: copy_function(_compute), IO: _sleep}[kind]
    if not is_async:

        def working(*args: object, **kwargs: object) -> object:
            work()
            return plain(*args, **kwargs)

        return working

    async def working_async(*args: object, **kwargs: object) -> object:
        if kind == IO:
            await asyncio.sleep(IO_S)
        else:
            work()
        return await plain(*args, **kwargs)

    return working_async


def _compute() -> None:
    for _ in itertools.repeat(None, CPU_TURNS):
        pass


def _sleep() -> None:
    time.sleep(IO_S)


class PhasedPayload:
    """A payload that fails while a breaker is prepared, and succeeds for all callers then.

    ``record`` is called for each run that begins while the breaker is half-open: no run has ended.
    """

    def __init__(self, kind: str, record: RunRecorder | None = None) -> None:
        self._fails = False
        self._is_decided = False
        self._record = record
        self._work = _add_work(copy_function(return_result), kind, is_async=False)

    def payload(self) -> object:
        """Fail at once, or work and return."""
        if self._fails:
            raise PayloadError
        if self._record is not None and not self._is_decided:
            self._record()
        result = self._work()
        self._is_decided = True
        return result

    def wrap_prepare(self, prepare: Callable[[], object]) -> Callable[[], object]:
        """Return the function such that the payload fails while it runs."""

        def prepared() -> object:
            self._fails, self._is_decided = True, False
            try:
                return prepare()
            finally:
                self._fails = False

        return prepared


def _make_plain_payload(scenario: Scenario) -> Callable[..., Any]:
    outcomes, is_async = set(scenario.outcomes), scenario.is_async
    if scenario.arguments is not None:
        return copy_function(_accept_arguments_async if is_async else _accept_arguments)
    if outcomes == {RETURNS}:
        return copy_function(return_result_async if is_async else return_result)
    if outcomes == {FAILS}:
        return copy_function(_raise_payload_error_async if is_async else _raise_payload_error)
    following = itertools.cycle(scenario.outcomes).__next__
    return (_make_scripted_async if is_async else _make_scripted)(following)


def copy_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with a code object of its own: cases would spoil its caches (PEP 659)."""
    if not isinstance(function, FunctionType):
        return function
    return FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )


def return_result() -> str:
    """Do nothing but succeed."""
    return RESULT


async def return_result_async() -> str:
    """Do nothing but succeed."""
    return RESULT


def _raise_payload_error() -> str:
    raise PayloadError


async def _raise_payload_error_async() -> str:
    raise PayloadError


def _accept_arguments(*_args: object, **_kwargs: object) -> str:
    return RESULT


async def _accept_arguments_async(*_args: object, **_kwargs: object) -> str:
    return RESULT


def _make_scripted(following: Callable[[], str]) -> Callable[[], str | None]:
    def scripted() -> str | None:
        outcome = following()
        if outcome is FAILS:
            raise PayloadError
        return None if outcome is EMPTY else RESULT

    return scripted


def _make_scripted_async(following: Callable[[], str]) -> Callable[[], Any]:
    play = _make_scripted(following)

    async def scripted() -> str | None:
        return play()

    return scripted
