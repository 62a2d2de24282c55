"""From a bound case to what is timed: the control and the operation."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from resilience_bench.scenarios.definition import (
    FAILS,
    REJECTION,
    BoundCase,
    Counted,
    PayloadError,
    Probed,
    Scenario,
    Unsupported,
)
from resilience_bench.worker.payloads import (
    PhasedPayload,
    RunRecorder,
    copy_function,
    make_payload,
    return_result,
    return_result_async,
)


class NotInstalledError(Exception):
    """A package that the case needs is not there; the text says what to install."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What a scenario built, ready to be checked and timed.

    ``raises`` is empty unless every call must raise; ``count`` reads the counter that each call
    must raise by ``step``, where the scenario offers one; ``prepare`` comes before all callers call
    once, see `Probed`.
    """

    call: Callable[[], Any]
    is_async: bool
    raises: tuple[type[BaseException], ...] = ()
    count: Callable[[], float] | None = None
    step: float = 1
    prepare: Callable[[], object] | None = None


def make_control_key(bound: BoundCase) -> str:
    """Names the control of a case; cases with the same key share its samples."""
    one, case = bound.scenario, bound.info.case
    if not one.payload_calls:
        work = "nothing"
    else:
        work = ",".join(
            f"{len(list(run))}x{outcome}" for outcome, run in itertools.groupby(_list_outcomes(one))
        )
    marks = [work, "async" if one.is_async else "", "with arguments" if one.arguments else ""]
    if case.is_loaded:
        marks += [case.load, case.payload]
    return " ".join(mark for mark in marks if mark)


def _list_outcomes(one: Scenario) -> list[str]:
    return list(itertools.islice(itertools.cycle(one.outcomes), one.payload_calls))


def make_control(bound: BoundCase) -> Operation:
    """The payload called bare, as often as one operation runs it; failures are caught.

    A scenario that never runs its payload (a rejection, an increment) is measured against a call
    of a function that does nothing.
    """
    one = bound.scenario
    if bound.is_probed_at_once:
        return Operation(
            PhasedPayload(bound.info.case.payload).payload, one.is_async, prepare=return_result
        )
    calls = _list_outcomes(one)
    payload = make_payload(bound)
    if len(calls) > 1:
        return Operation(_unroll_calls(payload, calls, is_async=one.is_async), one.is_async)
    if not calls:
        return Operation(
            copy_function(return_result_async if one.is_async else return_result), one.is_async
        )
    if one.arguments is not None:
        payload = functools.partial(payload, *one.arguments[0], **one.arguments[1])
    return Operation(payload, one.is_async, (PayloadError,) if calls == [FAILS] else ())


def _unroll_calls(
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
def open_operation(
    bound: BoundCase, runner: asyncio.Runner, record: RunRecorder | None = None
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
    payload = make_payload(bound, record)
    offered = {"library": library, "payload": payload, **bound.parameters}
    code = one.function.__code__
    wanted = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    # What only other libraries of the scenario have as a parameter keeps its default.
    arguments = {name: offered[name] for name in wanted if name in offered}
    with _build_operation(one, arguments, runner) as built:
        yield _make_operation(bound, built, library, payload)


def _make_operation(bound: BoundCase, built: Any, library: Any, payload: object) -> Operation:
    one = bound.scenario
    raises = _find_expected_exceptions(one, library)
    if isinstance(built, Probed) is not one.probes:
        message = f"probes={one.probes}, but it built a {type(built).__name__}; see Probed"
        raise TypeError(message)
    if isinstance(built, Counted):
        lossy = built.is_lossy and bound.info.case.is_loaded
        count = None if lossy else built.count
        return Operation(built.operation, one.is_async, raises, count, built.step)
    if not isinstance(built, Probed):
        return Operation(built, one.is_async, raises)
    phases = getattr(payload, "__self__", None)
    if isinstance(phases, PhasedPayload):
        prepare = phases.wrap_prepare(built.prepare)
        return Operation(
            built.operation, one.is_async, (_find_rejection(library),), prepare=prepare
        )
    return Operation(_prepare_before_call(built), one.is_async, raises)


def _prepare_before_call(built: Probed) -> Callable[[], Any]:
    prepare, operation = built.prepare, built.operation

    def prepared_and_called() -> Any:
        prepare()
        return operation()

    return prepared_and_called


@contextlib.contextmanager
def _build_operation(
    one: Scenario, arguments: dict[str, Any], runner: asyncio.Runner
) -> Iterator[Any]:
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


def add_empty_loop(operation: Operation, turns: int) -> Operation:
    """The operation with an empty loop of so many turns inside, before the call."""
    call = operation.call

    def planted() -> Any:
        for _ in itertools.repeat(None, turns):
            pass
        return call()

    # An async operation is a coroutine function: what it returns is awaited by the caller.
    return replace(operation, call=planted)


def add_wait(operation: Operation, wait_ns: int) -> Operation:
    """The operation with a wait of so many nanoseconds inside, before the call.

    The clock is watched, because a sleep is never shorter than some 50 us.
    """
    call, clock = operation.call, time.perf_counter_ns

    def planted() -> Any:
        over_ns = clock() + wait_ns
        while clock() < over_ns:
            pass
        return call()

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
        return tuple(_load_adapter(each, bound) for each in library.adapters)
    return _load_adapter(library.adapters, bound)


@functools.cache
def _is_installed(distribution: str) -> bool:
    # Imported here: it takes a tenth of a worker's start, and own scenarios may not need it.
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


def _load_adapter(given: object, bound: BoundCase) -> object:
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


def _find_expected_exceptions(one: Scenario, library: Any) -> tuple[type[BaseException], ...]:
    if one.raises is None:
        return ()
    if isinstance(one.raises, type):
        return (one.raises,)
    if one.raises == REJECTION:
        return (_find_rejection(library),)
    message = f"raises={one.raises!r}: expected an exception type or REJECTION"
    raise TypeError(message)


def _find_rejection(library: Any) -> type[BaseException]:
    for each in library if isinstance(library, tuple) else (library,):
        if hasattr(each, "rejection"):
            found: type[BaseException] = each.rejection
            return found
    message = "no adapter has a 'rejection', the exception that an open breaker raises"
    raise TypeError(message)
