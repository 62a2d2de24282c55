"""The calibration of a proof: the baseline it learned, what cases cost, what planting costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from resilience_bench._model import Measurement, Result, Signal
from resilience_bench._verdicts import Baseline
from resilience_bench.errors import UserError
from resilience_bench.files import results
from resilience_bench.gate import learning
from resilience_bench.selftest.builds import QUANTITY, Kind
from resilience_bench.stats.latency import estimate

LEARNING_RUNS: Final = 4
PROBE: Final = "control.call"
"""The case that shows what planting costs; a suite without it cannot be planted in."""
TURNS: Final = 2000
"""Turns of the empty loop that are planted in the probe, to find what one turn costs."""
PROBE_TURNS: Final = (None, 0, TURNS)
"""What is planted in the probe: nothing, an empty loop, a long one."""
MARGIN: Final = 1.5
"""A slowdown must cost at least this many times what planting an empty loop costs."""
COST_LIMIT: Final[Mapping[str, float]] = {"latency": 10.0, "instructions": 400_000.0}
"""Costlier cases are not planted: they are measured with fewer calls, and there are few of them."""
RESTART_HINT: Final = "type 'resilience-bench prove' without --from to begin anew"


@dataclass(frozen=True, slots=True)
class PlantedSlowdowns:
    """What is planted in a build, by case: turns while timed, waits in ns, turns while counted."""

    turns: Mapping[str, int] = field(default_factory=dict)
    waits_ns: Mapping[str, int] = field(default_factory=dict)
    counted_turns: Mapping[str, int] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return any(name in planted for planted in (self.turns, self.counted_turns, self.waits_ns))


NOTHING: Final = PlantedSlowdowns()


@dataclass(frozen=True, slots=True)
class PlantingCost:
    """The cost of planting in one signal: ``fixed + turns * per_turn``."""

    fixed: float
    per_turn: float

    def compute_turns(self, costs: Mapping[str, float], percent: float) -> dict[str, int]:
        """Return the turns that slow each case down by ``percent``, where that is possible."""
        if self.per_turn <= 0:  # the probe was too noisy
            return {}
        turns = {
            name: round((percent / 100 * cost - self.fixed) / self.per_turn)
            for name, cost in costs.items()
        }
        return {name: count for name, count in turns.items() if count >= 0}


def estimate_planting_cost(bare: float, no_turns: float, many_turns: float) -> PlantingCost:
    """Estimate the cost of planting from a probe without it, with no turns and with `TURNS`."""
    return PlantingCost(no_turns - bare, (many_turns - no_turns) / TURNS)


def choose_cases(names: Iterable[str], costs: Mapping[str, float], count: int) -> list[str]:
    """Choose this many cases of known cost, evenly from the cheapest to the costliest."""
    ordered = sorted((name for name in names if name in costs), key=costs.__getitem__)
    places = np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int)
    return [ordered[place] for place in dict.fromkeys(places.tolist())]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What builds are judged by, and what is known about costs before anything is planted.

    ``names`` are the measured cases, and ``baseline`` has their ranges for ``check``;
    ``latencies_ns`` are by case, ``expected`` costs by signal and case, ``planting`` by signal.
    """

    names: frozenset[str]
    baseline: Baseline
    latencies_ns: Mapping[str, float]
    expected: Mapping[Signal, Mapping[str, float]]
    planting: Mapping[Signal, PlantingCost]

    def choose_cases(
        self, names: Iterable[str], signal: Signal, least_percent: float, count: int
    ) -> list[str]:
        """Choose cases to plant, spread over the costs in a signal.

        They are the same for every size, so that sizes can be compared: ``least_percent``, the
        smallest one, must be possible in all of them.
        """
        share = least_percent / 100
        fitting = [
            name
            for name in names
            if all(
                MARGIN * cost.fixed / share <= self.expected[key].get(name, 0.0) <= COST_LIMIT[key]
                for key, cost in self.planting.items()
            )
        ]
        return choose_cases(fitting, self.expected[signal], count)

    def plan_slowdowns(self, names: Sequence[str], percent: float, kind: Kind) -> PlantedSlowdowns:
        """Plan what makes these cases slower by ``percent`` in every signal that a kind affects."""
        if kind == "wait":
            waits_ns = {name: round(self.latencies_ns[name] * percent / 100) for name in names}
            return PlantedSlowdowns(waits_ns=waits_ns)
        turns = {}
        for signal, cost in self.planting.items():
            known = self.expected[signal]
            costs = {name: known[name] for name in names if name in known}
            turns[signal] = cost.compute_turns(costs, percent)
        return PlantedSlowdowns(
            turns.get("latency", {}), counted_turns=turns.get("instructions", {})
        )


def read_calibration(folder: Path, signals: Sequence[Signal]) -> Calibration:
    """Read the runs in the folder of a proof; UserError if one is missing or incomplete."""
    runs = [_read_run(folder, f"learn-{number + 1}") for number in range(LEARNING_RUNS)]
    measured = [(run, estimate(run)) for run in runs]
    first = measured[0][1]
    costs = {
        signal: [_read_probe_cost(folder, signal, number) for number in range(len(PROBE_TURNS))]
        for signal in signals
    }
    return Calibration(
        frozenset(record.case.name for record in runs[0].cases),
        learning.learn(measured, "proof"),
        extract_values(first, "latency_ns"),
        {signal: extract_values(first, QUANTITY[signal]) for signal in signals},
        {signal: estimate_planting_cost(*costs[signal]) for signal in signals},
    )


def _read_run(folder: Path, name: str) -> Result:
    path = folder / f"{name}.json"
    result = results.read(path) if path.exists() else None
    if result is None or not result.complete:
        found = "cut short" if result else "missing"
        raise UserError(
            f"{folder}: the earlier proof was interrupted before it had learned what is "
            f"acceptable: {path.name} is {found}; {RESTART_HINT}"
        )
    return result


def _read_probe_cost(folder: Path, signal: Signal, number: int) -> float:
    run = _read_run(folder, f"price-{signal}-{number}")
    costs = extract_values(estimate(run), QUANTITY[signal])
    if PROBE not in costs:
        raise UserError(
            f"{PROBE} was not measured, so the cost of planting is unknown; "
            f"type 'resilience-bench run {PROBE}' to see why"
        )
    return costs[PROBE]


def extract_values(measurements: Iterable[Measurement], quantity: str) -> dict[str, float]:
    """Return the value of a quantity by case; cases without it are left out."""
    return {
        measurement.case.name: measurement.quantities[quantity].value
        for measurement in measurements
        if quantity in measurement.quantities
    }
