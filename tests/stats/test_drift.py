"""From points of a long run to slopes and a verdict: synthetic runs, with seeds."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from resilience_bench._model import DriftPoints, Estimate
from resilience_bench.stats.drift import (
    FEWEST_POINTS,
    Drift,
    classify_trend,
    combine_trends,
    estimate_drift,
    estimate_drifts,
)
from tests.drift_factories import CALLS_A_POINT, POINTS, make_drift_result, make_points
from tests.factories import make_case, make_record

CASE = make_case()
SEEDS = range(40)


def drift(**how: Any) -> Drift:
    """What is said of a run of this kind."""
    return estimate_drift(CASE, make_points(**how))


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, "steady"),
        ({"cost_per_million": 0.5}, "cost grows"),
        ({"cost_per_million": -0.5}, "steady"),
        ({"blocks_per_call": 1.0}, "memory grows"),
        ({"blocks_per_call": 0.02}, "memory grows"),
        ({"blocks_per_call": 0.001}, "steady"),
        ({"blocks_per_call": -1.0}, "steady"),
        ({"bytes_per_call": 8.0}, "memory grows"),
        ({"bytes_per_call": 0.5}, "steady"),
        ({"cost_per_million": 0.5, "blocks_per_call": 1.0}, "cost and memory grow"),
    ],
)
def test_verdict_follows_what_was_planted(how: dict[str, Any], expected: str) -> None:
    """Growth is found, what grows by less than matters is none, and shrinking is none."""
    assert drift(noise=0.001, **how).verdict == expected


def test_slopes_are_those_that_were_planted() -> None:
    """Per cent per million calls, over the run, and blocks and bytes per thousand calls."""
    seen = drift(cost_per_million=0.1, blocks_per_call=0.5, bytes_per_call=100.0)
    assert seen.calls == POINTS * CALLS_A_POINT
    assert seen.points == POINTS
    first = 1 + 0.1 * 0.24  # in the middle of the first fifth of what follows the warm-up
    quantities = (seen.cost, seen.cost_in_all, seen.blocks, seen.bytes)
    expected = (10 / first, 10 * 1.06 / first, 500.0, 100_000.0)
    for quantity, value in zip(quantities, expected, strict=True):
        assert quantity is not None
        assert quantity.low <= quantity.value <= quantity.high
        assert quantity.value == pytest.approx(value, rel=0.01)


def test_steady_runs_are_hardly_ever_said_to_grow() -> None:
    """Of many noisy runs without growth none grows, and what is reported is near to nothing."""
    seen = [drift(noise=0.01, seed=seed) for seed in SEEDS]
    assert {each.verdict for each in seen} <= {"steady", "undecided"}
    contained = [estimate.cost.low <= 0 <= estimate.cost.high for estimate in seen if estimate.cost]
    assert sum(contained) >= 0.85 * len(SEEDS)


def test_growth_is_found_in_noise() -> None:
    """A tenth over the run is found although single points are off by a hundredth or more."""
    verdicts = [drift(cost_per_million=0.1, noise=0.015, seed=seed).verdict for seed in SEEDS]
    assert verdicts == ["cost grows"] * len(SEEDS)


def test_noise_that_hides_what_matters_leaves_it_undecided() -> None:
    """An interval that has room for growth is not called steady."""
    seen = drift(noise=0.15)
    assert seen.cost_in_all is not None
    assert seen.cost_in_all.high > 2
    assert seen.verdict == "undecided"


def test_warm_up_is_no_growth() -> None:
    """What the first points bring, and the later ones do not, is left out."""
    points = make_points()
    late = POINTS // 10
    cold = dataclasses.replace(
        points,
        operation_ns=tuple(ns / (2 if i < late else 1) for i, ns in enumerate(points.operation_ns)),
        blocks=tuple(each - 50_000 * (i < late) for i, each in enumerate(points.blocks)),
    )
    assert estimate_drift(CASE, cold).verdict == "steady"


def test_a_few_wild_points_change_nothing() -> None:
    """Every tenth point is ten times as slow, and the slope stays."""
    points = make_points(cost_per_million=0.5)
    wild = tuple(ns * (10 if i % 10 == 3 else 1) for i, ns in enumerate(points.operation_ns))
    seen = estimate_drift(CASE, dataclasses.replace(points, operation_ns=wild))
    assert seen.cost is not None
    assert seen.cost.value == pytest.approx(45, rel=0.1)
    assert seen.verdict == "cost grows"


def test_points_of_a_slow_machine_are_left_out() -> None:
    """A machine that is slow for the last third is not taken for an operation that gets slower."""
    seen = drift(noise=0.002, paces=[1.0] * 40 + [1.4] * 20)
    assert seen.verdict == "steady"
    assert seen.warnings == ()


def test_a_machine_that_keeps_changing_its_speed_is_doubted() -> None:
    """What it can do to the cost is no growth of the operation; much more than that is."""
    paces = [1.0] * 25 + [1.17] * 35
    seen = drift(noise=0.002, paces=paces)
    assert seen.verdict == "undecided"
    assert seen.warnings == ("the machine changed its speed during most of the run",)
    assert drift(noise=0.002, paces=paces, cost_per_million=2.0).verdict == "cost grows"
    assert drift(noise=0.002, paces=paces, blocks_per_call=1.0).verdict == "memory grows"


@pytest.mark.parametrize("count", range(1, FEWEST_POINTS + 1))
def test_too_few_points_are_undecided_and_say_so(count: int) -> None:
    """Nothing is estimated from a handful of points; what to do is said."""
    seen = estimate_drift(CASE, make_points(points=count, blocks_per_call=1.0))
    assert (seen.cost, seen.blocks, seen.bytes, seen.verdict) == (None, None, None, "undecided")
    assert "need at least 10: measure longer" in seen.warnings[0]


def test_memory_that_nobody_tells_is_left_out() -> None:
    """Where neither blocks nor bytes are known, the cost alone is judged."""
    points = dataclasses.replace(make_points(), blocks=(), resident_bytes=())
    seen = estimate_drift(CASE, points)
    assert (seen.blocks, seen.bytes, seen.verdict) == (None, None, "steady")


def test_a_clock_that_sees_nothing_leaves_the_cost_undecided() -> None:
    """Points of 0 ns have no ratio, and no error is made of them."""
    points = make_points(blocks_per_call=1.0)
    zero = dataclasses.replace(points, reference_ns=(0.0,) * POINTS)
    assert estimate_drift(CASE, zero).verdict == "memory grows"
    nothing = dataclasses.replace(points, operation_ns=(0.0,) * POINTS)
    assert estimate_drift(CASE, nothing).cost is None


@pytest.mark.parametrize(
    ("low", "value", "high", "expected"),
    [
        (0.1, 3.0, 5.0, "grows"),
        (0.0, 3.0, 5.0, "undecided"),
        (0.1, 1.0, 1.5, "steady"),
        (0.1, 1.0, 3.0, "undecided"),
        (-5.0, -3.0, -1.0, "steady"),
        (0.0, 0.0, 0.0, "steady"),
        (-5.0, 0.0, 5.0, "undecided"),
    ],
)
def test_growth_has_to_be_certain_and_large(
    low: float, value: float, high: float, expected: str
) -> None:
    """Certain is an interval above 0, large is more than 2; steady is an interval below 2."""
    assert classify_trend(Estimate(value, low, high), 2.0, 2.0) == expected


def test_nothing_known_is_nothing_decided() -> None:
    """A growth that could not be estimated is undecided, and keeps the whole from being steady."""
    assert classify_trend(None, 2.0, 2.0) == "undecided"
    assert combine_trends("undecided", ["steady"]) == "undecided"
    assert combine_trends("steady", ["steady", "undecided"]) == "undecided"
    assert combine_trends("undecided", ["grows", "undecided"]) == "memory grows"


def test_broken_cases_are_left_out_and_failed_ones_are_not() -> None:
    """What a broken case did is not what its name says; a failed one did it until then."""
    result = make_drift_result()
    statuses = ("broken", "failed", "measured")
    cases = tuple(
        make_record(each.case, status) for each, status in zip(result.cases, statuses, strict=True)
    )
    seen = estimate_drifts(dataclasses.replace(result, cases=cases))
    assert [estimate.case.library for estimate in seen] == ["leaky", "slower"]
    assert [each.verdict for each in seen] == ["memory grows", "cost grows"]


def test_no_points_at_all_are_no_error() -> None:
    """One point is the least that a file may hold; it is shown as undecided."""
    assert estimate_drift(CASE, DriftPoints((5,), (1.0,), (1.0,))).verdict == "undecided"
