"""Which release moved which case, by how much, and how sure that is: pure."""

from __future__ import annotations

import collections
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from resilience_bench._model import CaseRecord, Verdict
from resilience_bench.gate.criteria import apply_null_control, make_comparison_criteria
from resilience_bench.gate.decide import Criterion
from resilience_bench.quantities import JUDGED
from resilience_bench.releases.history_file import Decision

CHANGE_OUTCOMES: Final = frozenset({"regressed", "improved"})


@dataclass(frozen=True, slots=True)
class ReleaseCase:
    """What a key of the gate stands for: a case in a release, against the release before.

    ``record`` is what is known of the case; ``has_null`` says whether the release before is
    measured once more.
    """

    release: str
    before: str
    case: str
    record: CaseRecord
    has_null: bool = False


@dataclass(frozen=True, slots=True)
class SortedDecisions:
    """What was decided in a history; ``counts`` is by outcome."""

    steps: tuple[Decision, ...]
    undecided: tuple[Decision, ...]
    counts: dict[str, int]
    notes: tuple[str, ...]


def make_release_criteria(
    places: Mapping[str, ReleaseCase], signals: Sequence[str], tolerances: Mapping[str, float]
) -> list[Criterion]:
    """What a history asks: is a release / the one before within the tolerance, for every case?

    Args:
        places: By the gate's key.
        signals: Those that are measured.
        tolerances: By quantity, see `resilience_bench.gate.comparison.TOLERANCES`.
    """
    records = {key: place.record for key, place in places.items()}
    questions = make_comparison_criteria(records, signals, tolerances)
    return [each for each in questions if not each.is_null or places[each.case].has_null]


def sort_decisions(
    places: Mapping[str, ReleaseCase], questions: Sequence[Criterion], verdicts: Sequence[Verdict]
) -> SortedDecisions:
    """Sort what was decided.

    A signal in which a release measured twice differs from itself shows no steps at all, as in a
    comparison of two variants.

    Args:
        places: By the gate's key.
        questions: What `make_release_criteria` returned.
        verdicts: The answers, in the same order.
    """
    flagged = _find_flagged_signals(questions, verdicts)
    judged, notes = apply_null_control(questions, verdicts)
    judged = [_doubt_improvement(each) if each.signal in flagged else each for each in judged]
    decisions = [_make_decision(places[each.case], each) for each in judged]
    outcomes = [each.outcome for each in judged]
    pairs = list(zip(outcomes, decisions, strict=True))
    return SortedDecisions(
        _sort(places, (each for outcome, each in pairs if outcome in CHANGE_OUTCOMES)),
        _sort(places, (each for outcome, each in pairs if outcome == "inconclusive")),
        dict(collections.Counter(outcomes)),
        tuple(_name_release(places, note) for note in notes),
    )


def _find_flagged_signals(questions: Sequence[Criterion], verdicts: Sequence[Verdict]) -> set[str]:
    pairs = zip(questions, verdicts, strict=True)
    return {
        each.signal
        for question, each in pairs
        if question.is_null and each.outcome in CHANGE_OUTCOMES
    }


def _doubt_improvement(verdict: Verdict) -> Verdict:
    """An improvement is no surer than a regression where a release differs from itself."""
    if verdict.outcome != "improved":
        return verdict
    reason = "a release differs from itself, see the note"
    return replace(verdict, outcome="inconclusive", reason=reason)


def _make_decision(place: ReleaseCase, verdict: Verdict) -> Decision:
    seen = verdict.seen
    is_finite = seen is not None and all(map(math.isfinite, (seen.value, seen.low, seen.high)))
    return Decision(
        place.release,
        place.before,
        place.case,
        verdict.signal,
        verdict.quantity,
        verdict.outcome,  # type: ignore[arg-type]  # only those that may be are kept
        seen if is_finite else None,  # something in the place of nothing is no multiple of it
        verdict.p_value,
        verdict.level,
        verdict.workers,
        verdict.reason,
    )


def _sort(places: Mapping[str, ReleaseCase], decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """By release, then by signal as they are listed, then in the order of the cases."""
    releases = list(dict.fromkeys(place.release for place in places.values()))
    cases = list(dict.fromkeys(place.case for place in places.values()))
    quantities = list(JUDGED)
    return tuple(
        sorted(
            decisions,
            key=lambda each: (
                releases.index(each.release),
                cases.index(each.case),
                quantities.index(each.quantity),
            ),
        )
    )


def _name_release(places: Mapping[str, ReleaseCase], note: str) -> str:
    """A note on the null control with the release's name in it, instead of BASE."""
    place = next((place for key, place in places.items() if f", {key} by" in note), None)
    if place is None:
        return note
    said = note.replace(f"{place.release} {place.case}", place.case)
    said = said.replace("of BASE measured", f"of {place.before} measured")
    return said.replace("no verdict on", "no step of").replace(" is red", " is told")
