"""The screening, and the criteria: what is judged, to which level, on which scale."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from resilience_bench._verdicts import Outcome
from resilience_bench.gate.decide import decide
from resilience_bench.gate.trial import Criterion, Key, Observations, Policy
from resilience_bench.stats.trimmed_t import FEWEST
from tests.gate.decide_factories import (
    POLICY,
    Drawing,
    around,
    compared,
    decided,
    outcomes,
    ranged,
    spread,
)


@pytest.mark.parametrize(
    ("value", "outcome"), [(1.0, "within"), (1.5, "regressed"), (0.5, "improved")]
)
def test_what_is_clear_at_screening_is_not_drawn_again(value: float, outcome: Outcome) -> None:
    """A case far from its limits on either side is settled by the first workers."""
    [verdict], asked = decided([ranged()], around(value))
    assert verdict.outcome == outcome
    assert asked == [(POLICY.screen, {"a"})]
    assert verdict.workers == POLICY.screen
    assert verdict.seen
    assert verdict.seen.low < verdict.seen.value < verdict.seen.high
    assert verdict.seen.value == pytest.approx(value, rel=0.01)
    assert (verdict.expected, verdict.low, verdict.high) == (1.0, 0.9, 1.1)
    assert len(verdict.steps) == 1


def test_the_level_of_the_screening_is_shared_by_all_decisions() -> None:
    """Half of the error rate is for the screening, and each decision has its part of it."""
    questions = [ranged(case) for case in "abcde"]
    draws: dict[Key, Callable[[int], Observations]] = {}
    for case in "abcd":
        draws |= around(1.0, case=case)
    verdicts, _ = decided(questions, draws)
    levels = [verdict.level for verdict in verdicts]
    # Nobody measured "e", so it is no decision.
    assert levels == [pytest.approx(POLICY.error_rate / 2 / 4)] * 4 + [None]


def test_a_regression_is_certain_to_its_level_only() -> None:
    """The chance of a red verdict lies below its level, that of a green one says nothing."""
    for value in np.linspace(1.05, 1.3, 30):
        [verdict], asked = decided([ranged()], around(float(value), 0.05))
        assert verdict.p_value is not None
        assert verdict.level is not None
        assert (verdict.outcome == "regressed") == (verdict.p_value < verdict.level)
        assert len(asked) <= 1 + len(POLICY.confirm)


def test_verdicts_are_in_the_order_of_the_questions() -> None:
    """Whatever their outcomes and numbers of draws are."""
    values = {"e": 1.0, "b": 1.5, "d": 1.09, "a": 0.5, "c": 1.0}
    draws: dict[Key, Callable[[int], Observations]] = {}
    for case, value in values.items():
        draws |= around(value, 0.05, case)
    verdicts, _ = decided([ranged(case) for case in [*values, "lost"]], draws)
    assert [verdict.case for verdict in verdicts] == [*values, "lost"]
    assert outcomes(verdicts)[:2] == ["within", "regressed"]
    assert outcomes(verdicts)[3:] == ["improved", "within", "not measured"]


def test_one_case_may_be_asked_several_questions() -> None:
    """A range and a budget of the same case are decided one by one, from one draw."""
    questions = [ranged(), Criterion("a", "latency", "overhead_ns", 100.0)]
    reported = around(1.0) | around(150.0, quantity="overhead_ns")
    verdicts, asked = decided(questions, reported)
    assert outcomes(verdicts) == ["within", "regressed"]
    assert len(asked) == 1


@pytest.mark.parametrize("workers", range(1, FEWEST))
def test_too_few_workers_measure_nothing(workers: int) -> None:
    """A handful of numbers says nothing about its own spread, whatever it is."""
    key = ("a", "ratio", False)
    [verdict], asked = decided([ranged()], {key: lambda _: spread(9.0, workers)})
    assert verdict.outcome == "not measured"
    at_speed = "measured it at the machine's best speed; measure again on a quieter machine"
    assert verdict.reason == f"fewer than {FEWEST} workers {at_speed}"
    assert (verdict.seen, verdict.p_value, verdict.steps) == (None, None, ())
    assert len(asked) == 1


@pytest.mark.parametrize(("heads", "bases"), [(FEWEST - 1, 20), (20, FEWEST - 1)])
def test_both_variants_need_enough_workers(heads: int, bases: int) -> None:
    """A comparison is as uncertain as its poorer half."""
    numbers = Observations(spread(9.0, heads).heads, spread(1.0, bases).heads)
    [verdict], _ = decided([compared("a")], {("a", "ratio", False): lambda _: numbers})
    assert verdict.outcome == "not measured"


def test_cases_may_have_different_numbers_of_workers() -> None:
    """Slow cases are measured by fewer workers, and judged among the others all the same."""
    reported = {
        ("a", "ratio", False): lambda _: spread(1.0, 14),
        ("b", "ratio", False): lambda _: spread(1.5, 5),
        ("c", "ratio", False): lambda _: spread(1.0, 14),
    }
    verdicts, _ = decided([ranged(case) for case in "abc"], reported)
    assert outcomes(verdicts) == ["within", "regressed", "within"]
    assert [verdict.workers for verdict in verdicts] == [14, 5, 14]


def test_nothing_asked_is_nothing_decided() -> None:
    """Without questions there are no verdicts."""
    assert decided([], {})[0] == []


@pytest.mark.parametrize(
    ("value", "outcome"), [(50.0, "within"), (-20.0, "within"), (150.0, "regressed")]
)
def test_a_budget_has_an_upper_end_only(value: float, outcome: Outcome) -> None:
    """An overhead is judged in ns, may be negative, and is never too small."""
    question = Criterion("a", "latency", "overhead_ns", 100.0, reason="budget a: why")
    [verdict], asked = decided([question], around(value, quantity="overhead_ns"))
    assert verdict.outcome == outcome
    assert (verdict.low, verdict.expected, verdict.high) == (None, None, 100.0)
    assert verdict.reason == "budget a: why"
    assert len(asked) == 1


def test_a_budget_is_judged_on_a_linear_scale() -> None:
    """What is seen is the mean of the ns, not that of their logarithms."""
    values = (-10.0, 0.0, 10.0, 20.0)
    question = Criterion("a", "latency", "overhead_ns", 1000.0)
    reported = {("a", "overhead_ns", False): lambda _: Observations(values)}
    [verdict], _ = decided([question], reported)
    assert verdict.seen
    assert verdict.seen.value == pytest.approx(5.0)


def test_a_ratio_is_judged_on_a_logarithmic_scale() -> None:
    """What slows code down multiplies: what is seen is a geometric mean."""
    reported = {("a", "ratio", False): lambda _: Observations((1.0, 2.0, 4.0, 8.0))}
    [verdict], _ = decided([Criterion("a", "latency", "ratio", 1e6, 1e-6, 1.0)], reported)
    assert verdict.seen
    assert verdict.seen.value == pytest.approx(math.sqrt(8))


def test_a_range_that_starts_at_zero_has_no_lower_end() -> None:
    """The logarithm of zero does not exist, and nothing is cheaper than free."""
    question = Criterion("a", "latency", "ratio", 1.1, 0.0, 1.0)
    assert outcomes(decided([question], around(0.01))[0]) == ["within"]


def test_workers_that_all_agree_are_certain() -> None:
    """Numbers without any spread make no NaN: the verdict is what they say."""
    for value, outcome in ((1.0, "within"), (1.2, "regressed"), (0.8, "improved")):
        [verdict], _ = decided([ranged()], around(value, 0.0))
        assert verdict.outcome == outcome
        assert verdict.p_value in (0.0, 1.0)


def test_a_policy_may_have_no_confirmation() -> None:
    """What the screening leaves undecided then stays so."""
    drawing = Drawing([around(1.1)])
    [verdict] = decide([ranged()], drawing, Policy(confirm=()))
    assert verdict.outcome == "inconclusive"
    assert drawing.asked == [(POLICY.screen, {"a"})]
