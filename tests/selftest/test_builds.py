"""Builds: what they were red for, in which order they are made, and the rates over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from resilience_bench._model import Signal
from resilience_bench._verdicts import Outcome, Verdict
from resilience_bench.selftest.builds import (
    Build,
    Rate,
    estimate_real_rates,
    find_missing_steps,
    plan_builds,
)
from resilience_bench.selftest.simulation import find_regressed_cases
from tests.selftest.simulation_factories import make_criterion


def make_verdict(case: str, outcome: Outcome) -> Verdict:
    """A verdict on a latency."""
    return Verdict(case, "latency", "ratio", outcome)


def test_a_gate_is_red_for_what_regressed() -> None:
    """Nothing else makes a build fail."""
    outcomes: dict[str, Outcome] = {
        "a": "regressed",
        "b": "improved",
        "c": "inconclusive",
        "d": "within",
        "e": "not measured",
    }
    criteria = [make_criterion(case) for case in outcomes]
    verdicts = [make_verdict(case, outcome) for case, outcome in outcomes.items()]
    assert find_regressed_cases(criteria, verdicts, "latency") == {"a"}


@pytest.mark.parametrize(
    ("null", "red"),
    [
        ("regressed", set()),
        ("improved", set()),
        ("inconclusive", {"a"}),
        ("within", {"a"}),
        ("not measured", {"a"}),
    ],
)
def test_a_flagged_null_control_takes_the_red_back(null: Outcome, red: set[str]) -> None:
    """Where BASE differs from itself nothing is blamed on HEAD; a null control is never red."""
    criteria = [make_criterion("a"), make_criterion("b", is_null=True)]
    verdicts = [make_verdict("a", "regressed"), make_verdict("b", null)]
    assert find_regressed_cases(criteria, verdicts, "latency") == red


def build(
    percent: float = 0.0,
    planted: Sequence[str] = (),
    latency: Sequence[str] = (),
    instructions: Sequence[str] | None = (),
    gate: str = "check",
) -> Build:
    """A build that was red for these; without instructions, only latencies were measured."""
    red: dict[Signal, tuple[str, ...]] = {"latency": tuple(latency)}
    if instructions is not None:
        red["instructions"] = tuple(instructions)
    return Build(gate, tuple(red), percent, tuple(planted), dict(red), 0, 1.0)


@pytest.mark.parametrize(
    ("made", "red_for_nothing", "missed"),
    [
        (build(), False, False),
        (build(latency=["a"]), True, False),
        (build(instructions=["a"]), True, False),
        (build(10.0, ["a", "b"], latency=["a", "b"]), False, False),
        (build(10.0, ["a", "b"], latency=["a"]), False, False),
        (build(10.0, ["a", "b"], instructions=["b"]), False, False),
        (build(10.0, ["a"], latency=["a", "b"]), True, False),
        (build(10.0, ["a"], latency=["b"]), True, True),
        (build(10.0, ["a"]), False, True),
        (build(10.0, ["a"], instructions=None), False, True),
        (build(10.0, []), False, True),
    ],
)
def test_a_build_tells_what_was_wrong_with_it(
    made: Build, *, red_for_nothing: bool, missed: bool
) -> None:
    """Red for what was not planted, or nothing found, also where nothing could be planted."""
    assert (made.has_false_alarm, made.missed) == (red_for_nothing, missed)


def test_builds_of_both_kinds_take_turns() -> None:
    """Gates side by side; what is planted comes early, so that an interruption has some of all."""
    assert plan_builds(("check", "compare"), 2, ((5.0, "work"),), 1) == [
        ("check", 0.0, "work"),
        ("compare", 0.0, "work"),
        ("check", 0.0, "work"),
        ("compare", 0.0, "work"),
        ("check", 5.0, "work"),
        ("compare", 5.0, "work"),
    ]
    healthy, slower = ("check", 0.0, "work"), ("check", 5.0, "work")
    assert plan_builds(("check",), 4, ((5.0, "work"),), 1) == [
        healthy,
        healthy,
        slower,
        healthy,
        healthy,
    ]


def test_what_was_built_is_not_missing() -> None:
    """Builds count by gate, size and kind, in whatever order; more than were wanted are no harm."""
    steps = plan_builds(("check", "compare"), 2, ((5.0, "work"), (10.0, "wait")), 1)
    made = [
        build(),
        build(gate="compare"),
        replace(build(10.0, ["a"]), kind="wait"),
        *[build(5.0, ["a"])] * 3,
    ]
    assert find_missing_steps(steps, made) == [
        ("check", 0.0, "work"),
        ("compare", 0.0, "work"),
        ("compare", 5.0, "work"),
        ("compare", 10.0, "wait"),
    ]
    assert find_missing_steps(steps, []) == steps
    assert find_missing_steps([], made) == []


def find_rate(builds: Sequence[Build], signal: str, percent: float = 0.0) -> Rate:
    """Return the rate of `check` by a signal."""
    [rate] = [
        rate
        for rate in estimate_real_rates(builds)
        if (rate.gate, rate.signal, rate.planted_percent) == ("check", signal, percent)
    ]
    return rate


def test_the_rate_of_healthy_builds_counts_builds() -> None:
    """One that is red for two cases is one false alarm, of the signal that it was red for."""
    builds = [build(), build(latency=["a", "b"]), build(), build(gate="compare", latency=["a"])]
    rate = find_rate(builds, "latency")
    assert (rate.hits, rate.trials) == (1, 3)
    assert (rate.builds, rate.outcome) == ("real", "healthy build failed")
    rate = find_rate(builds, "instructions")
    assert (rate.hits, rate.trials) == (0, 3)


def test_the_rate_of_planted_builds_counts_planted_cases() -> None:
    """Each planted case is found or not; other red cases, sizes and gates do not count."""
    builds = [
        build(),
        build(10.0, ["a", "b"], latency=["a"]),
        build(10.0, ["a", "b"], latency=["a", "b", "other"]),
        build(10.0, ["a"], latency=["other"]),
        build(20.0, ["a", "b"], latency=["a", "b"]),
        build(10.0, ["a", "b"], latency=["a", "b"], gate="compare"),
    ]
    rate = find_rate(builds, "latency", 10.0)
    assert (rate.hits, rate.trials) == (3, 5)
    assert (rate.planted_percent, rate.outcome) == (10.0, "planted case found")


def test_builds_without_a_signal_say_nothing_of_it() -> None:
    """Instructions are counted in some builds only."""
    builds = [build(), build(instructions=None), build(10.0, ["a"], instructions=None)]
    rates = estimate_real_rates(builds)
    assert [(rate.gate, rate.signal, rate.planted_percent, rate.trials) for rate in rates] == [
        ("check", "latency", 0.0, 2),
        ("check", "latency", 10.0, 1),
        ("check", "instructions", 0.0, 1),
    ]
