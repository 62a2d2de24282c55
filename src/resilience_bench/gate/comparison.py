"""Two variants measured against each other, and BASE against itself as the null control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from resilience_bench._verdicts import Judgement, Tolerance
from resilience_bench.gate import criteria
from resilience_bench.gate.live import LiveSource
from resilience_bench.gate.tolerances import apply_tolerances, describe_tolerances
from resilience_bench.gate.trial import Policy
from resilience_bench.quantities import JUDGED

COMPARISON_POLICY: Final = Policy(screen=12, confirm=(30, 70, 140), sought=3.0)
"""Ranges are narrow in a comparison, so it may take more workers to decide. It looks for latencies
that changed by three times the tolerance."""
TOLERANCES: Final = {name: one.tolerance for name, one in JUDGED.items()}
"""How much HEAD may exceed BASE, as a share, by quantity."""
SECONDS: Final = 150.0
"""A comparison takes no longer than this, if nothing else is said."""


def judge_comparison(
    pair: LiveSource,
    tolerances: Mapping[str, float],
    policy: Policy,
    written: Sequence[Tolerance] = (),
) -> Judgement:
    """Measure HEAD and BASE, and judge every quantity of every case.

    The tolerances that people have ``written`` take the place of the general ones in their cases.
    """
    records = pair.head.session.records
    ranges = criteria.make_comparison_criteria(records, pair.signals, tolerances)
    ranges = apply_tolerances(ranges, written)
    verdicts, worst = criteria.apply_null_control(ranges, criteria.judge(ranges, pair, policy))
    compared = [variant.session.records for variant in (pair.base, pair.head) if variant]
    kept = criteria.select_relevant(verdicts, *compared)
    notes = [criteria.describe_null_failure(verdict, verdict.case) for verdict in worst.values()]
    notes += describe_tolerances(written, records)
    notes += [f"{key}: {reason}" for key, reason in pair.not_available.items()]
    headline = criteria.make_headline(policy, kept)
    return Judgement("compare", (headline,), tuple(kept), tuple(notes))
