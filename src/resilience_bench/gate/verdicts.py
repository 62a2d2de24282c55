"""What a judgement means for a build, and which of its verdicts matter most."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Final, Literal

from resilience_bench._verdicts import Judgement, Outcome, Verdict
from resilience_bench.quantities import QUANTITIES

WORST_FIRST: Final[tuple[Outcome, ...]] = (
    "regressed",
    "not measured",
    "inconclusive",
    "improved",
    "within",
)
"""A case with several verdicts counts as the first of these."""
SmallChange = Literal["none", "within the range", "possibly below the range"]
"""A change of which a judgement says no more than that nothing regressed."""


def compute_exit_code(judgement: Judgement, *, strict: bool) -> int:
    """Return 1 if a case regressed, 2 if nothing was judged, 3 if strict and undecided, else 0."""
    outcomes = {verdict.outcome for verdict in judgement.verdicts}
    if "regressed" in outcomes:
        return 1
    if not has_measured_verdict(judgement):
        return 2
    return 3 if strict and outcomes & {"inconclusive", "not measured"} else 0


def has_measured_verdict(judgement: Judgement) -> bool:
    """Return whether anything was measured at all, so that there is something to judge."""
    return any(verdict.outcome != "not measured" for verdict in judgement.verdicts)


def sort_worst_first(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Return the verdicts by their outcome, the worst first."""
    return sorted(verdicts, key=lambda verdict: WORST_FIRST.index(verdict.outcome))


def group_by_case(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    """Return the verdicts of each case, in the order of the first one of each."""
    cases: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        cases[verdict.case].append(verdict)
    return cases


def compute_change_size(verdict: Verdict) -> float:
    """Return the change, up or down, as a share of what was expected, or of the limit."""
    against = verdict.high if verdict.expected is None else verdict.expected
    if verdict.seen is None or against is None:
        return 0.0
    difference = abs(verdict.seen.value - against)
    return difference / against if against > 0 else math.inf


def sort_by_change(verdicts: Iterable[Verdict]) -> list[list[Verdict]]:
    """Return the verdicts of each case, the largest change first, among cases and within them."""
    cases = [
        sorted(members, key=compute_change_size, reverse=True)
        for members in group_by_case(verdicts).values()
    ]
    return sorted(cases, key=lambda members: compute_change_size(members[0]), reverse=True)


def find_small_change(verdict: Verdict) -> SmallChange:
    """Return whether a quotient changed within its range: its 95 % interval leaves out 1."""
    seen = verdict.seen
    if seen is None or verdict.outcome != "within" or not QUANTITIES[verdict.quantity].is_quotient:
        return "none"
    if seen.low <= 1 <= seen.high:
        return "none"
    low, high = verdict.low or 0.0, verdict.high or math.inf
    is_outside = seen.high < low or seen.low > high
    return "possibly below the range" if is_outside else "within the range"
