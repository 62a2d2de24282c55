"""The criteria of baselines, budgets and comparisons, and the judging of all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from resilience_bench._model import Case, CaseRecord
from resilience_bench._verdicts import Baseline, Budget, Outcome, Verdict
from resilience_bench.errors import format_amount
from resilience_bench.gate.decide import FLAGS, decide, make_verdict
from resilience_bench.gate.decide_counts import decide_counts
from resilience_bench.gate.evidence import EvidenceSource
from resilience_bench.gate.trial import Criterion, Policy, Trial
from resilience_bench.quantities import (
    BUDGETED,
    COUNT_SIGNALS,
    JUDGED,
    LOAD_SIGNALS,
    QUANTITIES,
)
from resilience_bench.scenarios.patterns import matches

LOADED_SCREEN: Final = 5
LOADED_CONFIRM: Final = (8, 20)
"""Workers for cases under load: few, because each of them has many callers and takes long."""
EXISTING_STATUSES: Final = frozenset({"measured", "failed", "broken", "interrupted"})
"""The statuses of cases that exist here, whether or not they could be measured."""


def make_baseline_criteria(
    baseline: Baseline, signals: Collection[str], selected: Callable[[str], bool]
) -> list[Criterion]:
    """Make the criteria of a baseline for the selected cases."""
    return [
        Criterion(name, signal, quantity, bounds.high, bounds.low, bounds.expected, bounds.reason)
        for name, ranges in baseline.ranges.items()
        if selected(name)
        for quantity, bounds in ranges.items()
        if (signal := JUDGED[quantity].signal) in signals
    ]


def make_budget_criteria(
    budgets: Sequence[Budget], signals: Collection[str], records: Iterable[CaseRecord]
) -> list[Criterion]:
    """Make the criteria of budgets for the cases that exist and are available."""
    return [
        Criterion(
            record.case.name,
            quantity.signal,
            budget.quantity,
            high=None if quantity.is_more_better else budget.limit,
            low=budget.limit if quantity.is_more_better else None,
            reason=f"budget {budget.cases}: {budget.reason}",
        )
        for record in records
        if record.status in EXISTING_STATUSES
        for budget in budgets
        for quantity in [BUDGETED[budget.quantity]]
        if matches(budget.cases, record.case)
        and quantity.signal in signals
        and has_signal(record.case, quantity.signal)
    ]


def has_signal(case: Case, signal: str) -> bool:
    """Return whether a case has a signal: share around a real call, scaling under a load."""
    if case.is_real:
        return signal == "share"
    return signal == "scaling" if case.is_loaded else signal not in LOAD_SIGNALS


def judge(criteria: Sequence[Criterion], source: EvidenceSource, policy: Policy) -> list[Verdict]:
    """Draw evidence and judge every criterion; a verdict says why something was not measured.

    Counts come first, because their time is fixed: latency gets the time that is left. Latency and
    the signals under load divide the error rate in proportion to their decisions.
    """
    under_load = replace(
        policy,
        screen=LOADED_SCREEN,
        confirm=LOADED_CONFIRM,
        error_rate=policy.error_rate * _compute_proportion(LOAD_SIGNALS, criteria),
        sought=1.0,
    )
    alone = replace(
        policy, error_rate=policy.error_rate * _compute_proportion(("latency",), criteria)
    )
    verdicts: dict[Criterion, Verdict] = {}
    for signals, decider, draw, limited in (
        (COUNT_SIGNALS, decide_counts, source.draw_counts, policy),
        (LOAD_SIGNALS, decide, source.draw_loads, under_load),
        (("latency",), decide, source.draw_latencies, alone),
    ):
        own = [criterion for criterion in criteria if criterion.signal in signals]
        obstacles = _find_obstacles(own, source)
        possible = [criterion for criterion in own if criterion not in obstacles]
        if possible:
            verdicts |= zip(possible, decider(possible, draw, limited), strict=True)
        # Explained before other signals are measured, which may fail for reasons of their own.
        obstacles = _find_obstacles(own, source)
        for criterion in own:
            verdict = verdicts.get(criterion) or make_verdict(Trial(criterion))
            if verdict.outcome == "not measured":
                verdict = replace(verdict, reason=obstacles.get(criterion, verdict.reason))
            verdicts[criterion] = verdict
    return [verdicts[criterion] for criterion in criteria]


def _compute_proportion(signals: Collection[str], criteria: Sequence[Criterion]) -> float:
    """Return the proportion of signals in the decisions that are tested; 1 if there are none."""
    tested = [
        criterion.signal
        for criterion in criteria
        if criterion.signal not in COUNT_SIGNALS and not criterion.is_null
    ]
    return sum(signal in signals for signal in tested) / len(tested) if tested else 1.0


def _find_obstacles(criteria: Sequence[Criterion], source: EvidenceSource) -> dict[Criterion, str]:
    """Return the criteria that cannot be judged, as far as is known, and why."""
    records, found = source.cases, {}
    for criterion in criteria:
        signal, record = criterion.signal, records.get(criterion.case)
        if record is None:
            reason = "there is no such case any more; 'resilience-bench baseline lint' lists them"
        elif signal in source.not_available:
            reason = f"{signal}: {source.not_available[signal]}"
        elif signal not in source.signals:
            reason = f"{signal} was not measured"
        elif record.status not in {"measured", "interrupted"}:
            reason = f"{record.status}: {record.reason}"
        elif signal in record.missing:
            reason = record.missing[signal]
        else:
            continue
        found[criterion] = reason
    return found


def make_comparison_criteria(
    records: Mapping[str, CaseRecord],
    signals: Collection[str],
    tolerances: Mapping[str, float],
) -> list[Criterion]:
    """Make the criteria of a comparison: is HEAD / BASE within the tolerance, and BASE / BASE?

    A share is compared by its difference, because it may be 0.
    """
    return [
        Criterion(
            name, quantity.signal, quantity.name, high, low, quantity.unchanged, is_null=is_null
        )
        for name, record in records.items()
        if record.status in EXISTING_STATUSES
        for quantity in JUDGED.values()
        if quantity.signal in signals and has_signal(record.case, quantity.signal)
        for low, high in [quantity.compute_limits(quantity.unchanged, tolerances[quantity.name])]
        for is_null in ((False,) if quantity.signal == "allocations" else (False, True))
    ]


def apply_null_control(
    criteria: Sequence[Criterion],
    verdicts: Sequence[Verdict],
    *,
    downgraded: tuple[Outcome, ...] = ("regressed",),
) -> tuple[list[Verdict], dict[str, Verdict]]:
    """Take verdicts back where BASE differs from itself; return its worst flag by signal too."""
    pairs = list(zip(criteria, verdicts, strict=True))
    flags = [flag for criterion, flag in pairs if criterion.is_null and flag.outcome in FLAGS]
    worst = {
        signal: max((flag for flag in flags if flag.signal == signal), key=_compute_distance)
        for signal in dict.fromkeys(flag.signal for flag in flags)
    }
    reason = "BASE differs from itself, see the note"
    return [
        replace(verdict, outcome="inconclusive", reason=reason)
        if verdict.signal in worst and verdict.outcome in downgraded
        else verdict
        for criterion, verdict in pairs
        if not criterion.is_null
    ], worst


def describe_null_failure(verdict: Verdict, case: str, base: str = "BASE") -> str:
    """Describe in which case, and by how much, BASE differs from itself."""
    seen = "not"
    if verdict.seen:
        times = "" if QUANTITIES[verdict.quantity].is_difference else " times"
        seen = f"{verdict.seen.value:.3f}{times}"
    return (
        f"null control: {verdict.signal} of {base} measured twice differs, {case} by {seen}; no "
        f"regression in {verdict.signal} is reported: measure again on a quieter machine"
    )


def _compute_distance(verdict: Verdict) -> float:
    """Return how far a quotient lies from 1, where half is as far as twice, or a share from 0."""
    if QUANTITIES[verdict.quantity].is_difference:
        return abs(verdict.seen.value) if verdict.seen else 0.0
    seen = verdict.seen.value if verdict.seen else 1.0
    return abs(math.log(seen)) if seen > 0 else math.inf


def find_cases_without_range(records: Iterable[CaseRecord], baseline: Baseline) -> list[str]:
    """Return the cases that were measured but have no range in the baseline."""
    return [
        record.case.name
        for record in records
        if record.status == "measured" and record.case.name not in baseline.ranges
    ]


def make_headline(policy: Policy, verdicts: Sequence[Verdict]) -> str:
    """Say in a line how certain the gate is."""
    count = len(verdicts)
    decisions = format_amount(count, "decision")
    timed = sum(verdict.signal not in COUNT_SIGNALS for verdict in verdicts)
    if not timed:
        return decisions
    return (
        f"{decisions}, {timed} of them on times, which fail a healthy build "
        f"with a probability below {policy.error_rate:g}"
    )


def select_relevant(
    verdicts: Iterable[Verdict], *variants: Mapping[str, CaseRecord]
) -> list[Verdict]:
    """Leave out verdicts on cases that no variant has, unless they rest on a stored range."""
    absent = {"not available", "not installed"}
    return [
        verdict
        for verdict in verdicts
        if verdict.outcome != "not measured"
        or (verdict.low is not None and len(variants) == 1)
        or any(
            verdict.case in records and records[verdict.case].status not in absent
            for records in variants
        )
    ]
