"""A result for the workflow step github-action-benchmark, as its tool ``customSmallerIsBetter``.

Source: README of https://github.com/benchmark-action/github-action-benchmark, "Custom benchmarks":
a list of objects with ``name``, ``unit`` and ``value``, and texts ``range`` and ``extra``.
"""

from __future__ import annotations

import json
from typing import Any, Final

from resilience_bench._model import Result
from resilience_bench.report.exported import ExportedFigure, collect_figures, refuse_empty

CHARTS: Final = {
    "latency_ns": "latency",
    "ratio": "ratio to the reference",
    "instructions": "instructions",
    "allocated_bytes": "kept bytes",
    "object_bytes": "object bytes",
    "call_ns": "time of a call under load",
}
"""The quantities of which less is better, and what their charts are called."""


def render(result: Result) -> str:
    """Return one entry a case and quantity; UserError if there is none.

    Names stay the same from run to run, because the step compares entries by their names.
    """
    found = [figure for figure in collect_figures(result) if figure.quantity in CHARTS]
    if not found:
        refuse_empty(result)
    environment = result.environment
    where = f"{environment.python}, {environment.cpu_count} x {environment.cpu_model}"
    return json.dumps([_make_entry(figure, where) for figure in found], indent=1) + "\n"


def _make_entry(figure: ExportedFigure, where: str) -> dict[str, Any]:
    estimate, warnings = figure.estimate, figure.measured.warnings
    return {
        "name": f"{figure.name} {CHARTS[figure.quantity]}",
        "unit": figure.unit or "x",
        "value": estimate.value,
        "range": f"{estimate.low:.6g} - {estimate.high:.6g}",
        "extra": "\n".join((where, *warnings)),
    }
