"""Calibration and rounds: what is called how often and in which order, whatever the clock says."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

import pytest

from resilience_bench.worker.operations import Operation
from resilience_bench.worker.timing import (
    Subject,
    calibrate,
    interleave_references,
    make_sampler,
    merge_samples,
    run_rounds,
)


def scripted(call_ns: float, hiccups: tuple[int, ...] = ()) -> tuple[Subject, list[int]]:
    """A subject whose calls take a known time; at the given samples it loses 10 ms."""
    asked: list[int] = []

    def sample(calls: int, warm: int) -> int:
        asked.append(calls)
        return round(calls * call_ns) + (10_000_000 if len(asked) in hiccups else 0)

    return Subject("scripted", sample), asked


@pytest.mark.parametrize(
    ("call_ns", "calls", "wanted", "warm"),
    [
        (20, 5000, 40, 1),
        (1000, 100, 40, 1),
        (90_000, 1, 40, 1),
        (1_000_000, 1, 10, 0),
        (50_000_000, 1, 3, 0),
    ],
)
def test_calibration_makes_samples_of_the_wanted_length(
    call_ns: float, calls: int, wanted: int, warm: int
) -> None:
    """A sample has as many calls as fill it; slow operations get fewer samples, never too few."""
    subject, _ = scripted(call_ns)
    calibrate(subject, sample_ns=100_000, samples=40, case_ns=10_000_000, fewest=3)
    assert (subject.calls, subject.wanted, subject.warm) == (calls, wanted, warm)


@pytest.mark.parametrize("hiccup", range(1, 12))
def test_a_stolen_time_slice_does_not_spoil_the_calibration(hiccup: int) -> None:
    """Ten lost milliseconds at any one moment leave the number of calls as it is."""
    subject, _ = scripted(1000, hiccups=(hiccup,))
    calibrate(subject, sample_ns=100_000, samples=40, case_ns=50_000_000, fewest=3)
    assert subject.calls == 100


def test_an_operation_that_takes_no_time_is_still_calibrated() -> None:
    """A clock that stands still does not make calibration go on for ever."""
    subject, asked = scripted(0)
    calibrate(subject, sample_ns=100_000, samples=40, case_ns=10_000_000, fewest=3)
    assert subject.calls <= 1_000_000
    assert max(asked) <= 4_000_000


def test_rounds_interleave_all_subjects() -> None:
    """Every round visits the subjects in their order."""
    order: list[str] = []

    def sampling(name: str) -> Callable[[int, int], int]:
        return lambda _calls, _warm: order.append(name) or 7

    subjects = [Subject(name, sampling(name), wanted=2) for name in "abc"]
    rounds: list[int] = []
    run_rounds(subjects, 2, lambda: rounds.append(len(order)))
    assert "".join(order) == "abcabc"
    assert rounds == [3, 6]
    assert subjects[0].elapsed_ns == [7, 7]


def test_a_slow_subject_is_visited_in_evenly_spread_rounds() -> None:
    """Who wants fewer samples than there are rounds gets them over the whole time."""
    seen: list[int] = []
    turn = 0

    def next_turn() -> None:
        nonlocal turn
        turn += 1

    slow = Subject("slow", lambda _calls, _warm: seen.append(turn) or 1, wanted=3)
    run_rounds([slow], 9, next_turn)
    assert seen == [2, 5, 8]


def test_garbage_collection_is_off_while_sampling_and_on_afterwards() -> None:
    """The collector neither runs inside a sample nor stays off."""
    states: list[bool] = []
    subject = Subject("one", lambda _calls, _warm: states.append(gc.isenabled()) or 1, wanted=2)
    run_rounds([subject], 2, lambda: None)
    assert states == [False, False]
    assert gc.isenabled()


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("raises", [False, True])
def test_sampler_makes_the_calls_and_those_before(*, is_async: bool, raises: bool) -> None:
    """All four loops call as often as asked, to warm up and then timed."""
    count = 0

    def call() -> None:
        nonlocal count
        count += 1
        if raises:
            raise KeyError

    async def call_async() -> None:
        call()

    with asyncio.Runner() as runner:
        operation = Operation(
            call_async if is_async else call, is_async, (KeyError,) if raises else ()
        )
        sample = make_sampler(operation, runner)
        assert sample(10, 1) > 0
        assert count == 11
        sample(1, 0)
        assert count == 12


def test_references_are_spread_between_the_subjects() -> None:
    """Several references divide a round evenly; their samples merge in the order of taking."""
    order: list[str] = []

    def subject(name: str) -> Subject:
        return Subject(name, lambda _calls, _warm: order.append(name) or len(order), wanted=2)

    references = [subject("R"), subject("R")]
    others = [subject(name) for name in "abcd"]
    run_rounds(interleave_references(references, others), 2, lambda: None, references)
    assert "".join(order) == "RabRcdRabRcd"
    assert merge_samples(references).elapsed_ns == (1, 4, 7, 10)
    assert [each.samples().beside for each in others] == [(0, 2), (0, 2), (1, 3), (1, 3)]
    assert merge_samples(references).beside == ()
