"""Counts of base against itself, and counts that are drawn again."""

from __future__ import annotations

import pytest

from resilience_bench._verdicts import Outcome
from resilience_bench.gate.decide_counts import decide_counts
from resilience_bench.gate.trial import Key, Observations, Policy, extend_evidence
from tests.gate.decide_factories import Drawing, counted, outcomes, relative


def test_null_pairs_are_judged_with_the_case_that_is_confirmed() -> None:
    """They come with the second draw, and are not measured where nothing is confirmed."""
    questions = [relative(), relative(is_null=True), relative("b", is_null=True)]
    first = {("a", False): Observations((2000.0,), (1000.0,))}
    twice = Observations((2000.0, 2000.0), (1000.0, 1000.0))
    later = {("a", False): twice, ("a", True): Observations((1500.0, 1500.0), (1000.0, 1000.0))}
    verdicts, asked = counted(questions, first, later)
    assert outcomes(verdicts) == ["regressed", "regressed", "not measured"]
    assert asked == [(1, {"a", "b"}), (2, {"a"})]


def null_draws(*nulls: tuple[float, ...]) -> list[dict[tuple[str, bool], Observations]]:
    """HEAD is twice as dear, which is clear; the null control is drawn from the second time on."""
    counts = (1, *map(len, nulls))
    draws = [{("a", False): Observations((2000.0,) * n, (1000.0,) * n)} for n in counts]
    for draw, values in zip(draws[1:], nulls, strict=True):
        draw["a", True] = Observations(values, (1000.0,) * len(values))
    return draws


@pytest.mark.parametrize(
    ("last", "outcome"),
    [((1006.0,) * 4, "regressed"), ((1006.0, 1000.0, 1006.0, 1006.0), "inconclusive")],
    ids=["all agree", "one does not"],
)
def test_a_small_difference_of_the_null_control_takes_more_processes(
    last: tuple[float, ...], outcome: Outcome
) -> None:
    """Two of them would take the word from all other cases by the memory layout alone."""
    questions = [relative(), relative(is_null=True)]
    [_, null], asked = counted(questions, *null_draws((1006.0, 1006.0), last))
    assert null.outcome == outcome
    assert asked == [(1, {"a"}), (2, {"a"}), (4, {"a"})]


def test_a_null_control_that_is_cheaper_than_itself_takes_more_processes_too() -> None:
    """It is flagged in both directions."""
    questions = [relative(), relative(is_null=True)]
    [_, null], asked = counted(
        questions, *null_draws((994.0, 994.0), (994.0, 1000.0, 994.0, 994.0))
    )
    assert (null.outcome, len(asked)) == ("inconclusive", 3)


@pytest.mark.parametrize(
    ("policy", "draws"), [(Policy(), 2), (Policy(confirms_improvements=True), 3)]
)
def test_a_small_improvement_is_confirmed_where_a_policy_asks_for_it(
    policy: Policy, draws: int
) -> None:
    """A history names what became cheaper; no build fails by it."""
    values = [Observations((994.0,) * n, (1000.0,) * n) for n in (1, 2, 4)]
    drawing = Drawing([{("a", "instructions", False): lambda _, n=value: n} for value in values])
    [verdict] = decide_counts([relative()], drawing, policy)
    assert (verdict.outcome, len(drawing.asked)) == ("improved", draws)


def test_a_small_improvement_where_layouts_overlap_is_none() -> None:
    """As for what is costlier: every count of HEAD lies below every one of BASE, or it is open."""
    bases = ((1000.0,), (1000.0, 1000.0), (1000.0, 1000.0, 1000.0, 992.0))
    values = [Observations(tuple(0.993 * base for base in each), each) for each in bases]
    drawing = Drawing([{("a", "instructions", False): lambda _, n=value: n} for value in values])
    [verdict] = decide_counts([relative()], drawing, Policy(confirms_improvements=True))
    assert verdict.outcome == "inconclusive"


def test_a_null_pair_is_no_reason_to_count_again() -> None:
    """Only a doubt about HEAD starts more processes."""
    first = {
        ("a", False): Observations((1000.0,), (1000.0,)),
        ("a", True): Observations((2000.0,), (1000.0,)),
    }
    verdicts, asked = counted([relative(), relative(is_null=True)], first)
    assert outcomes(verdicts) == ["within", "regressed"]
    assert len(asked) == 1


def test_numbers_are_joined_in_their_order() -> None:
    """Fresh numbers stand behind those that were there, for either side."""
    collected: dict[Key, Observations] = {("a", "ratio", False): Observations((1.0,), (2.0,))}
    fresh = {
        ("a", "ratio", False): Observations((3.0,), (4.0,)),
        ("b", "ratio", False): Observations((5.0,)),
    }
    extend_evidence(collected, fresh)
    assert collected == {
        ("a", "ratio", False): Observations((1.0, 3.0), (2.0, 4.0)),
        ("b", "ratio", False): Observations((5.0,)),
    }
