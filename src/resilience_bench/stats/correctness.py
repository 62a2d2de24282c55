"""What an operation did under load, counted, against what its scenario promises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from resilience_bench._model import LoadRecord, Tally

LETS_THROUGH: Final = "lets calls through"
LOSES_CALLS: Final = "loses calls"
EXACT: Final = 1e-6
"""Counts are whole numbers, or sums of a step: a smaller difference is how floats add up."""


def collect_tallies(records: Iterable[LoadRecord], name: str) -> list[Tally]:
    """What each worker counted of a case."""
    return [tally for record in records if (tally := record.tallies.get(name))]


def sum_tallies(tallies: Sequence[Tally]) -> Tally | None:
    """What all workers counted: sums, and the most probes at once; None if nothing was counted."""
    if not tallies:
        return None
    values = list(map(asdict, tallies))
    told = {
        field: [each[field] for each in values if each[field] is not None] for field in values[0]
    }
    summed: dict[str, Any] = {field: sum(each) if each else None for field, each in told.items()}
    return Tally(**summed | {"probes": max(told["probes"], default=None)})


def find_defects(tallies: Sequence[Tally]) -> Iterator[str]:
    """What the operation did wrong, a line each.

    What one worker lost does not make up for what another one has too much.
    """
    counts = [
        (each.counted - each.promised_count, each.promised_count)
        for each in tallies
        if each.counted is not None and each.promised_count is not None
    ]
    promised = _format_count(sum(each for _surplus, each in counts))
    if (lost := -sum(min(each, 0) for each, _promised in counts)) > EXACT:
        yield f"loses counts: {_format_count(lost)} of {promised}"
    if (surplus := sum(max(each, 0) for each, _promised in counts)) > EXACT:
        yield f"counts too much: {_format_count(surplus)} more than {promised}"
    runs = [each.payload_runs - each.promised_runs for each in tallies]
    if through := sum(max(each, 0) for each in runs):
        yield f"{LETS_THROUGH}: {through:,} of {sum(each.calls for each in tallies):,}"
    if missing := -sum(min(each, 0) for each in runs):
        yield f"{LOSES_CALLS}: {missing:,} of {sum(each.promised_runs for each in tallies):,}"
    if (probes := max((each.probes or 0 for each in tallies), default=0)) > 1:
        yield f"{probes:,} probes at once"


def _format_count(value: float) -> str:
    return f"{value:,.0f}" if abs(value - round(value)) < EXACT else f"{value:,.3f}"
