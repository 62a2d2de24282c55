"""Decides about instructions and allocations, which hardly vary: processes have to agree.

The memory layout alone moves the instructions of some operations, because names collide in
CPython's method cache or do not; so a difference has to be there in several layouts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from resilience_bench._model import Estimate
from resilience_bench._verdicts import Verdict
from resilience_bench.gate import decide
from resilience_bench.gate.decide import FLAGS
from resilience_bench.gate.trial import (
    Criterion,
    DrawEvidence,
    Evidence,
    Observations,
    Policy,
    State,
    Trial,
    extend_evidence,
)

CLEAR: Final = 8.0
"""Beyond this many half-widths of its range, memory layout cannot explain a count."""


def decide_counts(
    criteria: Sequence[Criterion], draw: DrawEvidence, policy: Policy
) -> list[Verdict]:
    """Judge instructions and allocations.

    One process is enough for a count within its range. A count outside is measured again, by fresh
    processes with other hash seeds and another memory layout; it fails if all of them agree. The
    layout alone moves some counts by half a per cent and more, so a difference as small as that
    needs more processes to agree. So does a null control, which would silence all other cases.
    The verdicts are in the order of the criteria.
    """
    trials = [Trial(criterion) for criterion in criteria]
    collected = dict(draw(1, {criterion.case for criterion in criteria}))
    _judge_counts(trials, collected)
    drawn = 1
    for processes in policy.processes:
        is_doubtful = _is_outside if drawn == 1 else partial(_is_unsure, policy)
        cases = {trial.criterion.case for trial in trials if is_doubtful(trial)}
        if not cases:
            break
        extend_evidence(collected, draw(processes - drawn, cases))
        again = [trial for trial in trials if trial.criterion.case in cases]
        _judge_counts(again, collected)
        if drawn > 1:
            for trial in again:
                _reject_overlap(trial, collected.get(trial.criterion.key, Observations()))
        drawn = processes
    for trial in trials:
        _reject_single_layouts(trial, collected.get(trial.criterion.key, Observations()), policy)
    return [_make_count_verdict(trial) for trial in trials]


def _is_outside(trial: Trial) -> bool:
    """Return whether one process found it outside its range; null controls do not matter yet."""
    return trial.seen is not None and trial.state != "within" and not trial.criterion.is_null


def _is_unsure(policy: Policy, trial: Trial) -> bool:
    """Return whether several processes agree on what memory layout could explain."""
    is_harmless = trial.state == "improved" and not trial.criterion.is_null
    if trial.state not in FLAGS or (is_harmless and not policy.confirms_improvements):
        return False
    return not _is_clear(trial)


def _is_clear(trial: Trial) -> bool:
    """Return whether a count is too far outside its range for memory layout to explain it."""
    criterion, seen = trial.criterion, trial.seen
    assert seen is not None
    limit = criterion.high if trial.state == "regressed" else criterion.low
    if limit is None or criterion.expected is None:
        return False
    beyond = criterion.expected + CLEAR * (limit - criterion.expected)
    return seen.low >= beyond if trial.state == "regressed" else seen.high <= beyond


def _judge_counts(trials: Sequence[Trial], evidence: Evidence) -> None:
    for trial in trials:
        row = evidence.get(trial.criterion.key, Observations())
        values = [value for value in _compute_values(row) if not math.isnan(value)]
        if not values:
            continue
        trial.seen = Estimate(float(np.median(values)), min(values), max(values))
        trial.workers = len(values)
        trial.state = _find_state(trial.criterion, trial.seen)
        shown = ", ".join(f"{value:,.6g}" for value in values)
        trial.steps.append(
            f"{_describe_processes(len(values))}: {shown}; acceptable "
            f"{decide.describe_limits(trial.criterion, ',.6g')}; {trial.state}"
        )


def _find_state(criterion: Criterion, seen: Estimate) -> State:
    low = -math.inf if criterion.low is None else criterion.low
    high = math.inf if criterion.high is None else criterion.high
    if seen.low > high:
        return "regressed"
    if seen.high < low:
        return "improved"
    return "within" if low <= seen.value <= high else "undecided"


def _reject_overlap(trial: Trial, row: Observations) -> None:
    """Take a small difference back where the layouts of HEAD and BASE overlap.

    Pairs may all agree by chance where layouts differ by more than the tolerance; that every count
    of HEAD lies above every one of BASE happens once in 3,432 times with seven of each.
    """
    if trial.state not in FLAGS or not row.bases:
        return
    sides = row.bases, row.heads
    lower, upper = sides if trial.state == "regressed" else reversed(sides)
    if min(upper) <= max(lower):
        trial.state = "undecided"
        trial.steps.append("the counts of HEAD and BASE overlap; undecided")


def _reject_single_layouts(trial: Trial, row: Observations, policy: Policy) -> None:
    """Take back a small difference in instructions that stored files have too few layouts for.

    What is measured now has as many processes as it takes; a file may have one.
    """
    if trial.criterion.signal != "instructions" or trial.state not in FLAGS or not row.bases:
        return
    if trial.workers < policy.processes[0] and not _is_clear(trial):
        trial.state = "undecided"
        trial.doubt = (
            f"{_describe_processes(trial.workers)} of each: another memory layout may explain it"
        )
        trial.steps.append(f"{trial.doubt}; undecided")


def _compute_values(row: Observations) -> list[float]:
    pairs = zip(row.heads, row.bases, strict=False)
    if not row.bases:
        return list(row.heads)
    return [head / base if base else math.inf if head else 1.0 for head, base in pairs]


def _describe_processes(processes: int) -> str:
    return "1 process" if processes == 1 else f"all {processes} processes"


def _make_count_verdict(trial: Trial) -> Verdict:
    verdict = decide.make_verdict(trial)
    reason = verdict.reason
    if trial.seen is None:
        reason = "no process measured it"
    elif trial.state in FLAGS:
        say = "says" if trial.workers == 1 else "say"
        reason = f"{_describe_processes(trial.workers)} {say} so{reason and f'; {reason}'}"
    elif trial.state == "undecided":
        reason = trial.doubt or f"{trial.workers} processes do not agree"
    return replace(verdict, reason=reason)
