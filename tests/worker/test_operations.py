"""Payloads, controls and operations, and the check before timing."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
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
    Probed,
    Unsupported,
    scenario,
)
from resilience_bench.scenarios.definition import BoundCase, Scenario
from resilience_bench.worker.operations import (
    NotInstalledError,
    Operation,
    add_wait,
    make_control,
    make_control_key,
    open_operation,
)
from resilience_bench.worker.payloads import make_payload
from resilience_bench.worker.verification import BrokenCaseError, check


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


def counted(*, is_lossy: bool) -> Scenario:
    """A scenario with a counter that loses nothing, or may."""

    @scenario
    def counting(payload: Any) -> Counted:
        return Counted(payload, count=lambda: 3, step=2, is_lossy=is_lossy)

    registered: Scenario = counting
    return registered


def test_a_lossy_counter_is_not_held_against_its_library(runner: asyncio.Runner) -> None:
    """Alone it has to count; under a load, where losing is the deal, nobody reads it."""
    for lossy, load, reads in (
        (False, "single", True),
        (True, "single", True),
        (False, "threads-2", True),
        (True, "threads-2", False),
    ):
        case = bound(counted(is_lossy=lossy)).with_load(load, "noop")
        with open_operation(case, runner) as operation:
            assert (operation.count is not None) is reads
            assert operation.step == 2


class OneAtATime:
    """A breaker of which the tests say whether it is open."""

    class Rejected(Exception):  # noqa: N818
        """What it raises then."""

    rejection = Rejected


def probed(*, library: object = OneAtATime, **options: Any) -> Scenario:
    """A scenario of a breaker that is opened by one failure and probed by one call."""

    @scenario(library={"x": library}, outcomes=(FAILS, RETURNS), **options)
    def recovers(library: object, payload: Any) -> Probed:
        def trip() -> None:
            with contextlib.suppress(PayloadError):
                payload()

        return Probed(trip, payload)

    registered: Scenario = recovers
    return registered


def test_alone_a_probe_is_prepared_and_made_in_one_operation(runner: asyncio.Runner) -> None:
    """One call does both, and runs the payload as often as the scenario says."""
    case = bound(probed(probes=True))
    check(case, runner)
    with open_operation(case, runner) as operation:
        assert operation.prepare is None
        assert operation.raises == ()
        assert operation.call() == RESULT
    control = make_control(case)
    assert make_control_key(case) == "1xfails,1xreturns"
    assert (control.prepare, control.call()) == (None, None)


def test_under_a_load_a_probe_is_prepared_apart(runner: asyncio.Runner) -> None:
    """Callers only probe, and may be rejected; their control is the bare call of the payload."""
    case = bound(probed(probes=True)).with_load("threads-4", "io")
    runs: list[str] = []
    with open_operation(case, runner, lambda: runs.append("run")) as operation:
        assert operation.prepare is not None
        assert operation.raises == (OneAtATime.Rejected,)
        operation.prepare()
        assert runs == []
        assert operation.call() == RESULT
        assert runs == ["run"]
    control = make_control(case)
    assert control.prepare is not None
    control.prepare()
    assert control.call() == RESULT


@pytest.mark.parametrize("probes", [False, True])
def test_what_is_announced_is_built(runner: asyncio.Runner, *, probes: bool) -> None:
    """A scenario that says nothing of its probes, or has none, would be measured as another one."""
    one = declared((RETURNS,), probes=True) if probes else probed()
    built = "function" if probes else "Probed"
    with (
        pytest.raises(TypeError, match=f"probes={probes}, but it built a {built}; see Probed"),
        open_operation(bound(one), runner),
    ):
        pass


def test_whoever_may_reject_says_how(runner: asyncio.Runner) -> None:
    """Without the adapter's rejection nobody knows which callers were turned away."""
    case = bound(probed(library=object, probes=True)).with_load("threads-4", "io")
    with (
        pytest.raises(TypeError, match="no adapter has a 'rejection'"),
        open_operation(case, runner),
    ):
        pass


def test_the_check_is_made_by_one_caller_without_work(runner: asyncio.Runner) -> None:
    """What callers do to each other is counted later; here the operation itself is looked at."""
    seen: list[str] = []

    @scenario
    def guarded(payload: Any) -> Any:
        def operation() -> Any:
            seen.append(threading.current_thread().name)
            return payload()

        return operation

    check(bound(guarded).with_load("threads-4", "io"), runner)
    assert set(seen) == {threading.current_thread().name}


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


def test_a_wait_passes_before_the_call_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is watched until so many nanoseconds have passed; then the operation runs."""
    times = iter([100, 120, 149, 150, 999])
    monkeypatch.setattr(time, "perf_counter_ns", lambda: next(times))
    assert add_wait(Operation(lambda: next(times), is_async=False), 50).call() == 999
