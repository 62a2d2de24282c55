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

from resilience_bench.scenarios import definition
from resilience_bench.worker import payloads


class NotInstalledError(Exception):
    """A package that the case needs is missing; the text says what to install."""


class NotCallableError(Exception):
    """What was built cannot be called; the text says what it was."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A callable that a scenario built, ready to be checked and timed.

    Every call must raise one of ``raises``, if any, and the counter that ``count`` reads by
    ``step``; ``prepare`` runs before all callers call once, see `Probed`.
    """

    call: Callable[[], Any]
    is_async: bool
    raises: tuple[type[BaseException], ...] = ()
    count: Callable[[], float] | None = None
    step: float = 1
    prepare: Callable[[], object] | None = None


def make_control_key(bound: definition.BoundCase) -> str:
    """Return the name of a case's control; cases with the same name share its samples."""
    scenario, case = bound.scenario, bound.info.case
    outcomes = itertools.groupby(_list_outcomes(scenario))
    work = ",".join(f"{len(list(run))}x{outcome}" for outcome, run in outcomes) or "nothing"
    marks = [work, *["async"] * scenario.is_async, *["with arguments"] * bool(scenario.arguments)]
    return " ".join([*marks, *[case.load, case.payload] * case.is_loaded])


def _list_outcomes(scenario: definition.Scenario) -> list[str]:
    return list(itertools.islice(itertools.cycle(scenario.outcomes), scenario.payload_calls))


def make_control(bound: definition.BoundCase) -> Operation:
    """Return the payload called bare, as often as one operation runs it; failures are caught.

    If it never does (a rejection, an increment), the control is a function that does nothing.
    """
    scenario, is_async = bound.scenario, bound.scenario.is_async
    if bound.is_probed_at_once:
        payload = payloads.PhasedPayload(bound.info.case.payload).payload
        return Operation(payload, is_async, prepare=payloads.return_result)
    calls = _list_outcomes(scenario)
    payload = payloads.make_payload(bound)
    if len(calls) > 1:
        return Operation(_unroll_calls(payload, calls, is_async=is_async), is_async)
    if not calls:
        return Operation(
            payloads.copy_function(
                payloads.return_result_async if is_async else payloads.return_result
            ),
            is_async,
        )
    if scenario.arguments is not None:
        payload = functools.partial(payload, *scenario.arguments[0], **scenario.arguments[1])
    return Operation(
        payload, is_async, (definition.PayloadError,) if calls == [definition.FAILS] else ()
    )


def _unroll_calls(
    payload: Callable[[], Any], outcomes: list[str], *, is_async: bool
) -> Callable[[], Any]:
    """Return a function that calls the payload once for each outcome, and catches failures."""
    call = "await payload()" if is_async else "payload()"
    caught = f"    try:\n        {call}\n    except PayloadError:\n        pass\n"
    lines = [caught if outcome == definition.FAILS else f"    {call}\n" for outcome in outcomes]
    head = "async def in_a_row():\n" if is_async else "def in_a_row():\n"
    made: dict[str, Any] = {"payload": payload, "PayloadError": definition.PayloadError}
    # A loop would cost more than the calls, and the overhead would be negative.
    exec(head + "".join(lines), made)  # noqa: S102 - our own text, and no other way to unroll
    control: Callable[[], Any] = made["in_a_row"]
    return control


@contextlib.contextmanager
def open_operation(
    bound: definition.BoundCase, runner: asyncio.Runner, record: payloads.RunRecorder | None = None
) -> Iterator[Operation]:
    """Build and tear down the operation of a case; NotInstalledError or Unsupported if it fails."""
    scenario = bound.scenario
    library = load_library(bound)
    payload = payloads.make_payload(bound, record)
    if scenario.server and bound.server is None:
        raise definition.Unsupported(
            f"it calls the server {scenario.server}, which only 'resilience-bench' starts"
        )
    offered = {
        "library": library,
        "payload": payload,
        "server": bound.server,
        **bound.parameters,
    }
    code = scenario.function.__code__
    wanted = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    # Parameters that only other libraries have keep their defaults.
    arguments = {name: offered[name] for name in wanted if name in offered}
    with open_made(scenario.function(**arguments), runner) as built:
        yield _make_operation(bound, built, library, payload)


def _make_operation(
    bound: definition.BoundCase, built: Any, library: Any, payload: object
) -> Operation:
    scenario = bound.scenario
    raises = _find_expected_exceptions(scenario, library)
    ensure_callable(getattr(built, "operation", built), "the scenario")
    if isinstance(built, definition.Probed) is not scenario.probes:
        raise TypeError(
            f"probes={scenario.probes}, but it built a {type(built).__name__}; see Probed"
        )
    if isinstance(built, definition.Counted):
        lossy = built.is_lossy and bound.info.case.is_loaded
        count = None if lossy else built.count
        return Operation(built.operation, scenario.is_async, raises, count, built.step)
    if not isinstance(built, definition.Probed):
        return Operation(built, scenario.is_async, raises)
    phases = getattr(payload, "__self__", None)
    if isinstance(phases, payloads.PhasedPayload):
        raises = (_find_rejection(library),)
        at_once = phases.wrap_prepare(built.prepare)
        return Operation(built.operation, scenario.is_async, raises, prepare=at_once)
    prepare, operation = built.prepare, built.operation

    def prepared_and_called() -> Any:
        prepare()
        return operation()

    return Operation(prepared_and_called, scenario.is_async, raises)


def ensure_callable(made: object, maker: str) -> None:
    """Raise NotCallableError unless what a scenario or a payload made can be called."""
    if not callable(made):
        raise NotCallableError(
            f"{maker} returned {repr(made)[:60]}, expected a function to call (or a generator "
            "that yields one)"
        )


async def _take_first(made: Any) -> Any:
    return await anext(made, None)


@contextlib.contextmanager
def open_made(made: Any, runner: asyncio.Runner) -> Iterator[Any]:
    """Yield what a scenario's or a payload's function made: a generator or coroutine, or itself."""
    if hasattr(made, "__anext__"):
        try:
            yield runner.run(_take_first(made))
        finally:
            with contextlib.suppress(StopAsyncIteration):
                runner.run(anext(made))
    elif hasattr(made, "__next__"):
        try:
            yield next(made, None)
        finally:
            next(made, None)
    elif asyncio.iscoroutine(made):
        yield runner.run(made)
    else:
        yield made


def add_empty_loop(operation: Operation, iterations: int) -> Operation:
    """Return the operation with an empty loop before the call."""
    call = operation.call

    def planted() -> Any:
        for _ in itertools.repeat(None, iterations):
            pass
        return call()

    # An async operation is a coroutine function: what it returns is awaited by the caller.
    return replace(operation, call=planted)


def add_wait(operation: Operation, wait_ns: int) -> Operation:
    """Return the operation with a wait before the call."""
    # A sleep would never be shorter than some 50 us.
    call, clock = operation.call, time.perf_counter_ns

    def planted() -> Any:
        over_ns = clock() + wait_ns
        while clock() < over_ns:
            pass
        return call()

    return replace(operation, call=planted)


def load_library(bound: definition.BoundCase) -> Any:
    """Return the adapter of a case, or a tuple of several; import it if necessary."""
    library = bound.library
    if library is None:
        return None
    for distribution in library.distributions:
        ensure_installed(distribution)
    if isinstance(library.adapters, tuple):
        return tuple(_load_adapter(adapter, bound) for adapter in library.adapters)
    return _load_adapter(library.adapters, bound)


def ensure_installed(distribution: str) -> None:
    """Raise NotInstalledError unless a distribution is installed."""
    if not _is_installed(distribution):
        raise NotInstalledError(
            f"{distribution} is not installed; type: pip install {distribution}"
        )


@functools.cache
def _is_installed(distribution: str) -> bool:
    # Imported here: it takes a tenth of a worker's start, and own scenarios may not need it.
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


def _load_adapter(given: object, bound: definition.BoundCase) -> object:
    if not isinstance(given, str) or ":" not in given:
        return given() if isinstance(given, type) else given
    module, _, name = given.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except ImportError as error:
        # Installed, but not as the adapter expects it: a fact about this release, not a crash.
        raise definition.Unsupported(
            f"{bound.info.case.library} does not import: {error}"
        ) from error
    return found() if isinstance(found, type) else found


def _find_expected_exceptions(
    scenario: definition.Scenario, library: Any
) -> tuple[type[BaseException], ...]:
    if scenario.raises is None:
        return ()
    if isinstance(scenario.raises, type):
        return (scenario.raises,)
    if scenario.raises == definition.REJECTION:
        return (_find_rejection(library),)
    raise TypeError(f"raises={scenario.raises!r}: expected an exception type or REJECTION")


def _find_rejection(library: Any) -> type[BaseException]:
    for adapter in library if isinstance(library, tuple) else (library,):
        if hasattr(adapter, "rejection"):
            rejection: type[BaseException] = adapter.rejection
            return rejection
    raise TypeError("no adapter has a 'rejection', the exception that an open breaker raises")
