"""Which release changed which case, by how much, and how sure that is: pure."""

from __future__ import annotations

import collections
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from resilience_bench._model import CaseRecord
from resilience_bench._verdicts import Outcome, Verdict
from resilience_bench.gate import criteria as gate_criteria
from resilience_bench.gate.trial import Criterion
from resilience_bench.releases.history_file import Decision

CHANGE_OUTCOMES: Final[tuple[Outcome, ...]] = ("regressed", "improved")


@dataclass(frozen=True, slots=True)
class ReleaseCase:
    """A case in a release, compared with the release before: what a key of the gate stands for.

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
    """The decisions of a history; ``counts`` is by outcome, ``headline`` says how sure they are."""

    steps: tuple[Decision, ...]
    undecided: tuple[Decision, ...]
    counts: dict[str, int]
    notes: tuple[str, ...]
    headline: str = ""


def make_release_criteria(
    places: Mapping[str, ReleaseCase], signals: Sequence[str], tolerances: Mapping[str, float]
) -> list[Criterion]:
    """Return the criteria of a history: each release within the tolerance of the one before.

    ``places`` are the cases by the gate's key; ``tolerances`` are by quantity.
    """
    records = {key: place.record for key, place in places.items()}
    return [
        criterion
        for criterion in gate_criteria.make_comparison_criteria(records, signals, tolerances)
        if not criterion.is_null or places[criterion.case].has_null
    ]


def sort_decisions(
    places: Mapping[str, ReleaseCase], criteria: Sequence[Criterion], verdicts: Sequence[Verdict]
) -> SortedDecisions:
    """Sort verdicts, one for each of the criteria of `make_release_criteria`, by outcome.

    They keep their order: by release, case and quantity. A signal in which a release measured twice
    differs from itself shows no steps at all: an improvement is no surer there than a regression.
    """
    judged, worst = gate_criteria.apply_null_control(criteria, verdicts, downgraded=CHANGE_OUTCOMES)
    decisions = [_make_decision(places[verdict.case], verdict) for verdict in judged]
    return SortedDecisions(
        tuple(decision for decision in decisions if decision.outcome in CHANGE_OUTCOMES),
        tuple(decision for decision in decisions if decision.outcome == "inconclusive"),
        dict(collections.Counter(verdict.outcome for verdict in judged)),
        tuple(
            gate_criteria.describe_null_failure(verdict, place.case, place.before)
            for verdict in worst.values()
            if (place := places[verdict.case])
        ),
    )


def _make_decision(place: ReleaseCase, verdict: Verdict) -> Decision:
    seen = verdict.seen
    is_finite = seen is not None and all(map(math.isfinite, (seen.value, seen.low, seen.high)))
    return Decision(
        place.release,
        place.before,
        place.case,
        verdict.signal,
        verdict.quantity,
        verdict.outcome,  # type: ignore[arg-type]  # others are not kept
        seen if is_finite else None,  # a quotient by 0 is no number
        verdict.p_value,
        verdict.level,
        verdict.workers,
        verdict.reason,
    )
