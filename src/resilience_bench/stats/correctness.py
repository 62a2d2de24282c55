"""Whether an operation did under load what its scenario promises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any, Final

from resilience_bench._model import Defect, DefectKind, LoadRecord, Tally

EXACT: Final = 1e-6
"""Counts are whole numbers, or sums of a step: a smaller difference is how floats add up."""


def collect_tallies(records: Iterable[LoadRecord], name: str) -> list[Tally]:
    """Return what each worker counted of a case."""
    return [tally for record in records if (tally := record.tallies.get(name))]


def sum_tallies(tallies: Sequence[Tally]) -> Tally | None:
    """Return sums over the workers, and the most probes at once; None if nothing was counted."""
    sums: dict[str, Any] = {}
    for name in [field.name for field in fields(Tally)]:
        found = [value for tally in tallies if (value := getattr(tally, name)) is not None]
        combine = max if name == "probes" else sum
        sums[name] = combine(found) if found else None
    return Tally(**sums) if tallies else None


def find_defects(tallies: Sequence[Tally]) -> Iterator[Defect]:
    """Find what the operation did wrong; one worker does not make up for another."""
    both = [(tally.counted, tally.promised_count) for tally in tallies]
    counts = [(ours, theirs) for ours, theirs in both if ours is not None and theirs is not None]
    yield from _find_deviations("lost counts", "surplus counts", counts)
    runs = [(tally.payload_runs, tally.promised_runs) for tally in tallies]
    yield from _find_deviations("missing runs", "surplus runs", runs)
    if (probes := max((tally.probes or 0 for tally in tallies), default=0)) > 1:
        yield Defect("simultaneous probes", probes, 1)


def _find_deviations(
    fewer: DefectKind, more: DefectKind, pairs: Sequence[tuple[float, float]]
) -> Iterator[Defect]:
    expected = sum(promised for _, promised in pairs)
    differences = [observed - promised for observed, promised in pairs]
    for kind, deviation in (
        (fewer, sum(min(difference, 0) for difference in differences)),
        (more, sum(max(difference, 0) for difference in differences)),
    ):
        if abs(deviation) > EXACT:
            yield Defect(kind, expected + deviation, expected)


def describe_defect(defect: Defect) -> str:
    """Return the sentence that is shown to people."""
    observed, expected = _format_count(defect.observed), _format_count(defect.expected)
    difference = _format_count(abs(defect.observed - defect.expected))
    match defect.kind:
        case "lost counts":
            return f"loses counts: {difference} of {expected}"
        case "surplus counts":
            return f"counts too much: {difference} more than {expected}"
        case "simultaneous probes":
            return f"{observed} probes at once"
        case "surplus runs" | "missing runs":
            promised = f"{expected} were" if defect.expected else "none was"
            return f"the payload ran {observed} times where {promised} promised"


def _format_count(value: float) -> str:
    return f"{value:,.0f}" if abs(value - round(value)) < EXACT else f"{value:,.3f}"
