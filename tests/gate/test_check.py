"""What was done wrong under load is said beside the verdicts, and a skipped call is no fast one."""

from __future__ import annotations

import pytest

from resilience_bench._model import Tally
from resilience_bench._verdicts import Judgement, Outcome, Verdict
from resilience_bench.gate.check import add_defects
from tests.factories import make_case
from tests.load_factories import loaded_result, make_loads, make_tally

CASE = make_case("lib").with_load("threads-4", "io")


def judged(outcome: Outcome, tally: Tally, signal: str = "scaling") -> Judgement:
    """A verdict on a case whose calls were counted so."""
    record = make_loads(CASE, [9000.0] * 6, tallies={CASE.name: tally})
    judgement = Judgement("check", (), (Verdict(CASE.name, signal, signal, outcome),), ("before",))
    return add_defects(judgement, loaded_result([record], [CASE]))


@pytest.mark.parametrize("outcome", ["within", "improved"])
@pytest.mark.parametrize("payload_runs", [900, 1100], ids=["too few", "too many"])
def test_no_scaling_is_within_where_the_payload_ran_too_often_or_too_rarely(
    outcome: Outcome, payload_runs: int
) -> None:
    """It is open, and the note says how many there were."""
    reported = judged(outcome, make_tally(payload_runs=payload_runs))
    [verdict] = reported.verdicts
    assert verdict.outcome == "inconclusive"
    assert f"ran {payload_runs:,} times where 1,000 were promised" in verdict.reason
    assert reported.notes[0] == "before"
    assert reported.notes[1] == f"{CASE.name}: {verdict.reason}"


def test_a_regression_stays_one() -> None:
    """Who skips calls and is slow all the same is slow."""
    [verdict] = judged("regressed", make_tally(payload_runs=900)).verdicts
    assert verdict.outcome == "regressed"


def test_other_signals_are_judged_as_they_were() -> None:
    """Instructions and latencies are those of one caller."""
    [verdict] = judged("within", make_tally(payload_runs=900), "latency").verdicts
    assert verdict.outcome == "within"


def test_lost_counts_are_noted() -> None:
    """The calls were made, so their rate holds; but a fast wrong answer is no good result."""
    reported = judged("within", make_tally(lost=17))
    assert reported.verdicts[0].outcome == "within"
    assert reported.notes[1:] == (f"{CASE.name}: loses counts: 17 of 1,000",)


def test_what_did_right_needs_no_note() -> None:
    """Nothing is said where nothing was wrong."""
    assert judged("within", make_tally()).notes == ("before",)
