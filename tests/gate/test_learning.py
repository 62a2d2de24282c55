"""Ranges contain what was seen, and loosen only with a reason."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from resilience_bench._model import Case, Estimate, Measurement, Result
from resilience_bench._verdicts import Baseline, Range
from resilience_bench.errors import RefusedLearningError
from resilience_bench.gate import learning
from resilience_bench.quantities import JUDGED, LEARNED_WIDTHS
from tests.factories import (
    make_baseline,
    make_case,
    make_environment,
    make_range,
    make_record,
    make_result,
)

Run = tuple[Result, list[Measurement]]
CASE = make_case()
NAME = CASE.name


def make_run(
    values: Mapping[str, float], case: Case = CASE, status: str = "measured", **more: Any
) -> Run:
    """A run in which one case has these quantities, with 8 workers behind them."""
    quantities = {name: Estimate(value, value, value) for name, value in values.items()}
    measurement = Measurement(case, quantities, workers=8, samples=80)
    return make_result([make_record(case, status)], **more), [measurement]


def learned(quantity: str, *values: float) -> Range:
    """The range that is learned from runs with these values."""
    runs = [make_run({quantity: value}) for value in values]
    return learning.learn(runs, "first").ranges[NAME][quantity]


def of_ratio(each: Range, name: str = NAME) -> Baseline:
    """A baseline with the range of one ratio."""
    return make_baseline({name: {"ratio": each}})


# Learning


def test_expected_is_the_median_and_the_spread_is_relative_to_it() -> None:
    """One odd run moves the spread, not what is expected."""
    found = learned("ratio", 1.0, 1.02, 1.5)
    assert found.expected == 1.02
    assert found.spread == pytest.approx(0.5 / 1.02)


@pytest.mark.parametrize(("quantity", "width"), LEARNED_WIDTHS.items())
def test_runs_that_agree_get_the_least_width(quantity: str, width: float) -> None:
    """Equal values are no reason for a range of no width."""
    found = learned(quantity, 10_000.0, 10_000.0, 10_000.0)
    assert found.low == pytest.approx(10_000 * (1 - width))
    assert found.high == pytest.approx(10_000 * (1 + width))
    assert found.spread == 0


def test_runs_that_disagree_get_a_margin() -> None:
    """A range reaches further than the runs did, on the side on which they did."""
    found = learned("ratio", 1.0, 1.0, 1.4)
    assert (found.low, found.high) == pytest.approx((0.9, 1.6))


@pytest.mark.parametrize("quantity", ["allocated_bytes", "object_bytes"])
def test_bytes_have_a_slack(quantity: str) -> None:
    """Nothing kept, or a hair less than nothing, still leaves room for one small block."""
    for value in (0.0, -0.25):
        found = learned(quantity, value)
        assert (found.expected, found.low, found.high, found.spread) == (0, 0, 16, 0)


@given(
    quantity=st.sampled_from(sorted(JUDGED)),
    values=st.lists(st.just(0.0) | st.floats(1e-6, 1e12), min_size=1, max_size=7),
)
@example(quantity="ratio", values=[1.0, 1.1])
@example(quantity="allocated_bytes", values=[0.0, 40.0])
def test_a_range_contains_every_run_and_is_wide_enough(quantity: str, values: list[float]) -> None:
    """Whatever the runs say, all of them are acceptable, and so is the least width around them."""
    found = learned(quantity, *values)
    assert all(found.low <= value <= found.high for value in values)
    assert found.expected == statistics.median(values)
    width = LEARNED_WIDTHS[quantity]
    assert found.low <= found.expected * (1 - width) * (1 + 1e-9)
    assert found.low >= 0 or JUDGED[quantity].is_difference
    assert found.high >= found.expected * (1 + width) * (1 - 1e-9)
    assert found.runs == len(values)
    assert found.spread >= 0


def test_the_share_of_an_empty_guard_has_a_range_around_nothing() -> None:
    """It is seen a hair below 0 as often as above, and neither is an improvement."""
    found = learned("share", -0.002, -0.001, 0.001)
    assert found.spread == pytest.approx(0.003)
    assert found.expected == -0.001
    assert (found.low, found.high) == pytest.approx((-0.021, 0.019))


def test_workers_are_counted_for_times_and_runs_for_the_rest() -> None:
    """Every worker is a ratio of its own, but a run has one count of instructions."""
    times = dict.fromkeys(("ratio", "scaling", "share"), 1.0)
    runs = [make_run({**times, "instructions": 9.0})] * 3
    found = learning.learn(runs, "first").ranges[NAME]
    for quantity in times:
        assert (found[quantity].workers, found[quantity].runs) == (24, 3)
    assert (found["instructions"].workers, found["instructions"].runs) == (3, 3)


def test_only_what_is_judged_and_finite_is_learned() -> None:
    """Nanoseconds inform only, and what is not a number is nothing to hold others against."""
    values = {"ratio": 1.0, "latency_ns": 5.0, "instructions": float("inf")}
    found = learning.learn([make_run(values)], "first")
    assert list(found.ranges[NAME]) == ["ratio"]


def test_only_cases_that_were_measured_are_learned() -> None:
    """A case that failed in one run rests on the other runs."""
    runs = [make_run({"ratio": 9.0}, status="failed"), make_run({"ratio": 1.0})]
    found = learning.learn(runs, "first").ranges[NAME]["ratio"]
    assert (found.expected, found.runs) == (1.0, 1)


def test_the_rest_comes_from_the_last_run() -> None:
    """Commit, time and version are those of the run that ended last."""
    runs = [make_run({"ratio": 1.0}, ended="2026-01-01"), make_run({"ratio": 1.0}, commit=None)]
    found = learning.learn(runs, "first")
    assert found.learned == runs[1][0].ended
    assert found.commit is None
    assert found.environment == runs[1][0].environment
    assert (found.schema, found.tool_version, found.reason) == (1, "0.1.0", "first")


@pytest.mark.parametrize(
    ("more", "part"),
    [
        ({"reference_version": 2}, "reference_version (1, then 2)"),
        ({"environment": make_environment(cpu_model="x")}, "cpu_model ('AMD EPYC 7B13', then 'x')"),
        ({"environment": make_environment(python_build="x")}, "python_build ("),
        (
            {"environment": make_environment(packages={"pybreaker": "1.4.1", "tenacity": "8"})},
            "packages.tenacity ('9.2.1', then '8')",
        ),
        ({"environment": make_environment(packages={})}, "packages.pybreaker ('1.4.1', then None)"),
    ],
)
def test_runs_that_do_not_belong_together_are_refused(more: dict[str, Any], part: str) -> None:
    """A baseline holds for one environment, so it is learned in one."""
    with pytest.raises(RefusedLearningError) as caught:
        learning.learn([make_run({"ratio": 1.0}), make_run({"ratio": 1.0}, **more)], "first")
    assert f"run 2 differs from run 1 in {part}" in str(caught.value)
    assert "type 'resilience-bench baseline learn'" in str(caught.value)


def test_another_kernel_does_not_matter() -> None:
    """What decides nothing may differ."""
    other = make_run({"ratio": 1.0}, environment=make_environment(kernel="7", os="Ubuntu"))
    assert learning.learn([make_run({"ratio": 1.0}), other], "first").environment.kernel == "7"


@pytest.mark.parametrize(
    ("runs", "part"),
    [([], "there are no runs"), ([make_run({"latency_ns": 1.0})], "nothing was measured")],
)
def test_nothing_to_learn_from_is_refused(runs: Sequence[Run], part: str) -> None:
    """A baseline without ranges would let everything through."""
    with pytest.raises(RefusedLearningError, match=f"cannot learn: {part}"):
        learning.learn(runs, "first")


# What moved


def test_rounding_is_no_move() -> None:
    """What differs by less than 0.1 % does not differ."""
    assert (
        learning.find_range_changes(of_ratio(make_range(1.0)), of_ratio(make_range(1.0005))) == []
    )


@pytest.mark.parametrize(
    ("after", "loosens"),
    [
        (make_range(1.0, high=1.2), True),
        (make_range(1.0, low=0.8), True),
        (make_range(1.05, low=0.95, high=1.1), True),
        (make_range(1.0, high=1.05), False),
        (make_range(1.0, low=0.95), False),
        (make_range(0.95, low=0.9, high=1.1), False),
        (make_range(0.5), False),
        (make_range(0.5, low=0.2, high=0.9), True),
        (make_range(0.8, low=0.6, high=0.8), False),
    ],
)
def test_a_range_loosens_by_its_width_its_high_end_or_what_it_expects(
    after: Range, loosens: Any
) -> None:
    """What gets wider or higher needs a reason; what moves down as a whole does not."""
    [move] = learning.find_range_changes(of_ratio(make_range(1.0)), of_ratio(after))
    assert (move.case, move.quantity, move.after) == (NAME, "ratio", after)
    assert move.loosens is loosens


def test_new_cases_and_those_that_are_gone_move_but_do_not_loosen() -> None:
    """A case that comes or goes is shown, and needs no reason."""
    before, after = of_ratio(make_range(), "a"), of_ratio(make_range(), "b")
    gone, new = learning.find_range_changes(before, after)
    assert (gone.case, gone.after, gone.loosens) == ("a", None, False)
    assert (new.case, new.before, new.loosens) == ("b", None, False)
    assert str(new) == "b ratio no range -> 1 [0.9, 1.1]"
    assert learning.accept(before, after, None) == after


def test_looser_ranges_need_a_reason() -> None:
    """Without one the text counts them, names three and says what to type."""
    before = make_baseline({name: {"ratio": make_range()} for name in "abcde"})
    after = make_baseline({name: {"ratio": make_range(1.5)} for name in "abcd"})
    for reason in (None, " "):
        with pytest.raises(RefusedLearningError) as caught:
            learning.accept(before, after, reason)
        assert str(caught.value) == (
            "cannot learn: 4 ranges would get looser: a ratio 1 [0.9, 1.1] -> 1.5 [1.35, 1.65]; "
            "b ratio 1 [0.9, 1.1] -> 1.5 [1.35, 1.65]; c ratio 1 [0.9, 1.1] -> 1.5 [1.35, 1.65]; "
            '1 more; if that is right, type --accept "reason"'
        )


def test_the_reason_is_kept_with_exactly_what_got_looser() -> None:
    """Each other range keeps the reason that it had, and takes the new numbers."""
    before = make_baseline(
        {
            "a": {"ratio": make_range(reason="old")},
            "b": {"ratio": make_range(reason="old"), "instructions": make_range(reason="older")},
        }
    )
    tighter = make_range(0.95, low=0.9, high=1.0)
    after = make_baseline(
        {
            "a": {"ratio": make_range(2.0)},
            "b": {"ratio": tighter, "instructions": make_range(1.0001)},
            "c": {"ratio": make_range()},
        }
    )
    found = learning.accept(before, after, "the breaker now logs").ranges
    assert found["a"]["ratio"] == make_range(2.0, reason="the breaker now logs")
    assert found["b"]["ratio"] == replace(tighter, reason="old")
    assert found["b"]["instructions"] == make_range(1.0001, reason="older")
    assert found["c"]["ratio"].reason == ""


def test_reasons_do_not_make_a_move() -> None:
    """A range with other words beside the same numbers has not moved."""
    before = of_ratio(make_range())
    after = replace(before, ranges={NAME: {"ratio": make_range(reason="why", runs=9)}})
    assert learning.find_range_changes(before, after) == []
