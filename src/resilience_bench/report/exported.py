"""The estimates of a result as other tools take them: one figure a case and quantity."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from resilience_bench._model import Estimate, Measurement, Result
from resilience_bench.errors import UserError
from resilience_bench.quantities import QUANTITIES
from resilience_bench.stats.latency import estimate

MEANINGS: Final[Mapping[str, str]] = {
    "latency_ns": "Time of one call of the operation.",
    "overhead_ns": "Time of one call beyond the bare call.",
    "ratio": "Time of one call divided by that of the reference, a fixed piece of Python.",
    "instructions": "Processor instructions of one call.",
    "overhead_instructions": "Processor instructions of one call beyond the bare call.",
    "allocated_bytes": "Memory that each call leaves allocated.",
    "object_bytes": "Memory of the object that a call returns.",
    "peak_bytes": "The most memory that one call holds at a time.",
    "calls_per_s": "Calls a second of all callers together.",
    "share": "Time of one call beyond the bare call, divided by that of the bare call.",
    "scaling": "Calls a second under load divided by those of the bare call.",
    "call_ns": "Time that a caller under load waits for one call, on average.",
    "fairness": "Calls of the slowest caller divided by those of the fastest.",
    "p50_ns": "Median time of single calls under load.",
    "p99_ns": "Time that 99 % of single calls under load do not exceed.",
}
"""What the main quantities are. Percentiles and counts for experts are in CSV only."""
UNITS: Final[Mapping[str, str]] = {
    "_ns": "ns",
    "_bytes": "B",
    "_blocks": "blocks",
    "_per_s": "1/s",
    "instructions": "instructions",
}
"""Units by the end of a quantity's name; what has none of these ends is a quotient."""


@dataclass(frozen=True, slots=True)
class ExportedFigure:
    """One quantity of one case, in ``unit``, which is empty for quotients."""

    measured: Measurement
    quantity: str
    estimate: Estimate
    unit: str

    @property
    def name(self) -> str:
        """The name of the case."""
        return self.measured.case.name


def collect_figures(result: Result) -> list[ExportedFigure]:
    """Return every finite figure of a result, case by case; UserError if there is none."""
    figures = [
        ExportedFigure(measured, quantity, found, find_unit(quantity))
        for measured in estimate(result)
        for quantity, found in measured.quantities.items()
        if all(map(math.isfinite, dataclasses.astuple(found)))
    ]
    return figures or refuse_empty(result)


def find_unit(quantity: str) -> str:
    """Return the unit of a quantity, by the end of its name."""
    return next((unit for end, unit in UNITS.items() if quantity.endswith(end)), "")


def is_main(quantity: str) -> bool:
    """Return whether a dashboard should show a quantity."""
    return quantity in MEANINGS or quantity in QUANTITIES


def explain_quantity(quantity: str) -> str:
    """Return in one sentence what a quantity is."""
    return MEANINGS.get(quantity) or f"{QUANTITIES[quantity].label.capitalize()} of one case."


def refuse_empty(result: Result) -> NoReturn:
    """Raise UserError: there is nothing that the format takes."""
    if result.drifts or result.outages:
        raise UserError(
            "no export holds long runs or outages, and this file has nothing else; "
            "type 'resilience-bench show RESULT --format json'"
        )
    if result.loads:
        raise UserError(
            "pyperf takes one call after the other, and this file has only cases under load and "
            "shares; type 'resilience-bench export RESULT --format csv -o FILE'"
        )
    raise UserError(
        "nothing was measured, so there is nothing to export; type 'resilience-bench run'"
    )
