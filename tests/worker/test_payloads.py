"""The work inside the guard: what it does, in which order, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from resilience_bench import EMPTY, FAILS, RESULT, RETURNS, PayloadError, Probed, scenario
from resilience_bench.scenarios.definition import BoundCase
from resilience_bench.scenarios.loads import CPU, IO, NOOP, PAYLOADS
from resilience_bench.worker import payloads
from resilience_bench.worker.payloads import IO_S, PhasedPayload, make_payload


def bound(payload: str = NOOP, load: str = "threads-2", **options: Any) -> BoundCase:
    """A case that returns its payload."""
    one = scenario(**options)(lambda payload: payload)
    [only] = one.bind("file.py")
    return only.with_load(load, payload)


def bound_async(payload: str = NOOP, **options: Any) -> BoundCase:
    """The same as a coroutine."""

    @scenario(**options)
    async def guarded(payload: Any) -> Any:
        return payload

    [only] = guarded.bind("file.py")
    return only.with_load("tasks-2", payload)


def outcome(call: Callable[[], Any]) -> Any:
    """What a call returns, or the type of what it raises."""
    try:
        made = call()
        return asyncio.run(made) if asyncio.iscoroutine(made) else made
    except PayloadError as error:
        return type(error)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What work was done, in place of doing it."""
    done: list[str] = []

    async def waits(delay_s: float) -> None:
        done.append(f"waits {delay_s:g}")

    def computes(_code: object) -> Callable[[], None]:
        return lambda: done.append(CPU)

    fresh = payloads.copy_function
    made = {payloads._compute: computes}
    monkeypatch.setattr(
        payloads, "copy_function", lambda function: made.get(function, fresh)(function)
    )
    monkeypatch.setattr(payloads, "_sleep", lambda: done.append(IO))
    monkeypatch.setattr(asyncio, "sleep", waits)
    return done


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize(
    ("outcomes", "seen"),
    [
        ((RETURNS,), [RESULT, RESULT]),
        ((FAILS,), [PayloadError, PayloadError]),
        ((FAILS, EMPTY, RETURNS), [PayloadError, None, RESULT, PayloadError]),
    ],
)
def test_work_comes_before_the_outcome(
    payload: str, outcomes: tuple[str, ...], seen: list[Any], work: list[str]
) -> None:
    """Each run does its work once, also one that then fails; the outcomes stay the same."""
    waits = f"waits {IO_S:g}"
    made = make_payload(bound(payload, outcomes=outcomes))
    assert [outcome(made) for _ in seen] == seen
    assert work == ([] if payload == NOOP else [payload] * len(seen))
    work.clear()
    made = make_payload(bound_async(payload, outcomes=outcomes))
    assert [outcome(made) for _ in seen] == seen
    assert work == {NOOP: [], CPU: [CPU] * len(seen), IO: [waits] * len(seen)}[payload]


@pytest.mark.parametrize("payload", [CPU, IO])
def test_work_is_real(payload: str) -> None:
    """Nothing in its place: the payloads run, and return what they promise."""
    assert outcome(make_payload(bound(payload))) == RESULT
    assert outcome(make_payload(bound_async(payload))) == RESULT


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_takes_the_arguments_of_its_scenario(payload: str) -> None:
    """Work does not get in the way of what the guard passes on."""
    arguments = ((1, "two"), {"three": 3})
    assert make_payload(bound(payload, arguments=arguments))(1, "two", three=3) == RESULT
    made = make_payload(bound_async(payload, arguments=arguments))
    assert asyncio.run(made(1, "two", three=3)) == RESULT


def test_waiting_tasks_let_others_run() -> None:
    """The payload io gives up the loop: the second task begins before the first one has ended."""
    order: list[str] = []
    payload = make_payload(bound_async(IO))

    async def runs() -> None:
        order.append("begins")
        await payload()
        order.append("ends")

    async def both() -> None:
        await asyncio.gather(runs(), runs())

    asyncio.run(both())
    assert order == ["begins", "begins", "ends", "ends"]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_runs_are_recorded_before_the_work(payload: str, work: list[str]) -> None:
    """Who counts runs also counts those that fail in the middle."""
    make_payload(bound(payload), lambda: work.append("run"))()
    assert work[0] == "run"
    assert work.count("run") == 1
    work.clear()
    asyncio.run(make_payload(bound_async(payload), lambda: work.append("run"))())
    assert work[0] == "run"
    assert work.count("run") == 1


def test_every_payload_has_code_of_its_own() -> None:
    """A case inherits no specialised bytecode from another one's payload, or from its work."""
    first, second = make_payload(bound()), make_payload(bound())
    assert first.__code__ is not second.__code__
    works = [
        cell.cell_contents
        for _ in range(2)
        for cell in make_payload(bound(CPU)).__closure__ or ()
        if cell.cell_contents.__name__ == "_compute"
    ]
    assert len(works) == 2
    assert works[0].__code__ is not works[1].__code__


def probing(load: str) -> BoundCase:
    """A case of a breaker that is probed."""
    one = scenario(outcomes=(FAILS, RETURNS), probes=True)(lambda payload: Probed(payload, payload))
    [only] = one.bind("file.py")
    return only.with_load(load, IO if load != "single" else NOOP)


def test_a_probed_payload_knows_what_it_is_for() -> None:
    """Alone it plays its outcomes; under a load it fails only while a breaker is prepared."""
    alone = make_payload(probing("single"))
    assert [outcome(alone) for _ in range(3)] == [PayloadError, RESULT, PayloadError]
    together = make_payload(probing("threads-4"))
    assert [outcome(together) for _ in range(3)] == [RESULT] * 3


def test_preparing_makes_the_payload_fail(work: list[str]) -> None:
    """It fails at once and works for nobody; afterwards it succeeds, also if preparing raised."""
    phases = PhasedPayload(IO)
    seen: list[Any] = []

    def opens() -> str:
        seen.extend(outcome(phases.payload) for _ in range(2))
        return "opened"

    assert phases.wrap_prepare(opens)() == "opened"
    assert seen == [PayloadError, PayloadError]
    assert work == []
    assert outcome(phases.payload) == RESULT
    assert work == [IO]
    with pytest.raises(PayloadError):
        phases.wrap_prepare(phases.payload)()
    assert outcome(phases.payload) == RESULT


def test_probes_are_those_that_begin_before_the_first_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Until then a breaker cannot know how its probe ends; a later call is an ordinary one."""
    probes: list[str] = []
    nested: list[Callable[[], object]] = []
    monkeypatch.setattr(payloads, "_sleep", lambda: nested.pop()() if nested else None)
    phases = PhasedPayload(IO, lambda: probes.append("probe"))
    prepare = phases.wrap_prepare(lambda: outcome(phases.payload))

    for expected in (2, 4):
        prepare()
        nested.append(phases.payload)  # begins while the first one is at its work
        phases.payload()
        assert len(probes) == expected
        phases.payload()
        assert len(probes) == expected
