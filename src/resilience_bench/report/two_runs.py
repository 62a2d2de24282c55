"""Two runs side by side: what changed, how certain that is, and what two runs cannot tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from resilience_bench._model import Estimate, Measurement, Result
from resilience_bench._verdicts import Judgement, Verdict
from resilience_bench.gate.stored_runs import judge_runs
from resilience_bench.gate.verdicts import SmallChange, find_small_change
from resilience_bench.quantities import JUDGED
from resilience_bench.report.blocks import NO_VALUE
from resilience_bench.report.page import collect_facts
from resilience_bench.report.text import clean_text
from resilience_bench.report.verdicts import SECTIONS, make_verdict_row
from resilience_bench.stats.drift import THOUSAND
from resilience_bench.stats.latency import estimate

SEPARATE_RUNS_NOTE: Final = (
    "Two runs at two times: nanoseconds and calls per second depend on the machine and the hour, "
    "so they are not compared. Ratios to the reference, scalings, instructions and bytes are."
)
CERTAINTY_NOTE: Final = (
    "What regressed or improved is certainly outside its acceptable range. The ranges are as wide "
    "as a baseline's, because the runs are of different hours. A smaller change is marked if its "
    "95 % interval excludes 1, which one in twenty does by chance. To decide what is inconclusive "
    "or small, type 'resilience-bench compare': it measures both in the same minutes."
)
CAVEATS: Final = (SEPARATE_RUNS_NOTE, CERTAINTY_NOTE)
"""What such a comparison cannot decide."""
STYLES: Final[Mapping[str, str]] = {"regressed": "bad", "improved": "good", "inconclusive": "doubt"}
SMALL_CHANGE_WORDS: Final[Mapping[SmallChange, str]] = {
    "within the range": "within; the intervals part",
    "possibly below the range": "improved, but that is not certain",
}
"""The words for a change that a judgement only calls within its range."""


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
    """Two runs as a page shows them; ``pairs`` begin with what changed.

    A fact is a name, what is known of the other run, and of this one.
    """

    other: str
    this: str
    judgement: Judgement
    facts: tuple[tuple[str, str, str], ...]
    pairs: tuple[ComparedQuantity, ...]
    only_other: tuple[str, ...]
    only_this: tuple[str, ...]
    cannot: tuple[str, ...] = CAVEATS


def compare_runs(this: Result, this_name: str, other: Result, other_name: str) -> RunComparison:
    """Compare a run with another one; the names are those of their files."""
    judgement = judge_runs(this, other)
    before, now = (
        {measured.case.name: measured for measured in estimate(run)} for run in (other, this)
    )
    facts = collect_facts(other)
    return RunComparison(
        clean_text(other_name),
        clean_text(this_name),
        judgement,
        tuple((name, facts[name], text) for name, text in collect_facts(this).items()),
        tuple(_compare_quantities(judgement.verdicts, before, now)),
        tuple(map(clean_text, sorted(before.keys() - now.keys()))),
        tuple(map(clean_text, sorted(now.keys() - before.keys()))),
    )


def _compare_quantities(
    verdicts: Sequence[Verdict],
    before: Mapping[str, Measurement],
    now: Mapping[str, Measurement],
) -> list[ComparedQuantity]:
    seen = [verdict for verdict in verdicts if verdict.seen is not None]
    seen.sort(
        key=lambda verdict: (SECTIONS.index(verdict.outcome), find_small_change(verdict) == "none")
    )
    return [
        ComparedQuantity(
            case=row.case,
            quantity=JUDGED[verdict.quantity].label,
            other=_format_quantity(before.get(verdict.case), verdict.quantity),
            this=_format_quantity(now.get(verdict.case), verdict.quantity),
            change=row.change,
            quotient=row.seen,
            outcome=SMALL_CHANGE_WORDS.get(find_small_change(verdict), verdict.outcome),
            style=STYLES.get(verdict.outcome, ""),
        )
        for verdict in seen
        for row in [make_verdict_row(verdict)]
    ]


def _format_quantity(measured: Measurement | None, quantity: str) -> str:
    found = measured.quantities.get(quantity) if measured else None
    return NO_VALUE if found is None else _format_interval(found)


def _format_interval(quantity: Estimate) -> str:
    value, low, high = map(_format_number, (quantity.value, quantity.low, quantity.high))
    return value if low == high else f"{value} ({low} - {high})"


def _format_number(value: float) -> str:
    return f"{value:,.0f}" if value >= THOUSAND else f"{value:.4g}"
