"""Decides about latency and scaling: only a certain result outside the acceptable range fails.

There are two stages. All cases are screened with a few workers, and what stays undecided is
confirmed with fresh workers: reusing screening samples would add selection bias. The error rate is
shared by all decisions of the screening, and again by the few that are confirmed (Bonferroni's
inequality, which holds however the cases depend on each other). Splitting the data costs less than
it saves: hundreds of cases are screened and a handful is confirmed. Source: D. R. Cox, "A note on
data-splitting for the evaluation of significance levels", Biometrika 62 (1975), 441-444.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np

from resilience_bench._model import Estimate
from resilience_bench._verdicts import Outcome, Verdict
from resilience_bench.errors import format_amount
from resilience_bench.quantities import QUANTITIES
from resilience_bench.stats import trimmed_t
from resilience_bench.stats.quantiles import group_by_length
from resilience_bench.stats.trimmed_t import FEWEST, Estimates, Values

CONFIDENCE: Final = 0.95
FLAGS: Final = frozenset({"regressed", "improved"})
"""The states of a null control in which BASE differs from itself."""
TINY: Final = 1e-12
"""A quotient of 0 has no logarithm."""
NULL_LEVEL: Final = 0.1
"""The level of a null control, as a share of the others': a flag silences all other cases."""
UNIT_QUANTILE: Final = 0.1
"""A floor in ns is a part of this quantile of the latencies of BASE, or of the references."""

Key = tuple[str, str, bool]
"""A case's name, a quantity, and whether the numbers are those of the null control."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How certain the gate has to be, and how much it may measure for that.

    ``error_rate`` is the chance that a build with nothing outside its range fails, ``miss_rate``
    the chance that one look passes a case that changed by what is ``sought``. ``screen`` workers
    screen;
    ``confirm`` has the fresh workers at each look of the confirmation, and ``processes`` how many
    must agree that a count is outside its range, both cumulative. ``confirms_improvements`` says
    whether small improvements in counts need as many processes as small regressions: no build
    fails by them, but a history lists them. ``sought`` is the smallest change that has to be
    found, relative to the range's half-width: a case is within as soon as its change is surely
    smaller and looks smaller than the limit. More than 1 saves the workers that it would take to
    show that a case is on the right side of a narrow limit.
    """

    error_rate: float = 0.001
    miss_rate: float = 0.05
    screen: int = 14
    confirm: tuple[int, ...] = (24, 72)
    processes: tuple[int, ...] = (3, 7)
    confirms_improvements: bool = False
    sought: float = 1.0


@dataclass(frozen=True, slots=True)
class Criterion:
    """An acceptable range for one quantity of a case.

    A budget has one limit only, and no ``expected``. Quotients are judged by their logarithm,
    because slowdowns multiply. ``is_null`` marks the null control: BASE against itself. A range of
    latencies reaches at least ``floor_ns`` ns per call to either side, as soon as evidence says
    what part of the latency that is.
    """

    case: str
    signal: str
    quantity: str
    high: float | None
    low: float | None = None
    expected: float | None = None
    reason: str = ""
    is_null: bool = False
    floor_ns: float = 0.0

    @property
    def key(self) -> Key:
        """The key of its numbers in the evidence."""
        return self.case, self.quantity, self.is_null

    @property
    def more_is_better(self) -> bool:
        """Whether a case regresses by falling below its range."""
        return QUANTITIES[self.quantity].is_more_better

    def to_cost(self, values: Values) -> Values:
        """Convert values of the quantity to the scale that is judged, where more is worse."""
        if not QUANTITIES[self.quantity].is_quotient:
            return values
        logarithms = np.log(np.maximum(values, TINY))
        return -logarithms if self.more_is_better else logarithms

    def from_cost(self, costs: Values) -> Values:
        """Convert costs back to values of the quantity."""
        if not QUANTITIES[self.quantity].is_quotient:
            return costs
        return np.exp(-costs if self.more_is_better else costs)

    @property
    def limits(self) -> tuple[float, float]:
        """Best and worst acceptable cost; infinite where there is no limit."""
        best, worst = (self.high, self.low) if self.more_is_better else (self.low, self.high)
        return (
            -math.inf if best is None else float(self.to_cost(np.array(best))),
            math.inf if worst is None else float(self.to_cost(np.array(worst))),
        )

    def compute_sought_cost(self, sought: float) -> float:
        """Return the smallest cost that has to be found, see `Policy`; a budget's is its limit."""
        worst = self.limits[1]
        if self.expected is None:
            return worst
        return worst + (sought - 1) * (worst - float(self.to_cost(np.array(self.expected))))

    def widen_to_floor(self, evidence: Evidence) -> Criterion:
        """Return this criterion with a range of at least ``floor_ns`` to either side.

        The unit of the range is the latency of BASE, or the time of the reference. Its 10 %
        quantile over workers converts, which is the machine near its best speed: a median would
        move with the machine's noise, and cases on the edge of the range would fail more often.
        """
        own = evidence.get(self.key, Observations())
        times = evidence.get((self.case, "latency_ns", self.is_null), Observations())
        if not self.floor_ns or self.expected is None or not times.heads or not own.heads:
            return self
        units_ns = times.bases or tuple(
            time_ns / ratio for time_ns, ratio in zip(times.heads, own.heads, strict=False) if ratio
        )
        unit_ns = float(np.quantile(units_ns, UNIT_QUANTILE)) if units_ns else 0.0
        if unit_ns <= 0:
            return self
        reach = self.floor_ns / unit_ns
        low = None if self.low is None else max(min(self.low, self.expected - reach), 0.0)
        high = None if self.high is None else max(self.high, self.expected + reach)
        return replace(self, low=low, high=high)


@dataclass(frozen=True, slots=True)
class Observations:
    """The numbers of a quantity of a case, one a worker; ``bases`` only in a comparison."""

    heads: tuple[float, ...] = ()
    bases: tuple[float, ...] = ()


Evidence = Mapping[Key, Observations]
DrawEvidence = Callable[[int, Collection[str]], Evidence]
"""``draw(workers, cases)`` returns the numbers of so many fresh workers, or of all that exist."""
State = Literal["regressed", "improved", "within", "undecided"]


def extend_evidence(collected: dict[Key, Observations], fresh: Evidence) -> None:
    """Append fresh numbers to those that were collected before."""
    for key, numbers in fresh.items():
        before = collected.get(key, Observations())
        collected[key] = Observations(before.heads + numbers.heads, before.bases + numbers.bases)


@dataclass(slots=True, eq=False)
class Trial:
    """The result for one criterion so far; ``doubt`` is why it was taken back."""

    criterion: Criterion
    state: State = "undecided"
    seen: Estimate | None = None
    p_value: float | None = None
    level: float | None = None
    workers: int = 0
    steps: list[str] = field(default_factory=list)
    doubt: str = ""


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
    """Judge again, by fresh workers only, until all is decided or the workers are used up."""
    trials = heads + nulls
    for trial in nulls:
        trial.state = "undecided"
    count = _count_decisions(trials)
    level = policy.error_rate / 2 / (count * max(1, len(policy.confirm)))
    share = f"half of {policy.error_rate:g} / {format_amount(count, 'decision')} / "
    share += format_amount(len(policy.confirm), "look")
    collected: dict[Key, Observations] = {}
    drawn = 0
    for number, workers in enumerate(policy.confirm, start=1):
        open_cases = {trial.criterion.case for trial in heads if trial.state == "undecided"}
        open_cases |= flagged if number == 1 else set()
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
        title = f"confirmation {number} with fresh workers, level {level:.1e} = {share}"
        _judge_trials(due, collected, level, policy, title)


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
        reason = f"fewer than {FEWEST} workers measured it at the machine's best speed"
    elif trial.state == "undecided":
        reason = trial.doubt or "not certain either way with the workers it was given"
    judged = (criterion.case, criterion.signal, criterion.quantity)
    limits = (criterion.expected, criterion.low, criterion.high)
    chances, steps = (trial.p_value, trial.level), tuple(trial.steps)
    return Verdict(*judged, outcome, *limits, trial.seen, *chances, trial.workers, reason, steps)
