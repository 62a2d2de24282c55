"""Blocks of cases that were run for long: how their cost and their memory grow."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from resilience_bench._model import Estimate
from resilience_bench.report import blocks
from resilience_bench.report.text import clean_text
from resilience_bench.stats.drift import THOUSAND, Drift

TOO_LONG: Final = 100_000
"""Slopes from here on are written in thousands; slow operations have them, with few calls."""
HEADERS: Final = {
    "drift_calls": "calls",
    "cost": "cost, %/M calls",
    "in_all": "in all",
    "blocks": "blocks/1k",
    "resident": "B/1k",
    "verdict": "verdict",
}
KIND: Final = "drift"


def make_drift_blocks(drifts: Sequence[Drift]) -> list[blocks.Block]:
    """Return a block for each scenario that was run for long, with the growth of each case."""
    grows_in_bytes = any(drift.grows_in_bytes for drift in drifts)
    optional = ("in_all",) if grows_in_bytes else ("in_all", "resident")
    groups: dict[str, list[Drift]] = defaultdict(list)
    for drift in drifts:
        groups[drift.case.group].append(drift)
    return [
        blocks.Block(
            clean_text(members[0].case.family),
            clean_text(group),
            "",
            HEADERS,
            tuple(map(_make_row, members)),
            KIND,
            optional,
        )
        for group, members in groups.items()
    ]


def _make_row(drift: Drift) -> blocks.BlockRow:
    """Make the row of a case; growth is written large, so that it is seen without colour."""
    mark, growth = "!" if drift.warnings else "", drift.cost_in_all
    cells = {
        "drift_calls": blocks.format_count(drift.calls),
        "cost": mark + _format_with_interval(drift.cost),
        "in_all": f"{_format_signed(growth.value)} %" if growth else blocks.NO_VALUE,
        "blocks": _format_with_interval(drift.blocks),
        "resident": blocks.NO_VALUE if drift.bytes is None else _format_signed(drift.bytes.value),
        "verdict": drift.verdict.upper() if drift.grows else drift.verdict,
    }
    tone: blocks.Tone = "bad" if drift.grows else "doubt" if drift.verdict == "undecided" else ""
    return blocks.BlockRow(blocks.format_label(drift.case), cells, tone=tone)


def drifts_to_json(drifts: Sequence[Drift]) -> list[dict[str, Any]]:
    """Return the same for programs: a slope is ``{"value", "low", "high"}`` or null."""
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
        return blocks.NO_VALUE
    value, low, high = map(_format_signed, (quantity.value, quantity.low, quantity.high))
    return value if low == high else f"{value} [{low}, {high}]"


def _format_signed(value: float) -> str:
    """Return a number with its sign, and with three significant digits at most."""
    size = abs(value)
    if size >= TOO_LONG:
        return f"{value / THOUSAND:+,.0f}k"
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2  # noqa: PLR2004
    # Adding 0 turns the -0 of a rounded number into 0, which has no sign.
    rounded = round(value, decimals) + 0.0
    return f"{rounded:+,.{decimals}f}" if rounded else "0"
