"""What every format shows of cases that were kept going: the texts of the cells."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from resilience_bench._model import Estimate
from resilience_bench.report.blocks import NO_VALUE, format_count, format_label
from resilience_bench.report.text import clean_text
from resilience_bench.stats.drift import (
    LEAST_BLOCKS,
    LEAST_BYTES,
    LEAST_COST,
    THOUSAND,
    Drift,
)

TOO_LONG: Final = 100_000
"""Such slopes are those of slow operations, of which there are few calls."""
HEADERS: Final = {
    "calls": "calls",
    "cost": "cost, %/M calls",
    "in_all": "in all",
    "blocks": "blocks/1k",
    "bytes": "B/1k",
    "verdict": "verdict",
}
LEGEND: Final = (
    "Slopes against the number of calls, with 95 % intervals. cost: operation / reference, in per "
    "cent of the first fifth's, per million calls; in all: over the run. blocks, B: blocks of "
    "memory in use after a garbage collection, and bytes that the process holds, per thousand "
    "calls. Something grows if its whole interval lies above 0, and if it is more than "
    f"{100 * LEAST_COST:g} % in all, {LEAST_BLOCKS:g} blocks or {LEAST_BYTES:g} B a call. "
    "undecided: the interval leaves room for that; measure longer."
)


@dataclass(frozen=True, slots=True)
class DriftRow:
    """One case in words; ``cells`` by the keys of `HEADERS`, ``label`` within its ``group``.

    ``grows`` says that something does, ``grows_in_bytes`` that the process does.
    """

    group: str
    label: str
    cells: dict[str, str]
    grows: bool
    grows_in_bytes: bool
    is_decided: bool


def make_drift_row(drift: Drift) -> DriftRow:
    """What the cells of a case say; growth is loud, also without colour."""
    mark = "!" if drift.warnings else ""
    return DriftRow(
        clean_text(drift.case.group),
        format_label(drift.case),
        {
            "calls": format_count(drift.calls),
            "cost": mark + _format_with_interval(drift.cost),
            "in_all": _format_percent(drift.cost_in_all),
            "blocks": _format_with_interval(drift.blocks),
            "bytes": NO_VALUE if drift.bytes is None else _format_signed(drift.bytes.value),
            "verdict": drift.verdict.upper() if drift.grows else drift.verdict,
        },
        drift.grows,
        drift.grows_in_bytes,
        drift.verdict != "undecided",
    )


def drifts_to_json(drifts: Sequence[Drift]) -> list[dict[str, Any]]:
    """The same for programs: a slope is ``{"value", "low", "high"}`` or null."""
    return [
        {
            "case": drift.case.name,
            "calls": drift.calls,
            "points": drift.points,
            "cost_percent_per_million_calls": _quantity_to_json(drift.cost),
            "cost_percent_in_all": _quantity_to_json(drift.cost_in_all),
            "blocks_per_thousand_calls": _quantity_to_json(drift.blocks),
            "bytes_per_thousand_calls": _quantity_to_json(drift.bytes),
            "verdict": drift.verdict,
            "warnings": list(drift.warnings),
        }
        for drift in drifts
    ]


def _quantity_to_json(quantity: Estimate | None) -> dict[str, float] | None:
    return dataclasses.asdict(quantity) if quantity else None


def _format_with_interval(quantity: Estimate | None) -> str:
    if quantity is None:
        return NO_VALUE
    value, low, high = map(_format_signed, (quantity.value, quantity.low, quantity.high))
    return value if low == high else f"{value} [{low}, {high}]"


def _format_percent(quantity: Estimate | None) -> str:
    return NO_VALUE if quantity is None else f"{_format_signed(quantity.value)} %"


def _format_signed(value: float) -> str:
    """A number with its sign, and with as many decimals as tell something."""
    size = abs(value)
    if size >= TOO_LONG:
        return f"{value / THOUSAND:+,.0f}k"
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2  # noqa: PLR2004
    # Adding 0 turns the -0 of a rounded number into 0, which has no sign.
    rounded = round(value, decimals) + 0.0
    return f"{rounded:+,.{decimals}f}" if rounded else "0"
