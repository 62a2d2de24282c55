"""Marks for callgrind: which calls lie between two dumps."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from resilience_bench.worker import client_request, instructions
from resilience_bench.worker.instructions import (
    CALLS,
    FUNCTION_CALLS,
    LOOP_WARM_UPS,
    WARM_UP_FACTOR,
    choose_calls,
    mark,
    prepare_forking,
    start_counting,
)
from resilience_bench.worker.timing import Sampler

DUMP = "dump"
START = "start"
ZERO = "zero"


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[int | str]:
    """What happened: a number for so many calls, a word for a dump."""
    seen: list[int | str] = []
    monkeypatch.setattr(os, "getppid", lambda: seen.append(DUMP))
    monkeypatch.setattr(client_request, "make_starter", lambda: lambda: seen.append(START))
    monkeypatch.setattr(client_request, "make_zeroer", lambda: lambda: seen.append(ZERO))
    return seen


def sampler(events: list[int | str], functions: int = 0) -> Sampler:
    """A sampler that notes its calls; each of them calls so many functions."""

    def sample(calls: int, warm: int) -> int:
        assert warm == 0
        events.append(calls)
        for _ in range(functions):
            abs(0)
        return 1

    return sample


@pytest.mark.parametrize(
    ("function_calls", "calls"),
    [
        (1, (8, 32)),
        (FUNCTION_CALLS // CALLS, (8, 32)),
        (100, (5, 20)),
        (700, (0, 2)),
        (FUNCTION_CALLS - 1, (0, 1)),
        (10 * FUNCTION_CALLS, (0, 1)),
    ],
)
def test_larger_operations_are_called_less_often(
    function_calls: int, calls: tuple[int, int]
) -> None:
    """The two numbers follow from the size of the operation, and the second is the larger one."""
    assert choose_calls(function_calls) == calls


def test_a_dump_lies_before_between_and_after_the_two_numbers_of_calls(
    events: list[int | str],
) -> None:
    """The size is found out and the operation warmed up first; then only calls and dumps follow."""
    assert mark(sampler(events), heavy=False) == (8, 32)
    assert events == [1] + [1] * (WARM_UP_FACTOR * CALLS) + [ZERO, DUMP, 8, DUMP, 32, DUMP]


def test_an_operation_of_many_functions_is_warmed_up_and_called_less_often(
    events: list[int | str],
) -> None:
    """What surrounds the calls is the same, whatever the numbers."""
    assert mark(sampler(events, functions=700), heavy=False) == (0, 2)
    assert events == [1, 1, 1, 1, 1, ZERO, DUMP, 0, DUMP, 2, DUMP]


def test_an_operation_that_turns_out_to_be_heavy_is_not_marked(events: list[int | str]) -> None:
    """It has run once by then, so its first call can no longer be counted in this process."""
    assert mark(sampler(events, functions=FUNCTION_CALLS), heavy=False) is None
    assert events == [1]


def test_the_first_call_of_a_heavy_operation_is_counted(events: list[int | str]) -> None:
    """Nothing runs before it."""
    assert mark(sampler(events, functions=FUNCTION_CALLS), heavy=True) == (0, 1)
    assert events == [START, ZERO, DUMP, 0, DUMP, 1, DUMP]


def test_getting_ready_stills_the_collector(
    events: list[int | str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the parent did before is in no count of a child, and nothing is counted yet."""
    steps = ("collect", "freeze", "disable")
    fake = SimpleNamespace(**{step: lambda step=step: events.append(step) for step in steps})
    monkeypatch.setattr(instructions, "gc", fake)
    prepare_forking()
    assert events == [*steps]


def test_counting_starts_before_the_controls_run_and_a_dump_ends_them(
    events: list[int | str],
) -> None:
    """So that what they need has been translated for counting before a process is forked off."""
    start_counting([sampler(events), sampler(events)])
    assert events == [START] + [1] * (2 * LOOP_WARM_UPS) + [DUMP]
