"""Payloads, controls and operations, and the check before timing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from resilience_bench import (
    EMPTY,
    FAILS,
    REJECTION,
    RESULT,
    RETURNS,
    Counted,
    Library,
    PayloadError,
    Unsupported,
    scenario,
)
from resilience_bench.scenario import BoundCase, Scenario
from resilience_bench.worker.honesty import BrokenCaseError, check
from resilience_bench.worker.operations import (
    NotInstalledError,
    control_key,
    make_control,
    make_payload,
    opened,
)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """The runner that a worker has."""
    with asyncio.Runner() as running:
        yield running


def bound(one: Scenario) -> BoundCase:
    """The only case of a scenario."""
    [only] = one.bind("file.py")
    return only


def outcome(call: Callable[[], Any]) -> Any:
    """What a call returns, or the type of what it raises."""
    try:
        return call()
    except PayloadError as error:
        return type(error)


def _taking_payload(operation: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def build(payload: Any) -> Any:
        return operation(payload)

    return build


def declared(outcomes: tuple[str, ...], **options: Any) -> Scenario:
    """A scenario that returns its payload."""
    registered: Scenario = scenario(outcomes=outcomes, **options)(lambda payload: payload)
    return registered


def declared_async(outcomes: tuple[str, ...]) -> Scenario:
    """An async scenario that returns its payload."""

    @scenario(outcomes=outcomes)
    async def guarded(payload: Any) -> Any:
        return payload

    registered: Scenario = guarded
    return registered


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
    payload = make_payload(declared(outcomes))
    assert [outcome(payload) for _ in seen] == seen
    payload = make_payload(declared_async(outcomes))
    assert [outcome(lambda: asyncio.run(payload())) for _ in seen] == seen


def test_payload_counts_its_runs_when_asked() -> None:
    """A recorded payload tells of each run and does the same as the plain one."""
    runs: list[int] = []
    payload = make_payload(declared((RETURNS,)), lambda: runs.append(1))
    assert payload() == RESULT
    assert make_payload(declared_async((RETURNS,)), lambda: runs.append(1))
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
    assert control_key(one) == key
    assert outcome(make_control(one).call) == seen


def test_control_of_an_async_scenario_is_async() -> None:
    """A coroutine is measured against a coroutine."""
    for outcomes, expected in (((RETURNS,), RESULT), ((FAILS, RETURNS), None)):
        one = declared_async(outcomes)
        control = make_control(one)
        assert control.is_async
        assert control_key(one).endswith(" async")
        assert asyncio.run(control.call()) == expected


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

    with opened(bound(guarded), runner) as operation:
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

    with opened(bound(guarded), runner) as operation:
        assert runner.run(operation.call()) == RESULT
    assert events == ["torn down"]


def test_missing_distribution_is_not_installed(runner: asyncio.Runner) -> None:
    """A package that is not there is named, with what to type."""
    library = Library("x", object(), distributions=("surely-not-installed",))

    @scenario(library=[library])
    def guarded(library: Any, payload: Any) -> Any:
        return payload

    expected = "surely-not-installed is not installed; type: pip install surely-not-installed"
    with pytest.raises(NotInstalledError, match=expected), opened(bound(guarded), runner):
        pass


def test_adapter_that_does_not_import_is_unsupported(runner: asyncio.Runner) -> None:
    """An adapter that its library's release breaks is a reason, not a crash."""

    @scenario(library=[Library("x", "no.such.module:Thing")])
    def guarded(library: Any, payload: Any) -> Any:
        return payload

    with pytest.raises(Unsupported, match="x does not import: No module named"):  # noqa: SIM117
        with opened(bound(guarded), runner):
            pass


def test_honest_cases_pass(runner: asyncio.Runner) -> None:
    """A case that does what it says is checked without complaint."""
    check(bound(declared((RETURNS,))), runner)
    check(bound(declared((FAILS,), raises=PayloadError)), runner)
    check(bound(declared_async((RETURNS,))), runner)


class Refused(Exception):  # noqa: N818
    """A rejection."""


class Refusing:
    """An adapter with a rejection."""

    rejection = Refused

    def call(self) -> None:
        """Reject."""
        raise Refused


def test_rejection_is_what_the_adapter_names(runner: asyncio.Runner) -> None:
    """raises=REJECTION accepts the adapter's rejection and nothing else."""

    @scenario(library={"x": Refusing}, payload_calls=0, raises=REJECTION)
    def rejected(library: Refusing) -> Any:
        return library.call

    check(bound(rejected), runner)


@pytest.mark.parametrize(
    ("options", "operation", "complaint"),
    [
        ({}, lambda payload: lambda: RESULT, "call 1 ran the payload 0 times, expected 1"),
        (
            {},
            lambda payload: lambda: (payload(), payload())[0],
            "call 1 ran the payload 2 times, expected 1",
        ),
        (
            {},
            lambda payload: lambda: payload() and "other",
            "returned 'other'; expected that it returns 'payload result'",
        ),
        (
            {"raises": KeyError},
            lambda payload: payload,
            "returned 'payload result'; expected that it raises KeyError",
        ),
        (
            {"outcomes": (FAILS,)},
            lambda payload: payload,
            "raised PayloadError: ; expected that it returns 'payload result'",
        ),
        (
            {},
            lambda payload: Counted(payload, count=lambda: 3),
            "call 1 moved the counter by 0, expected 1",
        ),
    ],
)
def test_dishonest_cases_are_broken(
    runner: asyncio.Runner, options: dict[str, Any], operation: Any, complaint: str
) -> None:
    """A case that does something else is refused with what was seen and what was expected."""
    one = scenario(**options)(_taking_payload(operation))
    with pytest.raises(BrokenCaseError) as caught:
        check(bound(one), runner)
    assert str(caught.value) == complaint


def test_change_after_some_calls_is_noticed(runner: asyncio.Runner) -> None:
    """A breaker that opens after five failures is no closed breaker."""
    calls = 0

    @scenario(outcomes=(FAILS,), raises=PayloadError)
    def opens(payload: Any) -> Any:
        def operation() -> Any:
            nonlocal calls
            calls += 1
            if calls > 5:
                raise Refused
            return payload()

        return operation

    with pytest.raises(BrokenCaseError, match=r"raised Refused: ; expected .* PayloadError"):
        check(bound(opens), runner)
