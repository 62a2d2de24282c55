"""Decides: a case fails only when that is certain, and only outside its acceptable range.

Two stages. All cases are screened with a few workers; what that leaves undecided is confirmed with
fresh workers, which know nothing of why the case was chosen. So the chance of a false alarm is
shared out twice: among all decisions of the screening, and among the few that are confirmed
(Bonferroni's inequality; it asks nothing of how the cases depend on each other). Splitting the data
costs less than it saves, because hundreds of cases are screened and a handful is confirmed. Source:
D. R. Cox, "A note on data-splitting for the evaluation of significance levels", Biometrika 62
(1975), 441-444.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np

from resilience_bench._model import Estimate, Outcome, Verdict
from resilience_bench.quantities import QUANTITIES
from resilience_bench.stats.quantiles import group_by_length
from resilience_bench.stats.trimmed_t import (
    FEWEST,
    Estimates,
    Values,
    estimate_differences,
    estimate_trimmed_means,
)

CONFIDENCE: Final = 0.95
FLAGS: Final = frozenset({"regressed", "improved"})
"""What BASE against itself must not be found to be."""
TINY: Final = 1e-12
"""A quotient of 0 has no logarithm."""
NULL_LEVEL: Final = 0.1
"""How much surer one has to be of a flag: a flag takes the word from all other cases."""


Key = tuple[str, str, bool]
"""A case's name, a quantity, and whether BASE is meant to stand in for HEAD."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How sure the gate has to be, and how much it may measure to become so.

    ``error_rate`` is the chance that a build with nothing outside its range fails. ``miss_rate`` is
    the chance, a look and a case, with which a case on its very limit passes. ``screen`` and
    ``confirm`` are numbers of workers; those of ``confirm`` are fresh ones, counted up.
    ``processes`` are how many, counted up, have to agree on what one process found outside.
    ``confirms_improvements`` asks as many of them for what is a little cheaper as for what is a
    little dearer: no build fails by it, but a history names it.
    """

    error_rate: float = 0.001
    miss_rate: float = 0.05
    screen: int = 14
    confirm: tuple[int, ...] = (24, 72)
    processes: tuple[int, ...] = (3, 7)
    confirms_improvements: bool = False


@dataclass(frozen=True, slots=True)
class Criterion:
    """Whether one quantity of a case lies within its range.

    A budget has one limit only, and no ``expected``. The logarithm of a quantity that is a quotient
    is judged, for what slows code down multiplies. ``is_null`` asks of BASE against itself.
    """

    case: str
    signal: str
    quantity: str
    high: float | None
    low: float | None = None
    expected: float | None = None
    reason: str = ""
    is_null: bool = False

    @property
    def key(self) -> Key:
        """By what the numbers are found that answer it."""
        return self.case, self.quantity, self.is_null

    @property
    def more_is_better(self) -> bool:
        """Whether a case regresses by falling below its range."""
        return QUANTITIES[self.quantity].is_more_better

    def to_cost(self, values: Values) -> Values:
        """Numbers of the quantity on the scale that is judged, where more is worse."""
        if self.more_is_better:
            return -np.log(np.maximum(values, TINY))
        return np.log(np.maximum(values, TINY)) if self.quantity == "ratio" else values

    def from_cost(self, costs: Values) -> Values:
        """The opposite of `to_cost`."""
        if self.more_is_better:
            return np.exp(-costs)
        return np.exp(costs) if self.quantity == "ratio" else costs

    @property
    def limits(self) -> tuple[float, float]:
        """Best and worst acceptable cost; infinite where there is no limit."""
        best, worst = (self.high, self.low) if self.more_is_better else (self.low, self.high)
        return (
            -math.inf if best is None else float(self.to_cost(np.array(best))),
            math.inf if worst is None else float(self.to_cost(np.array(worst))),
        )


@dataclass(frozen=True, slots=True)
class Observations:
    """What is known of one quantity of a case: one number a worker.

    ``bases`` are those of the variant that it is compared with; empty if it is held against a
    stored range.
    """

    heads: tuple[float, ...] = ()
    bases: tuple[float, ...] = ()


Evidence = Mapping[Key, Observations]
DrawEvidence = Callable[[int, Collection[str]], Evidence]
"""``draw(workers, cases)``: that many fresh workers' numbers for these cases, or what there is."""
State = Literal["regressed", "improved", "within", "undecided"]


def extend_evidence(collected: dict[Key, Observations], fresh: Evidence) -> None:
    """Put fresh numbers behind those that were collected before."""
    for key, each in fresh.items():
        before = collected.get(key, Observations())
        collected[key] = Observations(before.heads + each.heads, before.bases + each.bases)


@dataclass(slots=True, eq=False)
class Trial:
    """A question, and what has been found out about it so far."""

    question: Criterion
    state: State = "undecided"
    seen: Estimate | None = None
    p_value: float | None = None
    level: float | None = None
    workers: int = 0
    steps: list[str] = field(default_factory=list)


def decide(questions: Sequence[Criterion], draw: DrawEvidence, policy: Policy) -> list[Verdict]:
    """Answer questions about latencies, drawing as many workers as that takes.

    Args:
        questions: What is asked.
        draw: Has workers measure; it is called once for all cases, then for those undecided.
        policy: The error rate, and how many workers each stage may draw.

    Returns:
        A verdict for each question, in the same order.
    """
    trials = [Trial(each) for each in questions]
    evidence = draw(policy.screen, {each.case for each in questions})
    told = [each for each in trials if _has_enough_observations(each, evidence)]
    if told:
        count = _count_decisions(told)
        level = policy.error_rate / 2 / count
        share = f"half of {policy.error_rate:g} / {count} decisions"
        _judge_trials(
            told, evidence, level, policy.miss_rate, f"screening, level {level:.1e} = {share}"
        )
    heads = [each for each in told if not each.question.is_null and each.state == "undecided"]
    # A flag is confirmed as well: it would take the word from all other cases.
    flags = [each for each in told if each.question.is_null and each.state in FLAGS]
    asked = {each.question.case for each in (*heads, *flags)}
    nulls = [each for each in told if each.question.is_null and each.question.case in asked]
    if asked:
        _confirm(heads, nulls, {each.question.case for each in flags}, draw, policy)
    return [make_verdict(each) for each in trials]


def _confirm(
    heads: list[Trial], nulls: list[Trial], flagged: set[str], draw: DrawEvidence, policy: Policy
) -> None:
    """Look again, with fresh workers only, until everything is decided or the workers are used."""
    trials = heads + nulls
    for each in nulls:
        each.state = "undecided"
    count = _count_decisions(trials)
    level = policy.error_rate / 2 / (count * max(1, len(policy.confirm)))
    share = f"half of {policy.error_rate:g} / {count} decisions / {len(policy.confirm)} looks"
    collected: dict[Key, Observations] = {}
    drawn = 0
    for number, workers in enumerate(policy.confirm, start=1):
        open_cases = {each.question.case for each in heads if each.state == "undecided"}
        open_cases |= flagged if number == 1 else set()
        if not open_cases:
            break
        extend_evidence(collected, draw(workers - drawn, open_cases))
        drawn = workers
        due = [
            each
            for each in trials
            if each.question.case in open_cases
            and (each.state == "undecided" or each.question.is_null)
            and _has_enough_observations(each, collected)
        ]
        title = f"confirmation {number} with fresh workers, level {level:.1e} = {share}"
        _judge_trials(due, collected, level, policy.miss_rate, title)


def _count_decisions(trials: Sequence[Trial]) -> int:
    """Among how many the error rate is shared; BASE against itself never makes a build fail."""
    return max(1, sum(not each.question.is_null for each in trials))


def _has_enough_observations(trial: Trial, evidence: Evidence) -> bool:
    numbers = evidence.get(trial.question.key)
    if numbers is None:
        return False
    return min(map(len, filter(None, (numbers.heads, numbers.bases))), default=0) >= FEWEST


def _judge_trials(
    trials: list[Trial], evidence: Evidence, level: float, miss_rate: float, title: str
) -> None:
    """Judge each question once, on this evidence alone."""
    rows = [evidence[each.question.key] for each in trials]
    kinds: dict[str, list[tuple[Trial, Observations]]] = {}
    for trial, row in zip(trials, rows, strict=True):
        quantity = trial.question.quantity
        kind = quantity if QUANTITIES[quantity].is_quotient else "absolute"
        kinds.setdefault(kind, []).append((trial, row))
    for chosen in kinds.values():
        _judge_same_scale(
            [trial for trial, _ in chosen], [row for _, row in chosen], level, miss_rate
        )
    for trial, row in zip(trials, rows, strict=True):
        trial.level = level
        trial.workers = len(row.heads)
        trial.steps.append(_describe_step(trial, row, title))


def _judge_same_scale(
    trials: list[Trial], rows: list[Observations], level: float, miss_rate: float
) -> None:
    question = trials[0].question
    found = _estimate_costs(rows, question.to_cost)
    best, worst = np.array([each.question.limits for each in trials]).T
    p_worse, p_better = found.compute_p_value_below(worst), found.compute_p_value_above(best)
    # One-sided: where a case on its limit would be seen as low as this once in 1 / miss_rate times.
    surely_better = found.compute_p_value_above(worst) < miss_rate
    ends = np.sort(
        [question.from_cost(each) for each in found.compute_interval(CONFIDENCE)], axis=0
    )
    seen = question.from_cost(found.value), *ends
    for index, trial in enumerate(trials):
        trial.seen = Estimate(*(float(each[index]) for each in seen))
        trial.p_value = float(p_worse[index])
        enough = level * NULL_LEVEL if trial.question.is_null else level
        if p_worse[index] < enough:
            trial.state = "regressed"
        elif p_better[index] < enough:
            trial.state, trial.p_value = "improved", float(p_better[index])
        elif surely_better[index]:
            trial.state = "within"
        else:
            trial.state = "undecided"


def _estimate_costs(rows: list[Observations], scale: Callable[[Values], Values]) -> Estimates:
    heads = _estimate_locations([each.heads for each in rows], scale)
    if not rows[0].bases:
        return heads
    return estimate_differences(heads, _estimate_locations([each.bases for each in rows], scale))


def _estimate_locations(
    rows: Sequence[Sequence[float]], scale: Callable[[Values], Values]
) -> Estimates:
    table = np.empty((3, len(rows)))
    for indices in group_by_length(rows).values():
        found = estimate_trimmed_means(scale(np.array([rows[index] for index in indices])))
        table[:, indices] = found.value, found.error, found.freedom
    return Estimates(*table)


def _describe_step(trial: Trial, row: Observations, title: str) -> str:
    question, seen = trial.question, trial.seen
    counted = f"{len(row.heads)} workers"
    if row.bases:
        counted = f"{len(row.heads)} workers against {len(row.bases)}"
    shown = f"{seen.value:.5g} ({seen.low:.5g} - {seen.high:.5g})" if seen else "nothing"
    return (
        f"{title}: {counted}; seen {shown}, acceptable {describe_limits(question, '.5g')}; "
        f"by chance {trial.p_value:.2g}; {trial.state}"
    )


def describe_limits(question: Criterion, form: str) -> str:
    """The range or the limit of a question in words, with numbers of this format."""
    low, high = (
        None if each is None else format(each, form) for each in (question.low, question.high)
    )
    if low is None or high is None:
        return f"at most {high}" if low is None else f"at least {low}"
    return f"{low} - {high}"


_OUTCOMES: Final[Mapping[State, Outcome]] = {
    "regressed": "regressed",
    "improved": "improved",
    "within": "within",
    "undecided": "inconclusive",
}


def make_verdict(trial: Trial) -> Verdict:
    """The answer to a question, as far as it was found."""
    question = trial.question
    told = trial.seen is not None
    verdict = Verdict(
        question.case,
        question.signal,
        question.quantity,
        _OUTCOMES[trial.state] if told else "not measured",
        question.expected,
        question.low,
        question.high,
        trial.seen,
        trial.p_value,
        trial.level,
        trial.workers,
        question.reason,
        tuple(trial.steps),
    )
    if not told:
        return replace(
            verdict, reason=f"fewer than {FEWEST} workers measured it at the machine's best speed"
        )
    if trial.state == "undecided":
        return replace(verdict, reason="not certain either way with the workers it was given")
    return verdict
