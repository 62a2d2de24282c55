"""Planted slowdowns: what they cost, and in which cases they are planted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from resilience_bench._model import (
    CaseInfo,
    Measurement,
)

TURNS: Final = 2000
"""So many turns of the empty loop tell what one costs."""


PROBE: Final = "control.call"
"""The case that shows what planting costs; the suite always has it."""


@dataclass(frozen=True, slots=True)
class PlantingCost:
    """What planting costs in a signal: ``fixed + turns * per_turn``."""

    fixed: float
    per_turn: float

    def estimate_turns(self, extra: float) -> int | None:
        """How many turns make a call dearer by so much; None if that cannot be planted."""
        if self.per_turn <= 0:  # the probe was too noisy to tell a price
            return None
        turns = round((extra - self.fixed) / self.per_turn)
        return turns if turns >= 0 else None


def estimate_planting_cost(bare: float, no_turns: float, many_turns: float) -> PlantingCost:
    """What planting costs, from the probe without it, with no turns and with `TURNS`."""
    return PlantingCost(no_turns - bare, (many_turns - no_turns) / TURNS)


def compute_turns(
    percents: Mapping[str, float], expected: Mapping[str, float], cost: PlantingCost
) -> dict[str, int]:
    """How many turns make each case dearer by so many per cent, where that is possible."""
    found = {
        name: cost.estimate_turns(percent / 100 * expected[name])
        for name, percent in percents.items()
        if name in expected
    }
    return {name: turns for name, turns in found.items() if turns is not None}


def extract_values(measurements: Iterable[Measurement], quantity: str) -> dict[str, float]:
    """The value of a quantity by case."""
    return {
        each.case.name: each.quantities[quantity].value
        for each in measurements
        if quantity in each.quantities
    }


def choose_cases(cases: Sequence[CaseInfo], costs: Mapping[str, float], count: int) -> list[str]:
    """So many cases to plant something in, evenly from cheap to dear.

    Args:
        cases: Those that something can be planted in.
        costs: What they cost.
        count: How many are wanted.
    """
    known = [info.case.name for info in cases if info.case.name in costs]
    ordered = sorted(known, key=lambda name: costs[name])
    places = np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int)
    return [ordered[place] for place in dict.fromkeys(places.tolist())]
