"""A worker's real payloads: opened once, shared, checked, and closed."""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from resilience_bench import scenario
from resilience_bench.scenarios.definition import BoundCase
from resilience_bench.scenarios.payload_definition import Payload, ServerAddress
from resilience_bench.worker.operations import (
    NotCallableError,
    NotInstalledError,
    make_control,
    open_operation,
)
from resilience_bench.worker.real_payloads import (
    DishonestPayloadError,
    PayloadFailedError,
    RealPayloads,
)
from resilience_bench.worker.verification import BrokenCaseError, check


def bound(guard: Callable[[Any], Any], payload: Payload) -> BoundCase:
    """The case of a guard around a payload."""
    made = scenario(guard)
    [only] = made.bind("file.py", {(payload.name, payload.is_async): payload})
    return only.with_load("single", payload.name)


def guarded(payload: Any) -> Any:
    """Build a guard that calls."""
    return functools.partial(payload)


def attach(one: BoundCase, runner: asyncio.Runner) -> BoundCase:
    """The case with its work."""
    return RealPayloads({}, runner).attach(one)


def test_work_is_shared_by_bare_and_guarded_calls(runner: asyncio.Runner) -> None:
    """It is opened once, tidied up at the end, and is what both of them call."""
    said: list[str] = []

    def work() -> Iterator[Callable[[], str]]:
        said.append("opened")
        yield lambda: said.append("called") or "answer"
        said.append("closed")

    with RealPayloads({}, runner) as real:
        first, second = (real.attach(bound(guarded, Payload(work))) for _ in range(2))
        assert first.work is second.work
        assert first.answer == first.returns == "answer"
        assert said == ["opened", "called", "called"]
        with open_operation(first, runner) as operation:
            assert operation.call() == make_control(first).call() == "answer"
        assert said[3:] == ["called", "called"]
    assert said[-1] == "closed"


def test_work_of_coroutines_runs_in_the_loop(runner: asyncio.Runner) -> None:
    """A generator is opened, called and closed in the same loop; guards see a coroutine's."""
    loops: list[object] = []

    async def work() -> Any:
        loops.append(asyncio.get_running_loop())
        yield functools.partial(asyncio.sleep, 0, "answer")
        loops.append(asyncio.get_running_loop())

    async def guarded_async(payload: Any) -> Any:
        assert inspect.iscoroutinefunction(payload)
        return payload

    with RealPayloads({}, runner) as real:
        attached = real.attach(bound(guarded_async, Payload(work)))
        check(attached, runner)
        with open_operation(attached, runner) as operation:
            assert runner.run(operation.call()) == "answer"
    assert loops == [runner.get_loop()] * 2


def test_a_guard_gets_a_function(runner: asyncio.Runner) -> None:
    """Also where the payload is a partial, which has no name."""
    attached = attach(bound(guarded, Payload(lambda: functools.partial(int, "7"))), runner)
    assert attached.work is not None
    assert attached.work.__name__
    assert attached.work() == 7


def test_the_address_of_the_server_is_handed_over(runner: asyncio.Runner) -> None:
    """To a payload that takes one; another need not."""
    address = ServerAddress("/tmp/x", "127.0.0.1", 7)

    def with_server(server: ServerAddress) -> Any:
        return lambda: server

    servers = {"redis": address.to_json()}
    real = RealPayloads(servers, runner)
    assert real.attach(bound(guarded, Payload(with_server, "redis"))).answer == address
    assert real.attach(bound(guarded, Payload(lambda: int, "redis"))).answer == 0


def test_a_case_without_real_work_stays_as_it_is(runner: asyncio.Runner) -> None:
    """Nothing is opened for it."""
    plain = bound(guarded, Payload(lambda: int)).with_load("single", "io")
    assert attach(plain, runner) is plain


def test_a_missing_driver_is_reported_with_what_to_type(runner: asyncio.Runner) -> None:
    """Before the payload is opened."""
    missing = Payload(lambda: int, distributions=("no-such-driver",))
    with pytest.raises(NotInstalledError, match="type: pip install no-such-driver"):
        attach(bound(guarded, missing), runner)


def test_a_payload_that_fails_is_tried_once(runner: asyncio.Runner) -> None:
    """All of its cases have the same reason."""
    tries: list[None] = []

    def broken() -> Any:
        tries.append(None)
        raise ConnectionRefusedError("nobody there")

    real = RealPayloads({}, runner)
    for _ in range(2):
        with pytest.raises(PayloadFailedError) as caught:
            real.attach(bound(guarded, Payload(broken)))
        assert str(caught.value) == "its payload broken raised ConnectionRefusedError: nobody there"
    assert len(tries) == 1


def test_a_wrong_answer_is_refused(runner: asyncio.Runner) -> None:
    """A server that answers wrongly is not measured."""
    wrong = Payload(lambda: lambda: b"other", returns=b"x" * 100)
    with pytest.raises(DishonestPayloadError, match=r"returned b'other'; expected b'x+\.\.\."):
        attach(bound(guarded, wrong), runner)


def test_an_answer_that_changes_is_refused(runner: asyncio.Runner) -> None:
    """No guarded answer could be compared with it."""
    changing = Payload(lambda: itertools.count().__next__)
    with pytest.raises(DishonestPayloadError, match="returned 0, then 1; expected the same twice"):
        attach(bound(guarded, changing), runner)


def test_a_guard_that_changes_the_answer_is_refused(runner: asyncio.Runner) -> None:
    """A bare and a guarded call have to return the same."""

    def lying(payload: Any) -> Any:
        return lambda: [*payload(), "more"]

    attached = attach(bound(lying, Payload(lambda: lambda: ["row"])), runner)
    with pytest.raises(BrokenCaseError, match=r"returned \['row', 'more'\]; .* \['row'\]"):
        check(attached, runner)


def test_a_guard_that_skips_the_work_is_refused(runner: asyncio.Runner) -> None:
    """A cache hit is not published as a query."""

    def caching(payload: Any) -> Any:
        return functools.cache(payload)

    attached = attach(bound(caching, Payload(lambda: lambda: "row")), runner)
    with pytest.raises(BrokenCaseError, match="ran the payload 0 times, expected 1"):
        check(attached, runner)


def test_an_end_that_fails_is_no_failure(runner: asyncio.Runner) -> None:
    """A server that is gone says no goodbye."""

    def work() -> Iterator[Callable[[], int]]:
        yield int
        raise ConnectionResetError

    with RealPayloads({}, runner) as real:
        real.attach(bound(guarded, Payload(work)))


def test_a_payload_that_makes_nothing_to_call_gets_a_reason(runner: asyncio.Runner) -> None:
    """It is named, with what it returned and what is expected."""

    def nothing() -> None:
        pass

    expected = "its payload nothing returned None, expected a function to call"
    with RealPayloads({}, runner) as real, pytest.raises(NotCallableError, match=expected):
        real.attach(bound(guarded, Payload(nothing)))  # type: ignore[arg-type]
