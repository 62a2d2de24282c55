"""Two results files held against each other: which of their signals compare, and the verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from resilience_bench._model import Result, Signal
from resilience_bench._verdicts import Judgement, Tolerance
from resilience_bench.errors import ForeignResultError
from resilience_bench.gate import criteria
from resilience_bench.gate.baseline import find_differences
from resilience_bench.gate.check import CaseFilter, accept_every_case
from resilience_bench.gate.evidence import StoredSource
from resilience_bench.gate.tolerances import apply_tolerances, describe_tolerances
from resilience_bench.gate.trial import Policy
from resilience_bench.quantities import LEARNED_WIDTHS, SIGNALS_JUDGED

SIDES: Final = ("BASE", "HEAD")
MEASURE_BOTH: Final = "type 'resilience-bench compare BASE HEAD' with two variants to measure both"


def find_foreign_signals(
    this: Result, other: Result, names: tuple[str, str] = ("before", "now")
) -> dict[str, str]:
    """Return the signals that both have measured but that cannot be compared, and why.

    The rules are those by which a baseline holds for another run; ``names`` are what the other run
    and this one are called.
    """
    shared = [
        signal for signal in SIGNALS_JUDGED if signal in this.signals and signal in other.signals
    ]
    differing = find_differences(other.environment, this.environment, names=names)
    foreign: dict[str, str] = {
        signal: ", ".join(differing[signal]) for signal in shared if differing[signal]
    }
    if other.reference_version != this.reference_version and "latency" in shared:
        foreign.setdefault("latency", "the reference is another one")
    return foreign


def select_comparable_signals(
    head: Result, base: Result, wanted: Sequence[Signal] | None
) -> tuple[Signal, ...]:
    """Return the wanted signals, or all that can be compared if None are named.

    Raises:
        ForeignResultError: If a wanted signal cannot be compared, or none can.
    """
    sides = dict(zip(SIDES, (base, head), strict=True))
    lacking = {
        signal: " and ".join(name for name, run in sides.items() if signal not in run.signals)
        for signal in SIGNALS_JUDGED
    }
    obstacles = {
        signal: f"not measured in {names}" for signal, names in lacking.items() if names
    } | find_foreign_signals(head, base, SIDES)
    possible = [signal for signal in SIGNALS_JUDGED if signal not in obstacles]
    refused = [signal for signal in wanted or SIGNALS_JUDGED if signal in obstacles]
    if possible and not (wanted and refused):
        return tuple(wanted or possible)
    reasons = "; ".join(f"{signal} ({obstacles[signal]})" for signal in refused)
    remedy = f"type --signals {','.join(possible)}" if possible else MEASURE_BOTH
    raise ForeignResultError(f"these results files do not compare: {reasons}; {remedy}")


def judge_runs(  # noqa: PLR0913 - what two runs are judged by
    this: Result,
    other: Result,
    *,
    tolerances: Mapping[str, float] = LEARNED_WIDTHS,
    is_judged: CaseFilter = accept_every_case,
    names: tuple[str, str] = ("before", "now"),
    written: Sequence[Tolerance] = (),
) -> Judgement:
    """Judge a run by another one, by ranges as wide as a baseline's: hours lie between them.

    There is no null control, because neither was measured twice. For ``names`` see
    `find_foreign_signals`. The tolerances that people have ``written`` make ranges wider only: they
    are meant for variants that are measured side by side.
    """
    foreign = find_foreign_signals(this, other, names)
    compared = tuple(
        signal
        for signal in SIGNALS_JUDGED
        if signal in this.signals and signal in other.signals and signal not in foreign
    )
    source = StoredSource(replace(this, signals=compared, not_available=foreign), other)
    records = {name: record for name, record in source.cases.items() if is_judged(name)}
    ranges = [
        criterion
        for criterion in criteria.make_comparison_criteria(records, compared, tolerances)
        if not criterion.is_null
    ]
    ranges = apply_tolerances(ranges, written, may_narrow=False)
    verdicts = criteria.select_relevant(criteria.judge(ranges, source, Policy()), source.cases)
    notes = [f"{signal} is not compared: {reason}" for signal, reason in foreign.items()]
    notes += describe_tolerances(written, records)
    return Judgement("", (), tuple(verdicts), tuple(notes))
