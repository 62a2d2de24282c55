"""Decides about latency and scaling: only a certain result outside the acceptable range fails.

There are two stages. All cases are screened with a few workers. What stays undecided is confirmed
with fresh workers, because reusing screening samples would add selection bias; so is what too few
workers measured at the machine's best speed. The error rate is shared by all decisions of the
screening, and again by the few that are confirmed (Bonferroni's inequality, which holds however the
cases depend on each other). Splitting the data costs less than it saves: hundreds of cases are
screened and a handful is confirmed. Source: D. R. Cox, "A note on data-splitting for the evaluation
of significance levels", Biometrika 62 (1975), 441-444.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from resilience_bench._model import Estimate
from resilience_bench._verdicts import Outcome, Verdict
from resilience_bench.errors import format_amount
from resilience_bench.gate.trial import (
    Criterion,
    DrawEvidence,
    Evidence,
    Key,
    Observations,
    Policy,
    Trial,
    extend_evidence,
)
from resilience_bench.quantities import QUANTITIES
from resilience_bench.stats import trimmed_t
from resilience_bench.stats.quantiles import group_by_length
from resilience_bench.stats.trimmed_t import FEWEST, Estimates, Values

CONFIDENCE: Final = 0.95
FLAGS: Final = frozenset({"regressed", "improved"})
"""The states of a null control in which BASE differs from itself."""
NULL_LEVEL: Final = 0.1
"""The level of a null control, as a share of the others': a flag silences all other cases."""

URGENT_CASES: Final = 12
"""So many of the undecided cases, those that look worst, are confirmed before the others."""


@dataclass(frozen=True, slots=True)
class _Level:
    """The level of one decision, and of what it is a part."""

    value: float
    origin: str


def decide(criteria: Sequence[Criterion], draw: DrawEvidence, policy: Policy) -> list[Verdict]:
    """Judge latencies or scalings, in their order, with as many workers as that takes."""
    trials = [Trial(criterion) for criterion in criteria]
    evidence = draw(policy.screen, {criterion.case for criterion in criteria})
    measured = [trial for trial in trials if _has_enough_observations(trial, evidence)]
    count = _count_decisions(measured)
    level = policy.error_rate / 2 / count
    decisions = format_amount(count, "decision")
    title = f"screening, level {level:.1e} = half of {policy.error_rate:g} / {decisions}"
    _judge_trials(measured, evidence, level, policy, title)
    nulls = [trial for trial in measured if trial.criterion.is_null]
    undecided = [trial for trial in measured if trial.state == "undecided"]
    # Measured, but not at the machine's best speed: others cannot be measured, or have no workers.
    undecided += [trial for trial in trials if evidence.get(trial.criterion.key) == Observations()]
    heads = [trial for trial in undecided if not trial.criterion.is_null]
    # Flags are confirmed as well: a flag silences all other cases.
    flagged = {trial.criterion.case for trial in nulls if trial.state in FLAGS}
    doubtful = flagged | {trial.criterion.case for trial in heads}
    if doubtful:
        nulls = [trial for trial in nulls if trial.criterion.case in doubtful]
        _confirm(heads, nulls, flagged, draw, policy)
    return [make_verdict(trial) for trial in trials]


def _confirm(
    heads: list[Trial], nulls: list[Trial], flagged: set[str], draw: DrawEvidence, policy: Policy
) -> None:
    """Judge again, by fresh workers only, until all is decided or the workers are used up.

    The cases that look worst come first, in workers of their own: where time is limited, it goes to
    what most probably fails. Fresh workers know nothing of that order, so it adds no bias.
    """
    trials = heads + nulls
    for trial in nulls:
        trial.state = "undecided"
    count = _count_decisions(trials)
    level = policy.error_rate / 2 / (count * max(1, len(policy.confirm)))
    share = f"half of {policy.error_rate:g} / {format_amount(count, 'decision')} / "
    share += format_amount(len(policy.confirm), "look")
    by_doubt = sorted(heads, key=lambda trial: 1.0 if trial.p_value is None else trial.p_value)
    order = [*sorted(flagged), *(trial.criterion.case for trial in by_doubt)]
    cases = list(dict.fromkeys(order))
    for group in (cases[:URGENT_CASES], cases[URGENT_CASES:]):
        own = [trial for trial in trials if trial.criterion.case in group]
        _look_again(own, flagged.intersection(group), draw, policy, _Level(level, share))


def _look_again(
    trials: Sequence[Trial],
    flagged: Collection[str],
    draw: DrawEvidence,
    policy: Policy,
    level: _Level,
) -> None:
    """Judge some cases again, look by look; each look has the workers of those before it."""
    collected: dict[Key, Observations] = {}
    drawn = 0
    for number, workers in enumerate(policy.confirm, start=1):
        open_cases = {
            trial.criterion.case
            for trial in trials
            if trial.state == "undecided" and not trial.criterion.is_null
        }
        open_cases.update(flagged if number == 1 else ())
        if not open_cases:
            break
        extend_evidence(collected, draw(workers - drawn, open_cases))
        drawn = workers
        due = [
            trial
            for trial in trials
            if trial.criterion.case in open_cases
            and (trial.state == "undecided" or trial.criterion.is_null)
            and _has_enough_observations(trial, collected)
        ]
        title = (
            f"confirmation {number} with fresh workers, level {level.value:.1e} = {level.origin}"
        )
        _judge_trials(due, collected, level.value, policy, title)


def _count_decisions(trials: Sequence[Trial]) -> int:
    """Count the decisions that share the error rate; no null control makes a build fail."""
    return max(1, sum(not trial.criterion.is_null for trial in trials))


def _has_enough_observations(trial: Trial, evidence: Evidence) -> bool:
    numbers = evidence.get(trial.criterion.key, Observations())
    return min(map(len, filter(None, (numbers.heads, numbers.bases))), default=0) >= FEWEST


def _judge_trials(
    trials: list[Trial], evidence: Evidence, level: float, policy: Policy, title: str
) -> None:
    """Judge each criterion once, by this evidence alone."""
    groups = defaultdict[str, list[Trial]](list)
    for trial in trials:
        trial.criterion = trial.criterion.widen_to_floor(evidence)
        quantity = trial.criterion.quantity
        groups[quantity if QUANTITIES[quantity].is_quotient else "absolute"].append(trial)
    for group in groups.values():
        rows = [evidence[trial.criterion.key] for trial in group]
        _judge_same_scale(group, rows, level, policy)
    for trial in trials:
        row = evidence[trial.criterion.key]
        trial.level = level
        trial.workers = len(row.heads)
        trial.steps.append(_describe_step(trial, row, title))


def _judge_same_scale(
    trials: list[Trial], rows: list[Observations], level: float, policy: Policy
) -> None:
    criterion = trials[0].criterion
    costs = _estimate_locations([row.heads for row in rows], criterion.to_cost)
    if rows[0].bases:
        bases = _estimate_locations([row.bases for row in rows], criterion.to_cost)
        costs = trimmed_t.estimate_differences(costs, bases)
    best, worst = np.array([trial.criterion.limits for trial in trials]).T
    p_worse, p_better = costs.compute_p_value_below(worst), costs.compute_p_value_above(best)
    # One-sided: what has to be found would look as good as this once in 1 / miss_rate looks.
    sought = np.array([trial.criterion.compute_sought_cost(policy.sought) for trial in trials])
    surely_smaller = costs.compute_p_value_above(sought) < policy.miss_rate
    is_within = surely_smaller & (costs.value <= worst)
    ends = np.sort([criterion.from_cost(end) for end in costs.compute_interval(CONFIDENCE)], axis=0)
    seen = np.array([criterion.from_cost(costs.value), *ends]).T
    for index, trial in enumerate(trials):
        trial.seen = Estimate(*map(float, seen[index]))
        trial.p_value = float(p_worse[index])
        trial.state = "within" if is_within[index] else "undecided"
        enough = level * NULL_LEVEL if trial.criterion.is_null else level
        if p_worse[index] < enough:
            trial.state = "regressed"
        elif p_better[index] < enough:
            trial.state, trial.p_value = "improved", float(p_better[index])


def _estimate_locations(
    rows: Sequence[Sequence[float]], scale: Callable[[Values], Values]
) -> Estimates:
    table = np.empty((3, len(rows)))
    for indices in group_by_length(rows).values():
        values = scale(np.array([rows[index] for index in indices]))
        found = trimmed_t.estimate_trimmed_means(values)
        table[:, indices] = found.value, found.error, found.freedom
    return Estimates(*table)


def _describe_step(trial: Trial, row: Observations, title: str) -> str:
    seen = trial.seen
    workers = format_amount(len(row.heads), "worker") + (
        f" against {len(row.bases)}" if row.bases else ""
    )
    shown = f"{seen.value:.5g} ({seen.low:.5g} - {seen.high:.5g})" if seen else "nothing"
    return (
        f"{title}: {workers}; seen {shown}, acceptable {describe_limits(trial.criterion, '.5g')}; "
        f"by chance {trial.p_value:.2g}; {trial.state}"
    )


def describe_limits(criterion: Criterion, form: str) -> str:
    """Describe the range or the limit in words, with numbers of this format."""
    if criterion.high is None:
        return f"at least {criterion.low:{form}}"
    if criterion.low is None:
        return f"at most {criterion.high:{form}}"
    return f"{criterion.low:{form}} - {criterion.high:{form}}"


def make_verdict(trial: Trial) -> Verdict:
    """Make the verdict of a criterion, with the reason where it is not decided."""
    criterion = trial.criterion
    outcome: Outcome = "inconclusive" if trial.state == "undecided" else trial.state
    reason = criterion.reason
    if trial.seen is None:
        outcome = "not measured"
        reason = (
            f"fewer than {FEWEST} workers measured it at the machine's best speed; "
            "measure again on a quieter machine"
        )
    elif trial.state == "undecided":
        reason = trial.doubt or "not certain either way with the workers it was given"
    judged = (criterion.case, criterion.signal, criterion.quantity)
    limits = (criterion.expected, criterion.low, criterion.high)
    chances, steps = (trial.p_value, trial.level), tuple(trial.steps)
    return Verdict(*judged, outcome, *limits, trial.seen, *chances, trial.workers, reason, steps)
