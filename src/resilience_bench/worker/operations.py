"""From a bound case to what is timed: the payload, the control and the operation."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from types import FunctionType
from typing import Any

from resilience_bench.scenario import (
    EMPTY,
    FAILS,
    REJECTION,
    RESULT,
    RETURNS,
    BoundCase,
    Counted,
    PayloadError,
    Scenario,
    Unsupported,
)


class NotInstalledError(Exception):
    """A package that the case needs is not there; the text says what to install."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What a scenario built, ready to be checked and timed.

    ``raises`` is empty unless every call must raise; ``count`` reads the counter that each call
    must raise by ``step``, where the scenario offers one.
    """

    call: Callable[[], Any]
    is_async: bool
    raises: tuple[type[BaseException], ...] = ()
    count: Callable[[], float] | None = None
    step: float = 1


Record = Callable[[], object]


def make_payload(one: Scenario, record: Record | None = None) -> Callable[..., Any]:
    """The work inside the guard, which does what the scenario's ``outcomes`` say.

    Args:
        one: The scenario.
        record: Called at each run of the payload; for counting, never while timing.

    Returns:
        A function, or a coroutine function for an async scenario.
    """
    payload = _plain_payload(one)
    if record is None:
        return payload
    counted = record  # a name that is not Optional, for the closures below

    def recording(*args: object, **kwargs: object) -> object:
        counted()
        return payload(*args, **kwargs)

    async def recording_async(*args: object, **kwargs: object) -> object:
        counted()
        return await payload(*args, **kwargs)

    return recording_async if one.is_async else recording


def _plain_payload(one: Scenario) -> Callable[..., Any]:
    outcomes = set(one.outcomes)
    if one.arguments is not None:
        return fresh(_accepts_async if one.is_async else _accepts)
    if outcomes == {RETURNS}:
        return fresh(_returns_async if one.is_async else _returns)
    if outcomes == {FAILS}:
        return fresh(_fails_async if one.is_async else _fails)
    following = itertools.cycle(one.outcomes).__next__
    return (_scripted_async if one.is_async else _scripted)(following)


def fresh(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function with a code object of its own.

    CPython (PEP 659) specialises bytecode in place: with a shared code object one case would
    inherit, or spoil, another's caches.
    """
    if not isinstance(function, FunctionType):
        return function
    return FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )


def _returns() -> str:
    return RESULT


async def _returns_async() -> str:
    return RESULT


def _fails() -> str:
    raise PayloadError


async def _fails_async() -> str:
    raise PayloadError


def _accepts(*_args: object, **_kwargs: object) -> str:
    return RESULT


async def _accepts_async(*_args: object, **_kwargs: object) -> str:
    return RESULT


def _scripted(following: Callable[[], str]) -> Callable[[], str | None]:
    def scripted() -> str | None:
        outcome = following()
        if outcome is FAILS:
            raise PayloadError
        return None if outcome is EMPTY else RESULT

    return scripted


def _scripted_async(following: Callable[[], str]) -> Callable[[], Any]:
    play = _scripted(following)

    async def scripted() -> str | None:
        return play()

    return scripted


def control_key(one: Scenario) -> str:
    """Names the control of a scenario; scenarios with the same key share its samples."""
    if not one.payload_calls:
        work = "nothing"
    else:
        work = ",".join(
            f"{len(list(run))}x{outcome}" for outcome, run in itertools.groupby(_per_call(one))
        )
    marks = [work, "async" if one.is_async else "", "with arguments" if one.arguments else ""]
    return " ".join(mark for mark in marks if mark)


def _per_call(one: Scenario) -> list[str]:
    return list(itertools.islice(itertools.cycle(one.outcomes), one.payload_calls))


def make_control(one: Scenario) -> Operation:
    """The payload called bare, as often as one operation runs it; failures are caught.

    A scenario that never runs its payload (a rejection, an increment) is measured against a call
    of a function that does nothing.
    """
    calls = _per_call(one)
    if len(calls) > 1:
        return Operation(_in_a_row(make_payload(one), calls, is_async=one.is_async), one.is_async)
    if not calls:
        return Operation(fresh(_returns_async if one.is_async else _returns), one.is_async)
    payload = make_payload(one)
    if one.arguments is not None:
        payload = functools.partial(payload, *one.arguments[0], **one.arguments[1])
    return Operation(payload, one.is_async, (PayloadError,) if calls == [FAILS] else ())


def _in_a_row(
    payload: Callable[[], Any], outcomes: list[str], *, is_async: bool
) -> Callable[[], Any]:
    """The payload called once for each outcome, with nothing around it but what it needs."""
    call = "await payload()" if is_async else "payload()"
    caught = f"    try:\n        {call}\n    except PayloadError:\n        pass\n"
    lines = [caught if outcome == FAILS else f"    {call}\n" for outcome in outcomes]
    head = "async def in_a_row():\n" if is_async else "def in_a_row():\n"
    made: dict[str, Any] = {"payload": payload, "PayloadError": PayloadError}
    # A loop over the calls would cost more than the calls, and the overhead would be negative.
    exec(head + "".join(lines), made)  # noqa: S102 - our own text, and no other way to unroll
    control: Callable[[], Any] = made["in_a_row"]
    return control


@contextlib.contextmanager
def opened(
    bound: BoundCase, runner: asyncio.Runner, record: Record | None = None
) -> Iterator[Operation]:
    """Build the operation of a case, and tear it down afterwards.

    Args:
        bound: The case.
        runner: Runs the builder of an async scenario.
        record: Called at each run of the payload.

    Raises:
        NotInstalledError: If a package that the case needs is missing.
        Unsupported: If the library cannot do the scenario.
    """
    one = bound.scenario
    library = load_library(bound)
    offered = {"library": library, "payload": make_payload(one, record), **bound.parameters}
    code = one.function.__code__
    wanted = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    # What only other libraries of the scenario have as a parameter keeps its default.
    arguments = {name: offered[name] for name in wanted if name in offered}
    with _built(one, arguments, runner) as built:
        counted = built if isinstance(built, Counted) else None
        yield Operation(
            call=counted.operation if counted else built,
            is_async=one.is_async,
            raises=_expected_exceptions(one, library),
            count=counted.count if counted else None,
            step=counted.step if counted else 1,
        )


@contextlib.contextmanager
def _built(one: Scenario, arguments: dict[str, Any], runner: asyncio.Runner) -> Iterator[Any]:
    made = one.function(**arguments)
    if hasattr(made, "__anext__"):
        try:
            yield runner.run(anext(made))
        finally:
            with contextlib.suppress(StopAsyncIteration):
                runner.run(anext(made))
    elif hasattr(made, "__next__"):
        try:
            yield next(made)
        finally:
            next(made, None)
    elif asyncio.iscoroutine(made):
        yield runner.run(made)
    else:
        yield made


def slowed(operation: Operation, turns: int) -> Operation:
    """The operation with an empty loop of so many turns inside, before the call."""
    call = operation.call

    def planted() -> Any:
        for _ in itertools.repeat(None, turns):
            pass
        return call()

    # An async operation is a coroutine function: what it returns is awaited by the caller.
    return replace(operation, call=planted)


def load_library(bound: BoundCase) -> Any:
    """The adapter of a case (a tuple where the library has several), imported when needed."""
    library = bound.library
    if library is None:
        return None
    for distribution in library.distributions:
        if not _is_installed(distribution):
            message = f"{distribution} is not installed; type: pip install {distribution}"
            raise NotInstalledError(message)
    if isinstance(library.adapters, tuple):
        return tuple(_adapter(each, bound) for each in library.adapters)
    return _adapter(library.adapters, bound)


@functools.cache
def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


def _adapter(given: object, bound: BoundCase) -> object:
    if not isinstance(given, str) or ":" not in given:
        return given() if isinstance(given, type) else given
    module, _, name = given.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except ImportError as error:
        # Installed, but not as the adapter expects it: a fact about this release, not a crash.
        message = f"{bound.info.case.library} does not import: {error}"
        raise Unsupported(message) from error
    return found() if isinstance(found, type) else found


def _expected_exceptions(one: Scenario, library: Any) -> tuple[type[BaseException], ...]:
    if one.raises is None:
        return ()
    if isinstance(one.raises, type):
        return (one.raises,)
    if one.raises == REJECTION:
        adapters = library if isinstance(library, tuple) else (library,)
        return (next(each.rejection for each in adapters if hasattr(each, "rejection")),)
    message = f"raises={one.raises!r}: expected an exception type or REJECTION"
    raise TypeError(message)
