"""Planted slowdowns: what is planted, what that costs, and in which cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

TURNS: Final = 2000
"""Turns of the empty loop that are planted in the probe, to find what one turn costs."""
PROBE: Final = "control.call"
"""The case that shows what planting costs; every suite has it."""


@dataclass(frozen=True, slots=True)
class PlantedSlowdowns:
    """What is planted in a build, by case: turns while timed, turns while counted, waits in ns."""

    turns: Mapping[str, int] = field(default_factory=dict)
    counted_turns: Mapping[str, int] = field(default_factory=dict)
    waits_ns: Mapping[str, int] = field(default_factory=dict)

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
    ordered = sorted((name for name in names if name in costs), key=lambda name: costs[name])
    places = np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int)
    return [ordered[place] for place in dict.fromkeys(places.tolist())]
