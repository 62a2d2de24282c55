"""Operations of several callers: counters, probes, rejections."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

import pytest

from resilience_bench import (
    FAILS,
    RESULT,
    RETURNS,
    Counted,
    PayloadError,
    Probed,
    scenario,
)
from resilience_bench.scenarios.definition import Scenario
from resilience_bench.worker.operations import (
    make_control,
    make_control_key,
    open_operation,
)
from resilience_bench.worker.verification import check
from tests.worker.operation_factories import bound, declared


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
