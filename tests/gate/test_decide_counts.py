"""Decisions on counts of instructions and allocations."""

from __future__ import annotations

import math

import pytest

from resilience_bench._verdicts import Outcome
from resilience_bench.gate.decide_counts import decide_counts
from resilience_bench.gate.trial import Criterion, Observations, Policy
from tests.gate.decide_factories import POLICY, Drawing, counted, outcomes, relative


def counts(
    case: str = "a", *, is_null: bool = False, low: float | None = 990.0, high: float = 1010.0
) -> Criterion:
    """Whether a case still takes about 1000 instructions."""
    expected = None if low is None else (low + high) / 2
    return Criterion(case, "instructions", "instructions", high, low, expected, is_null=is_null)


def heads(*values: float) -> dict[tuple[str, bool], Observations]:
    """A draw in which processes counted so much."""
    return {("a", False): Observations(values)}


@pytest.mark.parametrize("value", [990.0, 1000.0, 1010.0])
def test_one_process_settles_what_is_within(value: float) -> None:
    """Both ends belong to the range, and nobody counts twice what is fine."""
    [verdict], asked = counted([counts()], heads(value))
    assert verdict.outcome == "within"
    assert asked == [(1, {"a"})]
    assert (verdict.workers, verdict.p_value) == (1, None)


@pytest.mark.parametrize(("value", "outcome"), [(1081.0, "regressed"), (989.0, "improved")])
def test_what_is_outside_has_to_be_confirmed_by_all(value: float, outcome: Outcome) -> None:
    """Fresh processes are asked, for this case only, and they all say so."""
    first = {**heads(value), ("b", False): Observations((1000.0,))}
    [verdict, other], asked = counted(
        [counts(), counts("b")], first, heads(value + 0.5, value - 0.5)
    )
    assert (verdict.outcome, other.outcome) == (outcome, "within")
    assert asked == [(1, {"a", "b"}), (2, {"a"})]
    assert verdict.workers == POLICY.processes[0]
    assert verdict.reason == f"all {POLICY.processes[0]} processes say so"
    assert verdict.seen
    assert (verdict.seen.low, verdict.seen.value, verdict.seen.high) == (
        value - 0.5,
        value,
        value + 0.5,
    )


@pytest.mark.parametrize(
    ("last", "outcome"),
    [((1011.0,) * 4, "regressed"), ((1011.0, 1011.0, 1009.0, 1011.0), "inconclusive")],
    ids=["all agree", "one does not"],
)
def test_a_small_difference_takes_more_processes(last: tuple[float, ...], outcome: Outcome) -> None:
    """What a memory layout may do by itself is red only if seven layouts say so."""
    [verdict], asked = counted([counts()], heads(1011.0), heads(1012.0, 1029.0), heads(*last))
    assert (verdict.outcome, verdict.workers) == (outcome, POLICY.processes[1])
    assert asked == [(1, {"a"}), (2, {"a"}), (4, {"a"})]


@pytest.mark.parametrize(
    ("bases", "outcome"),
    [((1000.0,) * 4, "regressed"), ((1000.0, 1000.0, 1000.0, 1008.0), "inconclusive")],
    ids=["apart", "overlapping"],
)
def test_small_differences_of_variants_whose_layouts_overlap_fail_nobody(
    bases: tuple[float, ...], outcome: Outcome
) -> None:
    """All pairs may agree by chance where layouts alone differ by more than the tolerance."""
    draws = [
        {("a", False): Observations((1006.0,) * len(value), value)}
        for value in ((1000.0,), (1000.0, 1000.0))
    ]
    last = {("a", False): Observations(tuple(1.007 * base for base in bases), bases)}
    [verdict], _ = counted([relative()], *draws, last)
    assert verdict.outcome == outcome


@pytest.mark.parametrize(
    ("later", "outcome"),
    [((1000.0, 1000.0), "within"), ((1020.0, 1000.0), "inconclusive"), ((1020.0,), "regressed")],
)
def test_processes_that_disagree_fail_nobody(later: tuple[float, ...], outcome: Outcome) -> None:
    """One that lies within is enough; where most do, so does the case."""
    [verdict], _ = counted([counts()], heads(1020.0), heads(*later))
    assert verdict.outcome == outcome


def test_processes_that_disagree_are_said_to() -> None:
    """Undecided counts say why."""
    [verdict], _ = counted([counts()], heads(1020.0), heads(1020.0, 1000.0))
    assert verdict.reason == "3 processes do not agree"


def test_a_budget_of_counts_has_an_upper_end_only() -> None:
    """Nothing is too cheap for a budget, and its reason is shown beside who says so."""
    question = Criterion("a", "instructions", "instructions", 1010.0, reason="budget a: why")
    assert outcomes(counted([question], heads(1.0))[0]) == ["within"]
    draws = heads(2000.0), heads(2000.0, 2000.0), heads(*[2000.0] * 4)
    [verdict], _ = counted([question], *draws)
    assert verdict.outcome == "regressed"
    assert verdict.reason == "all 7 processes say so; budget a: why"


@pytest.mark.parametrize("numbers", [None, Observations(), Observations((math.nan,))])
def test_what_nobody_counted_is_not_measured(numbers: Observations | None) -> None:
    """No number is no verdict, and no reason to start more processes."""
    [verdict], asked = counted([counts()], {("a", False): numbers} if numbers else {})
    assert (verdict.outcome, verdict.reason) == ("not measured", "no process measured it")
    assert len(asked) == 1


def test_one_process_may_have_to_do() -> None:
    """A policy of one process draws no other."""
    drawing = Drawing([{("a", "instructions", False): lambda _: Observations((2000.0,))}])
    [verdict] = decide_counts([counts()], drawing, Policy(processes=()))
    assert (verdict.outcome, len(drawing.asked)) == ("regressed", 1)
    assert verdict.reason == "1 process says so"


def test_a_stored_file_that_has_no_more_to_tell_is_judged_on_what_it_holds() -> None:
    """Processes that all say so are enough, however many there are."""
    [verdict], asked = counted([counts()], heads(2000.0, 2001.0), {})
    assert (verdict.outcome, verdict.workers, len(asked)) == ("regressed", 2, 2)


@pytest.mark.parametrize(
    ("head", "base", "outcome"),
    [
        (1000.0, 1000.0, "within"),
        (1004.0, 1000.0, "within"),
        (1006.0, 1000.0, "regressed"),
        (990.0, 1000.0, "improved"),
        (0.0, 0.0, "within"),
    ],
)
def test_counts_of_two_variants_are_divided(head: float, base: float, outcome: Outcome) -> None:
    """Process by process: the third of HEAD against the third of BASE."""
    draw = {("a", False): Observations((head,), (base,))}
    [verdict], _ = counted(
        [relative()], draw, {("a", False): Observations((head,) * 2, (base,) * 2)}
    )
    assert verdict.outcome == outcome


def test_what_costs_something_where_it_cost_nothing_regressed() -> None:
    """HEAD keeps bytes, BASE keeps none: that is no missing number, it is infinitely costlier."""
    draw = {("a", False): Observations((4096.0,), (0.0,))}
    [verdict], _ = counted([relative()], draw, {})
    assert verdict.outcome == "regressed"


@pytest.mark.parametrize(
    ("head", "processes", "outcome"),
    [
        (1012.0, 1, "inconclusive"),
        (988.0, 2, "inconclusive"),
        (1012.0, 3, "regressed"),
        (1100.0, 1, "regressed"),
        (900.0, 1, "improved"),
        (1001.0, 1, "within"),
    ],
)
def test_files_with_few_layouts_prove_large_steps_only(
    head: float, processes: int, outcome: Outcome
) -> None:
    """Stored files give no fresh processes: one or two layouts may explain a small difference."""
    draw = {("a", False): Observations((head,) * processes, (1000.0,) * processes)}
    [verdict], _ = counted([relative()], draw, {})
    assert verdict.outcome == outcome
    assert ("another memory layout" in verdict.reason) is (outcome == "inconclusive")
    assert ("undecided" in verdict.steps[-1]) is (outcome == "inconclusive")
