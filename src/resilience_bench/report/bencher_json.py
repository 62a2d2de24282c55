"""A result in the Bencher Metric Format, for ``bencher run --adapter json``.

Source: https://bencher.dev/docs/reference/bencher-metric-format, with its JSON schema.
"""

from __future__ import annotations

import json
from typing import Final

from resilience_bench._model import Result
from resilience_bench.report.exported import collect_figures, is_main

BUILT_IN: Final = {"latency_ns": "latency", "calls_per_s": "throughput"}
"""Bencher has two measures from the start: nanoseconds, and operations a second."""


def render(result: Result) -> str:
    """Return the main figures by case and measure, with their intervals; UserError if none.

    Measures that Bencher does not know are made when they come for the first time. Their slugs are
    the names of our quantities, with hyphens.
    """
    cases: dict[str, dict[str, dict[str, float]]] = {}
    for figure in collect_figures(result):
        if is_main(figure.quantity):
            measure = BUILT_IN.get(figure.quantity, figure.quantity.replace("_", "-"))
            cases.setdefault(figure.name, {})[measure] = {
                "value": figure.estimate.value,
                "lower_value": figure.estimate.low,
                "upper_value": figure.estimate.high,
            }
    return json.dumps(cases, indent=1) + "\n"
