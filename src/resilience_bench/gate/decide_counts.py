"""Decides about instructions and allocations, which hardly vary: processes have to agree.

The memory layout alone moves the instructions of some operations, because names collide in
CPython's method cache or do not; so what looks like a difference has to be so in several layouts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from resilience_bench._model import Estimate, Verdict
from resilience_bench.gate.decide import (
    FLAGS,
    Criterion,
    DrawEvidence,
    Evidence,
    Observations,
    Policy,
    Trial,
    describe_limits,
    extend_evidence,
    make_verdict,
)

CLEAR: Final = 8.0
"""So many times as far as its range reaches lies a count beyond it that no memory layout makes."""


def decide_counts(
    questions: Sequence[Criterion], draw: DrawEvidence, policy: Policy
) -> list[Verdict]:
    """Answer questions about instructions and allocations, which hardly vary.

    One process settles what lies within its range. What does not is measured again, by fresh
    processes with other hash seeds and another memory layout; it fails if all of them say so. The
    layout alone moves some counts by half a per cent and more, so where three processes agree on a
    difference as small as that, more of them have to. So have those of the null control, which
    would take the word from all other cases.

    Args:
        questions: What is asked.
        draw: Has a process measure; first once for all cases, then for those outside their range.
        policy: How many processes have to agree.

    Returns:
        A verdict for each question, in the same order.
    """
    trials = [Trial(each) for each in questions]
    collected = dict(draw(1, {each.case for each in questions}))
    _judge_counts(trials, collected)
    drawn = 1
    for processes in policy.processes:
        doubtful = _select_outside(trials) if drawn == 1 else _select_unsure(trials, policy)
        asked = {each.question.case for each in doubtful}
        if not asked:
            break
        extend_evidence(collected, draw(processes - drawn, asked))
        again = [each for each in trials if each.question.case in asked]
        _judge_counts(again, collected)
        if drawn > 1:
            for trial in again:
                _reject_overlap(trial, collected.get(trial.question.key, Observations()))
        drawn = processes
    return [_make_count_verdict(each) for each in trials]


def _select_outside(trials: Sequence[Trial]) -> list[Trial]:
    """What one process has found outside its range; the null control has no say yet."""
    return [
        each
        for each in trials
        if each.seen is not None and each.state != "within" and not each.question.is_null
    ]


def _select_unsure(trials: Sequence[Trial], policy: Policy) -> list[Trial]:
    """What several processes agree on that a memory layout could do as well."""
    return [
        each
        for each in trials
        if each.state in FLAGS
        and (each.state == "regressed" or each.question.is_null or policy.confirms_improvements)
        and not _is_clear(each)
    ]


def _is_clear(trial: Trial) -> bool:
    """Whether a count lies further outside its range than any memory layout could put it."""
    question, seen = trial.question, trial.seen
    assert seen is not None
    limit = question.high if trial.state == "regressed" else question.low
    if limit is None or question.expected is None:
        return False
    beyond = question.expected + CLEAR * (limit - question.expected)
    return seen.low >= beyond if trial.state == "regressed" else seen.high <= beyond


def _judge_counts(trials: Sequence[Trial], evidence: Evidence) -> None:
    for trial in trials:
        question = trial.question
        row = evidence.get(question.key, Observations())
        values = [value for value in _compute_values(row) if not math.isnan(value)]
        if not values:
            continue
        trial.seen = Estimate(float(np.median(values)), min(values), max(values))
        trial.workers = len(values)
        low = -math.inf if question.low is None else question.low
        high = math.inf if question.high is None else question.high
        if trial.seen.low > high:
            trial.state = "regressed"
        elif trial.seen.high < low:
            trial.state = "improved"
        elif low <= trial.seen.value <= high:
            trial.state = "within"
        else:
            trial.state = "undecided"
        shown = ", ".join(f"{value:,.6g}" for value in values)
        trial.steps.append(
            f"{_describe_processes(len(values))}: {shown}; acceptable "
            f"{describe_limits(question, ',.6g')}; "
            f"{trial.state}"
        )


def _reject_overlap(trial: Trial, row: Observations) -> None:
    """Take a small difference back where the layouts of HEAD and BASE overlap.

    Pairs may all agree by chance where layouts differ by more than the tolerance; that every count
    of HEAD lies above every one of BASE happens once in 3,432 times with seven of each.
    """
    if trial.state not in FLAGS or not row.bases:
        return
    lower, upper = row.bases, row.heads
    if trial.state == "improved":
        lower, upper = upper, lower
    if min(upper) <= max(lower):
        trial.state = "undecided"
        trial.steps.append("the counts of HEAD and BASE overlap; undecided")


def _compute_values(row: Observations) -> list[float]:
    if not row.bases:
        return list(row.heads)
    return [
        head / base if base else math.inf if head else 1.0
        for head, base in zip(row.heads, row.bases, strict=False)
    ]


def _describe_processes(processes: int) -> str:
    return "1 process" if processes == 1 else f"all {processes} processes"


def _make_count_verdict(trial: Trial) -> Verdict:
    verdict = make_verdict(trial)
    if trial.seen is None:
        return replace(verdict, reason="no process measured it")
    if trial.state in {"regressed", "improved"}:
        said = f"{_describe_processes(trial.workers)} {'says' if trial.workers == 1 else 'say'} so"
        reason = f"{said}; {verdict.reason}" if verdict.reason else said
        return replace(verdict, reason=reason)
    if trial.state == "undecided":
        return replace(verdict, reason=f"{trial.workers} processes do not agree")
    return verdict
