"""Decisions on scaling, where more is better."""

from __future__ import annotations

import pytest

from resilience_bench._verdicts import Outcome
from resilience_bench.gate.trial import Criterion, Observations
from tests.gate.decide_factories import around, decided, pair


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [(1.3, "improved"), (1.0, "within"), (0.7, "regressed")],
    ids=["more", "the same", "less"],
)
def test_more_of_a_scaling_is_better(seen: float, outcome: Outcome) -> None:
    """A case under load regresses by falling below its range, and its interval is in order."""
    question = Criterion("a", "scaling", "scaling", 1.1, 0.9, 1.0)
    (verdict,), _ = decided([question], around(seen, quantity="scaling"))
    assert verdict.outcome == outcome
    assert verdict.seen is not None
    assert verdict.seen.low < verdict.seen.value < verdict.seen.high
    assert verdict.seen.value == pytest.approx(seen, rel=0.01)


@pytest.mark.parametrize(("seen", "outcome"), [(0.95, "within"), (0.06, "regressed")])
def test_a_budget_of_scaling_is_the_least(seen: float, outcome: Outcome) -> None:
    """It has a lower end only, and the explanation says so."""
    question = Criterion("a", "scaling", "scaling", None, 0.8)
    (verdict,), _ = decided([question], around(seen, quantity="scaling"))
    assert verdict.outcome == outcome
    assert "acceptable at least 0.8" in verdict.steps[0]
    assert (verdict.low, verdict.high) == (0.8, None)


def test_a_scaling_of_nothing_is_judged() -> None:
    """Callers that get nothing done are as bad as can be, and no error."""
    question = Criterion("a", "scaling", "scaling", None, 0.8)
    (verdict,), _ = decided(
        [question], {("a", "scaling", False): lambda workers: Observations((0.0,) * workers)}
    )
    assert verdict.outcome == "regressed"


def test_a_comparison_of_scaling_fails_where_head_gets_less_done() -> None:
    """HEAD divided by BASE, where less is worse."""
    question = Criterion("a", "scaling", "scaling", 1.1, 1 / 1.1, 1.0)
    draw = {("a", "scaling", False): lambda workers: pair(0.06, 0.9, workers)}
    (verdict,), _ = decided([question], draw)
    assert verdict.outcome == "regressed"
    assert verdict.seen is not None
    assert verdict.seen.value == pytest.approx(0.0667, rel=0.02)
