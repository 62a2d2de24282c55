"""Operations, controls and payloads are built and torn down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from resilience_bench import (
    EMPTY,
    FAILS,
    RESULT,
    RETURNS,
    Library,
    PayloadError,
    Unsupported,
    scenario,
)
from resilience_bench.scenarios.definition import Counted, Scenario
from resilience_bench.worker.operations import (
    NotCallableError,
    NotInstalledError,
    make_control,
    make_control_key,
    open_operation,
)
from resilience_bench.worker.payloads import make_payload
from tests.worker.operation_factories import bound, declared, declared_async


def outcome(call: Callable[[], Any]) -> Any:
    """What a call returns, or the type of what it raises."""
    try:
        return call()
    except PayloadError as error:
        return type(error)


@pytest.mark.parametrize(
    ("outcomes", "seen"),
    [
        ((RETURNS,), [RESULT, RESULT, RESULT]),
        ((FAILS,), [PayloadError, PayloadError, PayloadError]),
        ((FAILS, RETURNS), [PayloadError, RESULT, PayloadError]),
        ((EMPTY, EMPTY, RETURNS), [None, None, RESULT]),
    ],
)
def test_payload_plays_its_outcomes_in_a_cycle(outcomes: tuple[str, ...], seen: list[Any]) -> None:
    """Sync and async payloads do, call by call, what the scenario says."""
    payload = make_payload(bound(declared(outcomes)))
    assert [outcome(payload) for _ in seen] == seen
    payload = make_payload(bound(declared_async(outcomes)))
    assert [outcome(lambda: asyncio.run(payload())) for _ in seen] == seen


def test_payload_counts_its_runs_when_asked() -> None:
    """A recorded payload tells of each run and does the same as the plain one."""
    runs: list[int] = []
    payload = make_payload(bound(declared((RETURNS,))), lambda: runs.append(1))
    assert payload() == RESULT
    assert make_payload(bound(declared_async((RETURNS,))), lambda: runs.append(1))
    assert runs == [1]


@pytest.mark.parametrize(
    ("one", "key", "seen"),
    [
        (declared((RETURNS,)), "1xreturns", RESULT),
        (declared((FAILS,), raises=PayloadError), "1xfails", PayloadError),
        (declared((FAILS, FAILS, RETURNS)), "2xfails,1xreturns", None),
        (declared((RETURNS,), payload_calls=0), "nothing", RESULT),
        (declared((RETURNS,), payload_calls=2), "2xreturns", None),
        (declared((RETURNS,), arguments=((1,), {"b": 2})), "1xreturns with arguments", RESULT),
    ],
)
def test_control_runs_the_payload_bare(one: Scenario, key: str, seen: Any) -> None:
    """The control does the work of the payload as often as an operation does, without a guard."""
    assert make_control_key(bound(one)) == key
    assert outcome(make_control(bound(one)).call) == seen


def test_control_of_an_async_scenario_is_async() -> None:
    """A coroutine is measured against a coroutine."""
    for outcomes, expected in (((RETURNS,), RESULT), ((FAILS, RETURNS), None)):
        one = bound(declared_async(outcomes))
        control = make_control(one)
        assert control.is_async
        assert make_control_key(one).endswith(" async")
        assert asyncio.run(control.call()) == expected


@pytest.mark.parametrize(
    ("load", "payload", "key"),
    [
        ("single", "noop", "1xreturns"),
        ("single", "io", "1xreturns single io"),
        ("threads-8", "noop", "1xreturns threads-8 noop"),
        ("threads-8", "io", "1xreturns threads-8 io"),
    ],
)
def test_under_a_load_a_control_is_made_by_the_same_callers(
    load: str, payload: str, key: str
) -> None:
    """A control is only shared by cases with the same load and payload, which it has itself."""
    case = bound(declared((RETURNS,))).with_load(load, payload)
    assert make_control_key(case) == key
    assert outcome(make_control(case).call) == RESULT


def test_operation_is_built_with_library_and_parameters_and_torn_down(
    runner: asyncio.Runner,
) -> None:
    """A generator scenario gets its arguments and is resumed after use."""
    events: list[str] = []

    @scenario(library={"x": "adapter"}, parameters={"size": (3,)})
    def guarded(library: str, payload: Any, size: int) -> Iterator[Any]:
        events.append(f"{library} {size}")
        yield payload
        events.append("torn down")

    with open_operation(bound(guarded), runner) as operation:
        assert operation.call() == RESULT
        assert events == ["adapter 3"]
    assert events == ["adapter 3", "torn down"]


def test_async_generator_is_built_and_torn_down(runner: asyncio.Runner) -> None:
    """An async generator scenario is run in the event loop, to its end."""
    events: list[str] = []

    @scenario
    async def guarded(payload: Any) -> Any:
        await asyncio.sleep(0)
        yield payload
        events.append("torn down")

    with open_operation(bound(guarded), runner) as operation:
        assert runner.run(operation.call()) == RESULT
    assert events == ["torn down"]


def test_missing_distribution_is_not_installed(runner: asyncio.Runner) -> None:
    """A package that is not there is named, with what to type."""
    library = Library("x", object(), distributions=("surely-not-installed",))

    @scenario(library=[library])
    def guarded(library: Any, payload: Any) -> Any:
        return payload

    expected = "surely-not-installed is not installed; type: pip install surely-not-installed"
    with pytest.raises(NotInstalledError, match=expected), open_operation(bound(guarded), runner):
        pass


def test_adapter_that_does_not_import_is_unsupported(runner: asyncio.Runner) -> None:
    """An adapter that its library's release breaks is a reason, not a crash."""

    @scenario(library=[Library("x", "no.such.module:Thing")])
    def guarded(library: Any, payload: Any) -> Any:
        return payload

    with pytest.raises(Unsupported, match="x does not import: No module named"):  # noqa: SIM117
        with open_operation(bound(guarded), runner):
            pass


def _make_nothing(payload: Any) -> Any:
    del payload


def _make_a_number(payload: Any) -> Any:
    del payload
    return 5


def _yield_nothing(payload: Any) -> Iterator[Any]:
    if not payload:
        yield payload


async def _make_nothing_async(payload: Any) -> Any:
    del payload


async def _yield_nothing_async(payload: Any) -> AsyncIterator[Any]:
    if not payload:
        yield payload


@pytest.mark.parametrize(
    ("function", "seen"),
    [
        (_make_nothing, "None"),
        (_make_a_number, "5"),
        (_yield_nothing, "None"),
        (_make_nothing_async, "None"),
        (_yield_nothing_async, "None"),
        (lambda payload: Counted(payload and None, count=lambda: 0), "None"),
    ],
)
def test_a_scenario_that_makes_nothing_to_call_gets_a_reason(
    runner: asyncio.Runner, function: Any, seen: str
) -> None:
    """It says what was returned and that a function is expected, whatever form the scenario has."""
    one = scenario(function)
    said = f"^the scenario returned {seen}, expected a function to call"
    with (
        pytest.raises(NotCallableError, match=said),
        open_operation(bound(one), runner),
    ):
        pass
