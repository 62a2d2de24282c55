"""Comparisons of two variants, and base against itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from resilience_bench._verdicts import Outcome
from resilience_bench.gate.trial import Key, Observations
from tests.gate.decide_factories import POLICY, compared, decided, outcomes, pair


def versus(
    head: float, case: str = "a", share: float = 0.01, *, is_null: bool = False
) -> dict[Key, Callable[[int], Observations]]:
    """A draw in which HEAD, or BASE once more, has numbers around a multiple of BASE's."""
    return {(case, "ratio", is_null): lambda workers: pair(head, 1.0, workers, share)}


@pytest.mark.parametrize(
    ("head", "outcome"), [(1.0, "within"), (1.3, "regressed"), (0.7, "improved")]
)
def test_a_comparison_sees_head_divided_by_base(head: float, outcome: Outcome) -> None:
    """The estimate is a quotient, and 1 is what is expected."""
    [verdict], asked = decided([compared("a")], versus(head))
    assert verdict.outcome == outcome
    assert verdict.seen
    assert verdict.seen.value == pytest.approx(head, rel=0.01)
    assert len(asked) == 1


def test_the_null_control_takes_no_part_of_the_error_rate() -> None:
    """BASE against itself is judged like HEAD, but never makes a build fail."""
    questions = [compared("a"), compared("b"), compared("a", is_null=True)]
    reported = versus(1.0) | versus(1.0, "b") | versus(1.5, is_null=True)
    verdicts, _ = decided(questions, reported)
    assert outcomes(verdicts) == ["within", "within", "regressed"]
    assert [verdict.level for verdict in verdicts] == pytest.approx([POLICY.error_rate / 2 / 2] * 3)


def test_a_null_control_alone_is_judged() -> None:
    """Where only BASE has numbers there is no decision to share with, and no division by zero."""
    [verdict], asked = decided([compared("a", is_null=True)], versus(1.03, is_null=True))
    assert verdict.outcome == "inconclusive"
    assert verdict.level == pytest.approx(POLICY.error_rate / 2)
    assert len(asked) == 1


def test_the_null_control_is_no_reason_to_draw() -> None:
    """A doubt about BASE itself costs no more workers when there is none about HEAD."""
    questions = [compared("a"), compared("a", is_null=True)]
    verdicts, asked = decided(questions, versus(1.0) | versus(1.03, is_null=True))
    assert outcomes(verdicts) == ["within", "inconclusive"]
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("fresh", "outcome"), [(1.0, "within"), (1.5, "regressed"), (0.5, "improved")]
)
def test_the_null_control_is_confirmed_with_its_case(fresh: float, outcome: Outcome) -> None:
    """Where HEAD is measured again, so is BASE against itself, also if it was fine before."""
    questions = [compared("a"), compared("a", is_null=True), compared("b", is_null=True)]
    first = versus(1.03) | versus(1.0, is_null=True) | versus(1.0, "b", is_null=True)
    later = versus(1.3) | versus(fresh, is_null=True)
    verdicts, asked = decided(questions, first, later)
    assert outcomes(verdicts) == ["regressed", outcome, "within"]
    assert [cases for _, cases in asked] == [{"a", "b"}, {"a"}]
    # One decision about HEAD; BASE against itself is none.
    confirmed = POLICY.error_rate / 2 / len(POLICY.confirm)
    assert [verdict.level for verdict in verdicts[:2]] == pytest.approx([confirmed] * 2)


@pytest.mark.parametrize(("again", "outcome"), [(1.0, "within"), (1.5, "regressed")])
def test_a_flag_of_the_null_control_is_confirmed(again: float, outcome: str) -> None:
    """BASE differs from itself only if fresh workers say so too; they are drawn for that."""
    questions = [compared("a"), compared("a", is_null=True)]
    first = versus(1.0) | versus(1.5, is_null=True)
    verdicts, asked = decided(questions, first, versus(1.0) | versus(again, is_null=True))
    assert outcomes(verdicts) == ["within", outcome]
    assert [cases for _, cases in asked] == [{"a"}, {"a"}]
