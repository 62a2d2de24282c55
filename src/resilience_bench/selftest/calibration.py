"""What a proof measures before its builds: the runs it learns from, the cost of planting."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from resilience_bench._model import Result, Signal
from resilience_bench.errors import UserError
from resilience_bench.files import results
from resilience_bench.selftest.planting import PROBE, extract_values
from resilience_bench.stats.latency import estimate

QUANTITY: Final[Mapping[Signal, str]] = {"latency": "ratio", "instructions": "instructions"}
"""The quantity that stands for each signal."""
RESTART_HINT: Final = "type 'resilience-bench prove' without --from to begin anew"


def read_run(folder: Path, name: str) -> Result:
    """Read one of the runs from the folder of a proof.

    Raises:
        UserError: If it is missing or not complete.
    """
    path = folder / f"{name}.json"
    result = results.read(path) if path.exists() else None
    if result is None or not result.complete:
        found = "cut short" if result else "missing"
        message = (
            f"{folder}: the earlier proof was interrupted before it had learned what is "
            f"acceptable: {path.name} is {found}; {RESTART_HINT}"
        )
        raise UserError(message)
    return result


def read_probe_cost(folder: Path, signal: Signal, number: int) -> float:
    """Read what the probe cost in the run of this number, which says how much was planted.

    Raises:
        UserError: If it was not measured.
    """
    costs = extract_values(estimate(read_run(folder, f"price-{signal}-{number}")), QUANTITY[signal])
    if PROBE not in costs:
        message = (
            f"{PROBE} was not measured, so the cost of planting is unknown; "
            f"type 'resilience-bench run {PROBE}' to see why"
        )
        raise UserError(message)
    return costs[PROBE]
