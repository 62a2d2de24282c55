"""Two runs side by side: what moved, how sure that is, and what cannot be told from two runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from resilience_bench._model import Estimate, Judgement, Measurement, Result, Signal, Verdict
from resilience_bench.gate.baseline import find_differences
from resilience_bench.gate.criteria import judge, make_comparison_criteria, select_relevant
from resilience_bench.gate.decide import Policy
from resilience_bench.gate.evidence import StoredSource
from resilience_bench.quantities import JUDGED, LEARNED_WIDTHS, SIGNALS_JUDGED
from resilience_bench.report.blocks import NO_VALUE
from resilience_bench.report.page import collect_facts
from resilience_bench.report.text import clean_text
from resilience_bench.report.verdicts import SECTIONS, make_verdict_row
from resilience_bench.stats.latency import estimate

SEPARATE_RUNS_NOTE: Final = (
    "Two runs at two times: nanoseconds and calls per second are of their own machine and hour, "
    "and are not compared. Ratios to the reference, scalings, instructions and bytes are."
)
CERTAINTY_NOTE: Final = (
    "What moved lies outside its acceptable range, and that is certain; the ranges are as wide as "
    "those of a baseline, for another hour is another hour. Of smaller changes one is marked if "
    "its 95 % interval leaves out 1, which one in twenty does by chance. What is inconclusive or "
    "small takes 'resilience-bench compare', which measures both in the same minutes."
)
CAVEATS: Final = (SEPARATE_RUNS_NOTE, CERTAINTY_NOTE)
"""What such a comparison cannot tell, for readers."""
STYLES: Final[Mapping[str, str]] = {"regressed": "bad", "improved": "good", "inconclusive": "doubt"}
SMALL_CHANGE_NOTE: Final = "; the intervals part"
"""Behind a change that is small enough to be accepted, and not nothing."""
UNCERTAIN_IMPROVEMENT: Final = "improved, but that is not certain"
"""What is certainly not above its range, and probably below it."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is known of both runs."""

    name: str
    other: str
    this: str


@dataclass(frozen=True, slots=True)
class ComparedQuantity:
    """A quantity of a case in both runs; ``quotient`` is this run's by the other one's.

    ``style`` is ``bad``, ``good``, ``doubt`` or nothing.
    """

    case: str
    quantity: str
    other: str
    this: str
    change: str
    quotient: str
    outcome: str
    style: str


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Everything that a page says of two runs; ``pairs`` have what moved first."""

    other: str
    this: str
    judgement: Judgement
    facts: tuple[Fact, ...]
    pairs: tuple[ComparedQuantity, ...]
    only_other: tuple[str, ...]
    only_this: tuple[str, ...]
    cannot: tuple[str, ...] = CAVEATS


def compare_runs(this: Result, this_name: str, other: Result, other_name: str) -> RunComparison:
    """Hold a run against another one.

    Args:
        this: The run that is asked about.
        this_name: What its file is called.
        other: What it is held against.
        other_name: What its file is called.
    """
    signals, foreign = _select_signals(other, this)
    source = StoredSource(replace(this, signals=signals, not_available={**foreign}), other)
    policy = Policy()
    asked = [
        each
        for each in make_comparison_criteria(source.cases, signals, LEARNED_WIDTHS)
        if not each.is_null  # there is no second run of the other one
    ]
    verdicts = select_relevant(judge(asked, source, policy), source.cases)
    notes = tuple(f"{signal} is not compared: {reason}" for signal, reason in foreign.items())
    judgement = Judgement("", (), tuple(verdicts), notes)
    names = [{each.case.name for each in estimate(run)} for run in (other, this)]
    return RunComparison(
        clean_text(other_name),
        clean_text(this_name),
        judgement,
        tuple(_make_facts(other, this)),
        tuple(_compare_quantities(verdicts, estimate(other), estimate(this))),
        tuple(clean_text(each) for each in sorted(names[0] - names[1])),
        tuple(clean_text(each) for each in sorted(names[1] - names[0])),
    )


def _select_signals(other: Result, this: Result) -> tuple[tuple[Signal, ...], Mapping[str, str]]:
    """The signals of both that may be compared, and why others may not."""
    both = [each for each in SIGNALS_JUDGED if _all_have_signal(each, this, other)]
    foreign: dict[str, str] = {
        signal: ", ".join(reasons).replace("baseline ", "before ").replace("here ", "now ")
        for signal, reasons in find_differences(other.environment, this.environment).items()
        if reasons and signal in both
    }
    if other.reference_version != this.reference_version and "latency" in both:
        foreign.setdefault("latency", "the reference is another one")
    return tuple(each for each in both if each not in foreign), foreign


def _all_have_signal(signal: str, *runs: Result) -> bool:
    return all(signal in run.signals for run in runs)


def _make_facts(other: Result, this: Result) -> list[Fact]:
    before, now = collect_facts(other), collect_facts(this)
    return [Fact(name, before[name], text) for name, text in now.items()]


def _compare_quantities(
    verdicts: Sequence[Verdict], others: Sequence[Measurement], these: Sequence[Measurement]
) -> list[ComparedQuantity]:
    before, now = ({each.case.name: each for each in run} for run in (others, these))
    told = [each for each in verdicts if each.seen is not None]
    told.sort(key=_make_sort_key)
    return [
        ComparedQuantity(
            case=clean_text(each.case),
            quantity=JUDGED[each.quantity].label,
            other=_format_quantity(before.get(each.case), each.quantity),
            this=_format_quantity(now.get(each.case), each.quantity),
            change=said.change,
            quotient=said.seen,
            outcome=_format_outcome(each),
            style=STYLES.get(each.outcome, ""),
        )
        for each in told
        for said in [make_verdict_row(each)]
    ]


def _make_sort_key(verdict: Verdict) -> tuple[int, bool]:
    return SECTIONS.index(verdict.outcome), not is_change_within_range(verdict)


def is_change_within_range(verdict: Verdict) -> bool:
    """Whether a change within its range is one all the same: its interval leaves out 1."""
    seen = verdict.seen
    timed = verdict.quantity in {"ratio", "scaling"}
    return bool(seen and timed and verdict.outcome == "within" and not seen.low <= 1 <= seen.high)


def _format_outcome(verdict: Verdict) -> str:
    if not is_change_within_range(verdict) or verdict.seen is None:
        return verdict.outcome
    low, high = verdict.low or 0.0, verdict.high or math.inf
    outside = verdict.seen.high < low or verdict.seen.low > high
    return UNCERTAIN_IMPROVEMENT if outside else f"{verdict.outcome}{SMALL_CHANGE_NOTE}"


def _format_quantity(measured: Measurement | None, quantity: str) -> str:
    each = measured.quantities.get(quantity) if measured else None
    return NO_VALUE if each is None else _format_interval(each)


def _format_interval(quantity: Estimate) -> str:
    value, low, high = (f"{each:,.4g}" for each in (quantity.value, quantity.low, quantity.high))
    return value if low == high else f"{value} ({low} - {high})"
