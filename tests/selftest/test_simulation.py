"""Rates, the cost of planting, and the choice of cases to plant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from resilience_bench._model import Estimate, Measurement
from resilience_bench.gate.trial import Observations
from resilience_bench.selftest.builds import POLICIES, estimate_rate
from resilience_bench.selftest.calibration import (
    TURNS,
    PlantingCost,
    choose_cases,
    estimate_planting_cost,
    extract_values,
)
from resilience_bench.selftest.simulation import (
    Pool,
    collect_distinct_counts,
    estimate_noise_floor,
    merge_variants,
)
from tests.factories import make_case, make_instructions


def test_a_rate_has_the_interval_that_its_trials_allow() -> None:
    """Figures from the tables of Clopper and Pearson: 3 of 10, 95 %."""
    found = estimate_rate(("check", 10.0, "work"), "latency", "real", [True] * 3 + [False] * 7)
    assert (found.hits, found.trials) == (3, 10)
    assert (found.low, found.high) == pytest.approx((0.0667, 0.6525), abs=1e-4)
    assert (found.gate, found.signal, found.builds) == ("check", "latency", "real")
    assert (found.planted_percent, found.outcome) == (10.0, "planted case found")


@pytest.mark.parametrize(
    ("outcomes", "interval"),
    [([], (0.0, 1.0)), ([False] * 1000, (0.0, 0.00368)), ([True] * 1000, (0.99632, 1.0))],
)
def test_a_rate_at_its_end_is_not_certain(
    outcomes: list[bool], interval: tuple[float, float]
) -> None:
    """None of a thousand may still be one in three hundred; nothing tried says nothing."""
    found = estimate_rate(("check", 0.0, "work"), "latency", "drawn", outcomes)
    assert (found.low, found.high) == pytest.approx(interval, abs=1e-5)
    assert found.outcome == "healthy build failed"


def test_planting_costs_what_no_turns_and_many_turns_cost() -> None:
    """Planting itself costs something, and each turn its share of the rest."""
    found = estimate_planting_cost(100.0, 110.0, 110.0 + 0.5 * TURNS)
    assert (found.fixed, found.per_turn) == pytest.approx((10.0, 0.5))


@pytest.mark.parametrize(("extra", "turns"), [(9.0, None), (10.0, 0), (10.3, 1), (60.0, 100)])
def test_turns_make_a_call_slower_by_their_cost(extra: float, turns: int | None) -> None:
    """What is less than planting itself costs cannot be planted."""
    found = PlantingCost(10.0, 0.5).compute_turns({"a": extra}, 100.0)
    assert found == ({} if turns is None else {"a": turns})


def test_counts_are_drawn_from_every_layout_once() -> None:
    """Processes of one seed repeat a number, and count once; two seeds that agree count twice."""
    case = make_case("a")
    records = [
        make_instructions({case: per_call}, index)
        for index, per_call in ((0, 700), (0, 700), (0, 710), (1, 700))
    ]
    found = collect_distinct_counts(records, {case.name})
    values = found[case.name, "instructions", False].heads
    assert [round(value) for value in values] == [700, 710, 700]
    assert collect_distinct_counts(records, set()) == {}


def test_all_variants_of_a_healthy_build_are_drawn_from_all_workers() -> None:
    """Two samples of one variant differ by chance; what is drawn from both together does not."""
    recorded = {
        ("a", "ratio", False): Observations((9.0,), (1.0, 2.0)),
        ("a", "ratio", True): Observations((3.0,), (1.0, 2.0)),
        ("b", "ratio", False): Observations((7.0,), (8.0,)),
    }
    assert merge_variants(recorded) == {
        ("a", "ratio", False): Observations((9.0, 1.0, 2.0, 3.0), (9.0, 1.0, 2.0, 3.0)),
        ("a", "ratio", True): Observations((9.0, 1.0, 2.0, 3.0), (9.0, 1.0, 2.0, 3.0)),
        ("b", "ratio", False): Observations((7.0, 8.0), (7.0, 8.0)),
    }


def test_the_noise_floor_is_the_error_of_the_last_look() -> None:
    """It falls with the square root of the workers, and grows by that of 2 with a second side."""
    heads = tuple(np.exp(0.02 * np.random.default_rng(1).standard_normal(400)).tolist())
    alike = {(f"case{number}", "ratio", False): Observations(heads) for number in range(10)}
    noisy = {("noisy", "ratio", False): Observations(tuple(head**3 for head in heads))}
    others = {
        ("a", "latency_ns", False): Observations(heads),
        ("b", "ratio", False): Observations(),
    }
    error = 0.02 * 1.05  # a trimmed mean of normal numbers knows a little less
    for gate, sides in (("check", 1), ("compare", 2)):
        floor = estimate_noise_floor(gate, Pool(alike | noisy | others))
        assert floor is not None
        assert floor.workers == POLICIES[gate].confirm[-1]
        assert floor.median == pytest.approx(error * (sides / floor.workers) ** 0.5, rel=0.1)
        assert floor.median <= floor.most < 3 * floor.median
    assert estimate_noise_floor("check", Pool(others)) is None


@pytest.mark.parametrize("per_turn", [0.0, -0.5])
def test_a_cost_that_makes_no_sense_plants_nothing(per_turn: float) -> None:
    """A probe that cost no more with all those turns was measured too badly to go by."""
    assert PlantingCost(10.0, per_turn).compute_turns({"a": 60.0}, 100.0) == {}


def test_cases_are_planted_by_their_own_cost() -> None:
    """The same share of each; too cheap ones are left out."""
    costs = {"costly": 1000.0, "twice": 2000.0, "cheap": 50.0}
    turns = PlantingCost(10.0, 0.5).compute_turns(costs, 10.0)
    assert turns == {"costly": 180, "twice": 380}


def test_values_are_by_case() -> None:
    """Cases without the quantity are left out."""
    one, two = make_case("one"), make_case("two")
    measured = [
        Measurement(one, {"ratio": Estimate(2.0, 1.9, 2.1)}, 4, 16),
        Measurement(two, {"latency_ns": Estimate(9.0, 8.0, 10.0)}, 4, 16),
    ]
    assert extract_values(measured, "ratio") == {one.name: 2.0}


NAMES = [f"s{number}[x]" for number in range(9)]

COSTS = {name: float(10 - number) for number, name in enumerate(NAMES[:-1])}  # 10 down to 3


@pytest.mark.parametrize(
    ("count", "chosen"),
    [(1, [7]), (2, [7, 0]), (3, [7, 3, 0]), (8, [7, 6, 5, 4, 3, 2, 1, 0]), (20, range(7, -1, -1))],
)
def test_chosen_cases_reach_from_cheap_to_costly(count: int, chosen: Sequence[int]) -> None:
    """As many as are wanted, or as there are; a case of unknown cost is none of them."""
    found = choose_cases(NAMES, COSTS, count)
    assert found == [NAMES[number] for number in chosen]


def test_where_nothing_can_be_planted_nothing_is_chosen() -> None:
    """No case is no reason to fail."""
    assert choose_cases([], COSTS, 10) == []
