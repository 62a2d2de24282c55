"""Which release moved what: decisions of the gate, given back to their releases."""

from __future__ import annotations

import math

from resilience_bench._model import CaseRecord, Estimate
from resilience_bench._verdicts import Verdict
from resilience_bench.gate.comparison import TOLERANCES
from resilience_bench.gate.trial import Criterion
from resilience_bench.releases.changes import ReleaseCase, make_release_criteria, sort_decisions
from tests.factories import make_case, make_record

A, B = make_case("tenacity", "retry.a"), make_case("tenacity", "retry.b")
PLACES = {
    f"{release} {case.name}": ReleaseCase(release, before, case.name, make_record(case), has_null)
    for release, before, has_null in (("2.0", "1.0", True), ("3.0", "2.0", False))
    for case in (A, B)
}


def verdict(question: Criterion, outcome: str = "within", change: float = 1.0) -> Verdict:
    """A verdict."""
    return Verdict(
        question.case,
        question.signal,
        question.quantity,
        outcome,  # type: ignore[arg-type]
        1.0,
        0.97,
        1.03,
        Estimate(change, change, change),
        1e-9,
        1e-6,
        12,
    )


def questions() -> list[Criterion]:
    """What is asked of the latency."""
    return make_release_criteria(PLACES, ("latency",), TOLERANCES)


def test_every_case_of_every_pair_is_asked_and_null_controls_where_they_are() -> None:
    """The release that is measured twice is asked of as well, the others are not."""
    assert [(each.case, each.is_null) for each in questions()] == [
        (f"2.0 {A.name}", False),
        (f"2.0 {A.name}", True),
        (f"2.0 {B.name}", False),
        (f"2.0 {B.name}", True),
        (f"3.0 {A.name}", False),
        (f"3.0 {B.name}", False),
    ]


def test_a_case_that_a_release_cannot_do_is_not_asked_of() -> None:
    """What is not available in the newer release has nothing to be compared."""
    record: CaseRecord = make_record(A, "not available", "too old")
    place = ReleaseCase("2.0", "1.0", A.name, record)
    assert make_release_criteria({f"2.0 {A.name}": place}, ("latency",), TOLERANCES) == []


def test_steps_come_by_release_with_what_they_rest_on() -> None:
    """What moved is distinguished from what stayed and from what could not be decided."""
    outcomes = {f"3.0 {A.name}": ("improved", 0.5), f"2.0 {B.name}": ("regressed", 1.5)}
    outcomes[f"3.0 {B.name}"] = ("inconclusive", 1.03)
    verdicts = [
        verdict(each, *outcomes.get(each.case if not each.is_null else "", ("within", 1.0)))
        for each in questions()
    ]
    reported = sort_decisions(PLACES, questions(), verdicts)
    assert [(step.release, step.before, step.case, step.outcome) for step in reported.steps] == [
        ("2.0", "1.0", B.name, "regressed"),
        ("3.0", "2.0", A.name, "improved"),
    ]
    assert reported.steps[0].change == Estimate(1.5, 1.5, 1.5)
    assert (reported.steps[0].p_value, reported.steps[0].level, reported.steps[0].workers) == (
        1e-9,
        1e-6,
        12,
    )
    assert [(each.release, each.case) for each in reported.undecided] == [("3.0", B.name)]
    assert reported.counts == {"within": 1, "regressed": 1, "improved": 1, "inconclusive": 1}
    assert reported.notes == ()


def test_a_release_that_differs_from_itself_takes_the_word_from_the_signal() -> None:
    """Neither a step up nor a step down is reported then, and a note names the release."""
    verdicts = [
        verdict(each, *(("regressed", 1.2) if each.case.endswith(A.name) else ("within", 1.0)))
        if each.is_null
        else verdict(each, "regressed" if each.case.startswith("2.0") else "improved", 1.5)
        for each in questions()
    ]
    reported = sort_decisions(PLACES, questions(), verdicts)
    assert reported.steps == ()
    assert len(reported.undecided) == 4
    [note] = reported.notes
    assert "latency of 1.0 measured twice differs" in note
    assert f"{A.name} by 1.200 times" in note
    assert "no regression in latency is reported" in note


def test_something_in_the_place_of_nothing_has_no_factor() -> None:
    """A quotient by 0 is no number, and no file could hold it."""
    only = {key: place for key, place in PLACES.items() if not place.has_null}
    asks = make_release_criteria(only, ("allocations",), TOLERANCES)
    reported = sort_decisions(only, asks, [verdict(ask, "regressed", math.inf) for ask in asks])
    assert reported.steps
    assert {step.change for step in reported.steps} == {None}
