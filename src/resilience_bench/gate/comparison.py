"""Two variants measured against each other, and BASE against itself as the null control."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from resilience_bench._model import Result
from resilience_bench._verdicts import Judgement
from resilience_bench.gate import criteria
from resilience_bench.gate.baseline import find_differences
from resilience_bench.gate.decide import Policy
from resilience_bench.gate.evidence import StoredSource
from resilience_bench.gate.live import LiveSource
from resilience_bench.quantities import JUDGED, LEARNED_WIDTHS, SIGNALS_JUDGED

COMPARISON_POLICY: Final = Policy(screen=12, confirm=(30, 140))
"""Ranges are narrow in a comparison, so it may take more workers to decide."""
TOLERANCES: Final = {name: one.tolerance for name, one in JUDGED.items()}
"""How much HEAD may exceed BASE, as a share, by quantity."""
SECONDS: Final = 170.0
"""A comparison takes no longer than this, if nothing else is said."""


def judge_comparison(
    pair: LiveSource, tolerances: Mapping[str, float], policy: Policy
) -> Judgement:
    """Measure HEAD and BASE, and judge every quantity of every case."""
    ranges = criteria.make_comparison_criteria(pair.head.session.records, pair.signals, tolerances)
    verdicts, worst = criteria.apply_null_control(ranges, criteria.judge(ranges, pair, policy))
    compared = [variant.session.records for variant in (pair.base, pair.head) if variant]
    kept = criteria.select_relevant(verdicts, *compared)
    notes = [criteria.describe_null_failure(verdict, verdict.case) for verdict in worst.values()]
    notes += [f"{key}: {reason}" for key, reason in pair.not_available.items()]
    headline = criteria.make_headline(policy, kept)
    return Judgement("compare", (headline,), tuple(kept), tuple(notes))


def judge_runs(this: Result, other: Result) -> Judgement:
    """Judge a run by another one, by ranges as wide as a baseline's: hours lie between them."""
    signals = [
        signal for signal in SIGNALS_JUDGED if signal in this.signals and signal in other.signals
    ]
    names = ("before", "now")
    differing = find_differences(other.environment, this.environment, names=names)
    foreign: dict[str, str] = {
        signal: ", ".join(differing[signal]) for signal in signals if differing[signal]
    }
    if other.reference_version != this.reference_version and "latency" in signals:
        foreign.setdefault("latency", "the reference is another one")
    compared = tuple(signal for signal in signals if signal not in foreign)
    source = StoredSource(replace(this, signals=compared, not_available=foreign), other)
    ranges = [
        criterion
        for criterion in criteria.make_comparison_criteria(source.cases, compared, LEARNED_WIDTHS)
        if not criterion.is_null  # there is no second run of the other one
    ]
    verdicts = criteria.select_relevant(criteria.judge(ranges, source, Policy()), source.cases)
    notes = tuple(f"{signal} is not compared: {reason}" for signal, reason in foreign.items())
    return Judgement("", (), tuple(verdicts), notes)
