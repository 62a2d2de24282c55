"""What a flagged null control takes back."""

from __future__ import annotations

import pytest

from resilience_bench._verdicts import Outcome, Verdict
from resilience_bench.gate.criteria import (
    apply_null_control,
    describe_null_failure,
)
from resilience_bench.gate.trial import Criterion
from tests.gate.criteria_factories import ONE, RETRY, TWO, verdict


def doubted(
    *pairs: tuple[Verdict, bool],
) -> tuple[list[Verdict], list[str]]:
    """What the null control makes of verdicts, each with whether it is on BASE itself."""
    questions = [
        Criterion(each.case, each.signal, each.quantity, 1.1, 0.9, 1.0, is_null=is_null)
        for each, is_null in pairs
    ]
    kept, worst = apply_null_control(questions, [each for each, _ in pairs])
    return kept, [describe_null_failure(each, each.case) for each in worst.values()]


@pytest.mark.parametrize("flag", ["regressed", "improved"])
def test_a_flagged_base_takes_the_red_of_its_signal_only(flag: Outcome) -> None:
    """Nobody is blamed for a machine that cannot repeat itself; other signals are not touched."""
    kept, notes = doubted(
        (verdict("regressed"), False),
        (verdict(flag, seen=1.25), True),
        (verdict("improved", case=TWO.name), False),
        (verdict("within", case=RETRY.name), False),
        (verdict("regressed", "instructions"), False),
        (verdict("within", "instructions", 1.0), True),
    )
    assert [each.outcome for each in kept] == ["inconclusive", "improved", "within", "regressed"]
    assert kept[0].reason == "BASE differs from itself, see the note"
    [note] = notes
    assert f"latency of BASE measured twice differs, {ONE.name} by 1.250 times" in note
    assert "no regression in latency is reported" in note


def test_the_note_names_the_worst() -> None:
    """Half is as bad as twice; what differs most is named."""
    _, [note] = doubted(
        (verdict("regressed", seen=1.2), True),
        (verdict("improved", seen=0.5, case=TWO.name), True),
    )
    assert f"{TWO.name} by 0.500 times" in note


@pytest.mark.parametrize("outcome", ["within", "inconclusive", "not measured"])
def test_a_base_that_agrees_with_itself_changes_nothing(outcome: Outcome) -> None:
    """The verdicts on BASE are left out; nobody wants to read those."""
    red = verdict("regressed", seen=1.3)
    assert doubted((red, False), (verdict(outcome), True)) == ([red], [])


def test_each_signal_that_is_flagged_has_a_note() -> None:
    """Two signals, two notes."""
    _, notes = doubted(
        (verdict("regressed", seen=1.2), True), (verdict("regressed", "instructions", 1.2), True)
    )
    assert ["latency" in note for note in notes] == [True, False]


def test_a_base_that_counts_nothing_the_second_time_is_flagged() -> None:
    """A quotient of 0 has no logarithm, which is no reason to end with a traceback."""
    _, [note] = doubted((verdict("improved", "instructions", 0.0), True))
    assert "0.000 times" in note
