"""The confirmation: what is drawn again, and what the fresh numbers decide."""

from __future__ import annotations

import pytest

from resilience_bench._verdicts import Outcome
from resilience_bench.gate.decide import URGENT_CASES
from resilience_bench.gate.trial import Criterion, Observations
from tests.gate.decide_factories import POLICY, around, decided, outcomes, ranged, spread

FIRST, SECOND = POLICY.confirm


def test_what_is_borderline_is_drawn_again_for_its_case_only() -> None:
    """The others are settled and cost no more time; each draw is of fresh workers, counted up."""
    reported = around(1.1) | around(1.0, case="b")
    verdicts, asked = decided([ranged(), ranged("b")], reported)
    assert asked == [
        (POLICY.screen, {"a", "b"}),
        (FIRST, {"a"}),
        (SECOND - FIRST, {"a"}),
    ]
    assert outcomes(verdicts) == ["inconclusive", "within"]
    assert verdicts[0].reason == "not certain either way with the workers it was given"
    assert (verdicts[0].workers, len(verdicts[0].steps)) == (SECOND, 3)
    assert verdicts[0].level == pytest.approx(POLICY.error_rate / 2 / (1 * len(POLICY.confirm)))


@pytest.mark.parametrize(
    ("fresh", "outcome"), [(1.0, "within"), (1.5, "regressed"), (0.5, "improved")]
)
def test_a_confirmation_is_judged_on_fresh_numbers_alone(fresh: float, outcome: Outcome) -> None:
    """What made a case doubtful is no evidence any more: fresh workers start from nothing."""
    [verdict], asked = decided([ranged()], around(1.1, 0.05), around(fresh))
    assert asked == [(POLICY.screen, {"a"}), (FIRST, {"a"})]
    assert verdict.outcome == outcome
    assert verdict.workers == FIRST
    assert verdict.seen
    assert verdict.seen.value == pytest.approx(fresh, rel=0.01)


@pytest.mark.parametrize(
    ("fresh", "outcome"), [(1.0, "within"), (1.5, "regressed"), (0.5, "improved")]
)
def test_what_was_screened_below_the_best_speed_is_confirmed(
    fresh: float, outcome: Outcome
) -> None:
    """A machine that was rarely at its best speed gets more time, but no case that failed."""
    slow = {("a", "ratio", False): lambda _: Observations()} | around(1.0, case="b")
    asking = [ranged(), ranged("b"), ranged("lost")]
    verdicts, asked = decided(asking, slow, around(fresh))
    assert asked == [(POLICY.screen, {"a", "b", "lost"}), (FIRST, {"a"})]
    assert outcomes(verdicts) == [outcome, "within", "not measured"]
    assert verdicts[0].level == pytest.approx(POLICY.error_rate / 2 / len(POLICY.confirm))


def test_a_machine_that_is_never_at_its_best_speed_measures_nothing() -> None:
    """All looks are tried, and the verdict says what to do."""
    [verdict], asked = decided([ranged()], {("a", "ratio", False): lambda _: Observations()})
    assert verdict.outcome == "not measured"
    assert verdict.reason.endswith("measure again on a quieter machine")
    assert len(asked) == 1 + len(POLICY.confirm)


def test_the_second_look_has_all_fresh_workers() -> None:
    """The draws of a confirmation add up; those of the screening never join them."""
    [verdict], _ = decided([ranged()], around(1.1), around(1.09, 0.2), around(1.0))
    assert verdict.workers == SECOND
    assert verdict.seen
    assert 1.0 < verdict.seen.value < 1.09


def test_the_level_of_a_confirmation_is_shared_by_what_is_confirmed() -> None:
    """The other half of the error rate is divided by the doubtful decisions and the looks."""
    reported = around(1.1) | around(1.1, case="b") | around(1.0, case="c")
    verdicts, _ = decided([ranged(case) for case in "abc"], reported)
    confirmed = POLICY.error_rate / 2 / (2 * len(POLICY.confirm))
    screened = POLICY.error_rate / 2 / 3
    assert [verdict.level for verdict in verdicts] == pytest.approx(
        [confirmed, confirmed, screened]
    )


def test_all_levels_together_are_the_error_rate() -> None:
    """Bonferroni: what all looks may err sums up to what a build may."""
    reported = around(1.1) | around(1.1, case="b") | around(1.0, case="c")
    verdicts, _ = decided([ranged(case) for case in "abc"], reported)
    screening = 3 * POLICY.error_rate / 2 / 3
    confirming = sum(
        (len(verdict.steps) - 1) * (verdict.level or 0)
        for verdict in verdicts
        if len(verdict.steps) > 1
    )
    assert screening + confirming == pytest.approx(POLICY.error_rate)


def test_a_case_that_is_settled_leaves_the_confirmation() -> None:
    """The second look asks only for what the first has left open."""
    questions = [ranged(case) for case in "abc"]
    doubt = around(1.1) | around(1.1, case="b") | around(1.0, case="c")
    later = around(1.5) | around(1.1, case="b")
    verdicts, asked = decided(questions, doubt, later)
    assert [cases for _, cases in asked] == [{"a", "b", "c"}, {"a", "b"}, {"b"}]
    assert outcomes(verdicts) == ["regressed", "inconclusive", "within"]


def test_a_settled_question_of_a_doubtful_case_stays_settled() -> None:
    """Fresh workers for one quantity of a case do not reopen what is known of another."""
    questions = [ranged(), Criterion("a", "latency", "overhead_ns", 100.0)]
    first = around(1.1) | around(50.0, quantity="overhead_ns")
    later = around(1.0) | around(150.0, quantity="overhead_ns")
    verdicts, _ = decided(questions, first, later)
    assert outcomes(verdicts) == ["within", "within"]
    assert verdicts[1].workers == POLICY.screen


def test_a_draw_that_brings_nothing_leaves_it_open() -> None:
    """Time is up, or every worker failed: what was doubtful is inconclusive, never passed."""
    [verdict], asked = decided([ranged()], around(1.1), {})
    assert verdict.outcome == "inconclusive"
    assert verdict.workers == POLICY.screen
    assert len(asked) == 3


def test_a_confirmation_with_too_few_workers_leaves_it_open() -> None:
    """Three fresh workers decide nothing, even when they are far out."""
    few = {("a", "ratio", False): lambda _: spread(9.0, 1)}
    [verdict], _ = decided([ranged()], around(1.1), few)
    assert verdict.outcome == "inconclusive"


def test_the_cases_that_look_worst_are_confirmed_first() -> None:
    """They have workers of their own, so that a limit of time does not spread these thin."""
    names = [f"case{number:02}" for number in range(URGENT_CASES + 3)]
    shares = [1.1 + 0.0001 * number for number in range(len(names))]
    reported = {
        key: made
        for name, value in zip(names, shares, strict=True)
        for key, made in around(value, 0.05, name).items()
    }
    verdicts, asked = decided([ranged(name) for name in names], reported)
    worst, others = set(names[3:]), set(names[:3])
    assert asked == [
        (POLICY.screen, set(names)),
        (FIRST, worst),
        (SECOND - FIRST, worst),
        (FIRST, others),
        (SECOND - FIRST, others),
    ]
    level = POLICY.error_rate / 2 / (len(names) * len(POLICY.confirm))
    assert [verdict.level for verdict in verdicts] == pytest.approx([level] * len(names))
