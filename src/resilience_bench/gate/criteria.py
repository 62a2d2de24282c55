"""What the gate is asked: by a baseline, by budgets, by a comparison; and how it is answered."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from resilience_bench._model import Baseline, Budget, Case, CaseRecord, Outcome, Verdict
from resilience_bench.gate.decide import FLAGS, Criterion, Policy, decide
from resilience_bench.gate.decide_counts import decide_counts
from resilience_bench.gate.evidence import EvidenceSource
from resilience_bench.quantities import BUDGETED, COUNT_SIGNALS, JUDGED
from resilience_bench.scenarios.patterns import matches

LOADED_SCREEN: Final = 5
LOADED_CONFIRM: Final = (8, 20)
"""Workers for cases under load; each of them has many callers, and takes long."""
MEASURABLE: Final = frozenset({"measured", "failed", "broken", "interrupted"})
"""What a case may be that is there to be measured."""


def make_baseline_criteria(
    baseline: Baseline, signals: Collection[str], selected: Callable[[str], bool]
) -> list[Criterion]:
    """What a baseline asks of the selected cases."""
    return [
        Criterion(
            name, JUDGED[quantity].signal, quantity, each.high, each.low, each.expected, each.reason
        )
        for name, ranges in baseline.ranges.items()
        if selected(name)
        for quantity, each in ranges.items()
        if JUDGED[quantity].signal in signals
    ]


def make_budget_criteria(
    budgets: Sequence[Budget], signals: Collection[str], records: Iterable[CaseRecord]
) -> list[Criterion]:
    """What budgets ask of the cases that exist and are available."""
    return [
        Criterion(
            record.case.name,
            BUDGETED[budget.quantity].signal,
            budget.quantity,
            high=None if BUDGETED[budget.quantity].is_more_better else budget.limit,
            low=budget.limit if BUDGETED[budget.quantity].is_more_better else None,
            reason=f"budget {budget.cases}: {budget.reason}",
        )
        for record in records
        if record.status in MEASURABLE
        for budget in budgets
        if matches(budget.cases, record.case)
        and BUDGETED[budget.quantity].signal in signals
        and has_signal(record.case, BUDGETED[budget.quantity].signal)
    ]


def has_signal(case: Case, signal: str) -> bool:
    """Whether a case has a signal at all: scaling under load, all others alone."""
    return case.is_loaded is (signal == "scaling")


def judge(questions: Sequence[Criterion], source: EvidenceSource, policy: Policy) -> list[Verdict]:
    """Have everything decided; what cannot be measured is said to be so.

    Counts come first: they take as long as they take, and latency gets what is left of the time.
    Latency and scaling share the error rate, each by the number of its decisions.
    """
    under_load = replace(
        policy,
        screen=LOADED_SCREEN,
        confirm=LOADED_CONFIRM,
        error_rate=policy.error_rate * _compute_share("scaling", questions),
    )
    alone = replace(policy, error_rate=policy.error_rate * _compute_share("latency", questions))
    verdicts: dict[Criterion, Verdict] = {}
    for signals, decider, draw, using in (
        (COUNT_SIGNALS, decide_counts, source.draw_counts, policy),
        ({"scaling"}, decide, source.draw_scalings, under_load),
        ({"latency"}, decide, source.draw_latencies, alone),
    ):
        kind = [each for each in questions if each.signal in signals]
        askable = [each for each in kind if _find_obstacle(each, source) is None]
        answers = decider(askable, draw, using) if askable else []
        decided = dict(zip(askable, answers, strict=True))
        # Explained at once: what measuring the other kind finds out has no part in it.
        verdicts |= {each: _explain_verdict(each, decided.get(each), source) for each in kind}
    return [verdicts[each] for each in questions]


def _compute_share(signal: str, questions: Sequence[Criterion]) -> float:
    """The share of a signal in the decisions that are tested; all of it where there are none."""
    tested = [
        each.signal for each in questions if each.signal not in COUNT_SIGNALS and not each.is_null
    ]
    return tested.count(signal) / len(tested) if tested else 1.0


def _find_obstacle(question: Criterion, source: EvidenceSource) -> str | None:
    """Why a question cannot be answered; None as far as is known."""
    record = source.cases.get(question.case)
    if record is None:
        return "there is no such case any more; 'resilience-bench baseline lint' lists them"
    if question.signal in source.not_available:
        return f"{question.signal}: {source.not_available[question.signal]}"
    if question.signal not in source.signals:
        return f"{question.signal} was not measured"
    if record.status not in {"measured", "interrupted"}:
        return f"{record.status}: {record.reason}"
    return record.missing.get(question.signal)


def _explain_verdict(
    question: Criterion, verdict: Verdict | None, source: EvidenceSource
) -> Verdict:
    if verdict is not None and verdict.outcome != "not measured":
        return verdict
    why = _find_obstacle(question, source)
    if why is None and verdict is not None:
        why = verdict.reason
    found = verdict or Verdict(
        question.case,
        question.signal,
        question.quantity,
        "not measured",
        question.expected,
        question.low,
        question.high,
    )
    return replace(found, reason=why or "its process said nothing of it")


def make_comparison_criteria(
    measured: Mapping[str, CaseRecord],
    signals: Collection[str],
    tolerances: Mapping[str, float],
) -> list[Criterion]:
    """What a comparison asks: is HEAD / BASE within the tolerance? And is BASE / BASE?"""
    asked = []
    for name, record in measured.items():
        if record.status not in MEASURABLE:
            continue
        for quantity, about in JUDGED.items():
            signal = about.signal
            if signal in signals and has_signal(record.case, signal):
                most = 1 + tolerances[quantity]
                asked.append(Criterion(name, signal, quantity, most, 1 / most, 1.0))
                if signal != "allocations":
                    asked.append(
                        Criterion(name, signal, quantity, most, 1 / most, 1.0, is_null=True)
                    )
    return asked


def apply_null_control(
    questions: Sequence[Criterion],
    verdicts: Sequence[Verdict],
    *,
    downgraded: tuple[Outcome, ...] = ("regressed",),
) -> tuple[list[Verdict], dict[str, Verdict]]:
    """Downgrade verdicts on signals in which BASE differs from itself to inconclusive.

    Args:
        questions: The criteria, null controls among them.
        verdicts: One for each criterion.
        downgraded: The outcomes that become inconclusive.

    Returns:
        The verdicts without those on BASE, and the worst of those on BASE by flagged signal.
    """
    pairs = list(zip(questions, verdicts, strict=True))
    worst: dict[str, Verdict] = {}
    for question, verdict in pairs:
        if question.is_null and verdict.outcome in FLAGS:
            other = worst.setdefault(verdict.signal, verdict)
            worst[verdict.signal] = max(other, verdict, key=_compute_distance)
    reason = "BASE differs from itself, see the note"
    return [
        replace(verdict, outcome="inconclusive", reason=reason)
        if verdict.signal in worst and verdict.outcome in downgraded
        else verdict
        for question, verdict in pairs
        if not question.is_null
    ], worst


def describe_null_failure(verdict: Verdict, case: str, base: str = "BASE") -> str:
    """Describe in which case, and by how much, BASE differs from itself."""
    seen = f"{verdict.seen.value:.3f} times" if verdict.seen else "not"
    return (
        f"null control: {verdict.signal} of {base} measured twice differs, {case} by {seen}; no "
        f"regression in {verdict.signal} is reported: measure again on a quieter machine"
    )


def _compute_distance(verdict: Verdict) -> float:
    """How far a quotient lies from 1, where half is as far as twice."""
    seen = verdict.seen.value if verdict.seen else 1.0
    return abs(math.log(seen)) if seen > 0 else math.inf


def find_cases_without_range(records: Iterable[CaseRecord], baseline: Baseline) -> list[str]:
    """The cases that were measured and that the baseline knows nothing of."""
    return [
        record.case.name
        for record in records
        if record.status == "measured" and record.case.name not in baseline.ranges
    ]


def make_headline(policy: Policy, verdicts: Sequence[Verdict]) -> str:
    """How sure the gate is, in a line."""
    decisions = len(verdicts)
    counted = "1 decision" if decisions == 1 else f"{decisions} decisions"
    timed = sum(each.signal in {"latency", "scaling"} for each in verdicts)
    if not timed:
        return counted
    return (
        f"{counted}, {timed} of them on latency or scaling: these make a build with nothing "
        f"outside its range fail by chance in fewer than {policy.error_rate:g} of all builds"
    )


def select_relevant(verdicts: Iterable[Verdict], *arms: Mapping[str, CaseRecord]) -> list[Verdict]:
    """The verdicts without those on cases that nobody has ever been able to measure.

    Args:
        verdicts: What was decided; those that rest on a stored range are always relevant.
        arms: What became of the cases in each variant.
    """
    absent = {"not available", "not installed"}
    return [
        each
        for each in verdicts
        if each.outcome != "not measured"
        or (each.low is not None and len(arms) == 1)
        or any(each.case in arm and arm[each.case].status not in absent for arm in arms)
    ]
