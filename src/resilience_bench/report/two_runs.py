"""Two runs side by side: what moved, how sure that is, and what cannot be told from two runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from resilience_bench._model import Judgement, Measurement, Quantity, Result, Verdict
from resilience_bench.gate.baseline import SIGNALS as JUDGED
from resilience_bench.gate.baseline import differences
from resilience_bench.gate.criteria import judged, questions_of_comparison, relevant
from resilience_bench.gate.decide import Policy
from resilience_bench.gate.learning import WIDTHS
from resilience_bench.gate.two_files import TwoFiles
from resilience_bench.report.blocks import NOTHING, plain
from resilience_bench.report.page import facts_of
from resilience_bench.report.verdicts import SECTIONS, row
from resilience_bench.stats.latency import measure

APART: Final = (
    "Two runs at two times: nanoseconds and calls per second are of their own machine and hour, "
    "and are not compared. Ratios to the reference, scalings, instructions and bytes are."
)
UNSURE: Final = (
    "What moved lies outside its acceptable range, and that is certain; the ranges are as wide as "
    "those of a baseline, for another hour is another hour. Of smaller changes one is marked if "
    "its 95 % interval leaves out 1, which one in twenty does by chance. What is inconclusive or "
    "small takes 'resilience-bench compare', which measures both in the same minutes."
)
CANNOT: Final = (APART, UNSURE)
"""What such a comparison cannot tell, for readers."""
SHOWN: Final[Mapping[str, str]] = {
    "ratio": "ratio",
    "scaling": "scaling",
    "instructions": "instructions",
    "allocated_bytes": "B kept",
    "object_bytes": "B of the object",
}
"""The quantities that are compared, and what they are called."""
STYLES: Final[Mapping[str, str]] = {"regressed": "bad", "improved": "good", "inconclusive": "doubt"}
PART: Final = "; the intervals part"
"""Behind a change that is small enough to be accepted, and not nothing."""
CHEAPER: Final = "improved, but that is not certain"
"""What is certainly not above its range, and probably below it."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is known of both runs."""

    name: str
    other: str
    this: str


@dataclass(frozen=True, slots=True)
class Pair:
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
class Against:
    """Everything that a page says of two runs; ``pairs`` have what moved first."""

    other: str
    this: str
    judgement: Judgement
    facts: tuple[Fact, ...]
    pairs: tuple[Pair, ...]
    only_other: tuple[str, ...]
    only_this: tuple[str, ...]
    cannot: tuple[str, ...] = CANNOT


def against(this: Result, this_name: str, other: Result, other_name: str) -> Against:
    """Hold a run against another one.

    Args:
        this: The run that is asked about.
        this_name: What its file is called.
        other: What it is held against.
        other_name: What its file is called.
    """
    signals, foreign = _comparable(other, this)
    source = TwoFiles(other, this, signals, foreign)
    policy = Policy()
    asked = [
        each
        for each in questions_of_comparison(source.cases, signals, WIDTHS)
        if not each.is_null  # there is no second run of the other one
    ]
    verdicts = relevant(judged(asked, source, policy), source.cases)
    notes = tuple(f"{signal} is not compared: {reason}" for signal, reason in foreign.items())
    judgement = Judgement("", (), tuple(verdicts), notes)
    names = [{each.case.name for each in measure(run)} for run in (other, this)]
    return Against(
        plain(other_name),
        plain(this_name),
        judgement,
        tuple(_facts(other, this)),
        tuple(_pairs(verdicts, measure(other), measure(this))),
        tuple(plain(each) for each in sorted(names[0] - names[1])),
        tuple(plain(each) for each in sorted(names[1] - names[0])),
    )


def _comparable(other: Result, this: Result) -> tuple[tuple[str, ...], dict[str, str]]:
    """The signals of both that may be compared, and why others may not."""
    both = [each for each in dict.fromkeys(JUDGED.values()) if _have(each, this, other)]
    foreign = {
        signal: ", ".join(reasons).replace("baseline ", "before ").replace("here ", "now ")
        for signal, reasons in differences(other.environment, this.environment).items()
        if reasons and signal in both
    }
    if other.reference_version != this.reference_version and "latency" in both:
        foreign.setdefault("latency", "the reference is another one")
    return tuple(each for each in both if each not in foreign), foreign


def _have(signal: str, *runs: Result) -> bool:
    return all(signal in run.signals for run in runs)


def _facts(other: Result, this: Result) -> list[Fact]:
    before, now = facts_of(other), facts_of(this)
    return [Fact(name, before[name], text) for name, text in now.items()]


def _pairs(
    verdicts: Sequence[Verdict], others: Sequence[Measurement], these: Sequence[Measurement]
) -> list[Pair]:
    before, now = ({each.case.name: each for each in run} for run in (others, these))
    told = [each for each in verdicts if each.seen is not None]
    told.sort(key=_place)
    return [
        Pair(
            case=plain(each.case),
            quantity=SHOWN[each.quantity],
            other=_text(before.get(each.case), each.quantity),
            this=_text(now.get(each.case), each.quantity),
            change=said.change,
            quotient=said.seen,
            outcome=_word(each),
            style=STYLES.get(each.outcome, ""),
        )
        for each in told
        for said in [row(each)]
    ]


def _place(verdict: Verdict) -> tuple[int, bool]:
    return SECTIONS.index(verdict.outcome), not parts(verdict)


def parts(verdict: Verdict) -> bool:
    """Whether a change within its range is one all the same: its interval leaves out 1."""
    seen = verdict.seen
    timed = verdict.quantity in {"ratio", "scaling"}
    return bool(seen and timed and verdict.outcome == "within" and not seen.low <= 1 <= seen.high)


def _word(verdict: Verdict) -> str:
    if not parts(verdict) or verdict.seen is None:
        return verdict.outcome
    low, high = verdict.low or 0.0, verdict.high or math.inf
    outside = verdict.seen.high < low or verdict.seen.low > high
    return CHEAPER if outside else f"{verdict.outcome}{PART}"


def _text(measured: Measurement | None, quantity: str) -> str:
    each = measured.quantities.get(quantity) if measured else None
    return NOTHING if each is None else _interval(each)


def _interval(quantity: Quantity) -> str:
    value, low, high = (f"{each:,.4g}" for each in (quantity.value, quantity.low, quantity.high))
    return value if low == high else f"{value} ({low} - {high})"
