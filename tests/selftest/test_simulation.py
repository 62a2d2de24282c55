"""The gate tested on itself: rates, prices, what is chosen, and builds that are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from resilience_bench._model import Estimate, Measurement, Outcome, Signal, Verdict
from resilience_bench.gate.decide import Criterion, Key, Observations, Policy
from resilience_bench.selftest.builds import Build, estimate_rate, find_missing_steps, plan_builds
from resilience_bench.selftest.planting import (
    TURNS,
    PlantingCost,
    choose_cases,
    compute_turns,
    estimate_planting_cost,
    extract_values,
)
from resilience_bench.selftest.simulation import (
    Pool,
    collect_distinct_counts,
    estimate_drifts,
    find_regressed_cases,
    merge_base_and_null,
    simulate_outcomes,
)
from tests.factories import make_case, make_instructions
from tests.scripted import info

# Rates


def test_a_rate_has_the_interval_that_its_trials_allow() -> None:
    """Figures from the tables of Clopper and Pearson: 3 of 10, 95 %."""
    found = estimate_rate("check", "latency", "real", 10.0, [True] * 3 + [False] * 7)
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
    found = estimate_rate("check", "latency", "drawn", 0.0, outcomes)
    assert (found.low, found.high) == pytest.approx(interval, abs=1e-5)
    assert found.outcome == "healthy build failed"


# What is planted


def test_a_price_is_what_nothing_and_many_turns_cost() -> None:
    """Planting itself costs something, and each turn its share of the rest."""
    found = estimate_planting_cost(100.0, 110.0, 110.0 + 0.5 * TURNS)
    assert (found.fixed, found.per_turn) == pytest.approx((10.0, 0.5))


@pytest.mark.parametrize(("extra", "turns"), [(9.0, None), (10.0, 0), (10.3, 1), (60.0, 100)])
def test_turns_make_a_call_dearer_by_so_much(extra: float, turns: int | None) -> None:
    """What is less than planting itself costs cannot be planted."""
    assert PlantingCost(10.0, 0.5).estimate_turns(extra) == turns


def test_counts_are_drawn_from_every_layout_once() -> None:
    """Processes of one seed repeat a number, and count once; two seeds that agree count twice."""
    case = make_case("a")
    records = [
        make_instructions({case: per_call}, index)
        for index, per_call in ((0, 700), (0, 700), (0, 710), (1, 700))
    ]
    found = collect_distinct_counts(records, {case.name})
    values = found[case.name, "instructions", False].heads
    assert [round(each) for each in values] == [700, 710, 700]
    assert collect_distinct_counts(records, set()) == {}


def test_a_null_control_is_drawn_from_all_workers_of_base() -> None:
    """Two samples of one variant differ by chance; what is drawn from both together does not."""
    recorded = {
        ("a", "ratio", False): Observations((9.0,), (1.0, 2.0)),
        ("a", "ratio", True): Observations((3.0,), (1.0, 2.0)),
        ("b", "ratio", False): Observations((7.0,), (8.0,)),
    }
    assert merge_base_and_null(recorded) == {
        ("a", "ratio", False): Observations((9.0,), (1.0, 2.0, 3.0)),
        ("a", "ratio", True): Observations((1.0, 2.0, 3.0), (1.0, 2.0, 3.0)),
        ("b", "ratio", False): Observations((7.0,), (8.0,)),
    }


@pytest.mark.parametrize("per_turn", [0.0, -0.5])
def test_a_price_that_makes_no_sense_plants_nothing(per_turn: float) -> None:
    """A probe that cost no more with all those turns was measured too badly to go by."""
    assert PlantingCost(10.0, per_turn).estimate_turns(60.0) is None


def test_cases_are_planted_by_their_own_cost() -> None:
    """So many per cent of each; too cheap ones and unknown ones are left out."""
    percents = {"dear": 10.0, "twice": 20.0, "cheap": 10.0, "unknown": 10.0}
    expected = {"dear": 1000.0, "twice": 1000.0, "cheap": 50.0}
    assert compute_turns(percents, expected, PlantingCost(10.0, 0.5)) == {"dear": 180, "twice": 380}


def test_values_are_by_case() -> None:
    """Cases without the quantity are left out."""
    one, two = make_case("one"), make_case("two")
    measured = [
        Measurement(one, {"ratio": Estimate(2.0, 1.9, 2.1)}, 4, 16),
        Measurement(two, {"latency_ns": Estimate(9.0, 8.0, 10.0)}, 4, 16),
    ]
    assert extract_values(measured, "ratio") == {one.name: 2.0}


INFOS = [info(f"s{number}", "x") for number in range(9)]
NAMES = [each.case.name for each in INFOS]
COSTS = {name: float(10 - number) for number, name in enumerate(NAMES[:-1])}  # 10 down to 3


@pytest.mark.parametrize(
    ("count", "chosen"),
    [(1, [7]), (2, [7, 0]), (3, [7, 3, 0]), (8, [7, 6, 5, 4, 3, 2, 1, 0]), (20, range(7, -1, -1))],
)
def test_chosen_cases_reach_from_cheap_to_dear(count: int, chosen: Sequence[int]) -> None:
    """As many as are wanted, or as there are; a case of unknown cost is none of them."""
    found = choose_cases(INFOS, COSTS, count)
    assert found == [NAMES[number] for number in chosen]


def test_where_nothing_can_be_planted_nothing_is_chosen() -> None:
    """No case is no reason to fail."""
    assert choose_cases([], COSTS, 10) == []


# What a gate was red for


def asked(case: str, *, is_null: bool = False, **more: Any) -> Criterion:
    """Whether a case is as dear as it was."""
    return Criterion(case, "latency", "ratio", 1.1, 0.9, 1.0, is_null=is_null, **more)


def told(case: str, outcome: Outcome) -> Verdict:
    """What the gate said."""
    return Verdict(case, "latency", "ratio", outcome)


def test_a_gate_is_red_for_what_regressed() -> None:
    """Nothing else makes a build fail."""
    outcomes: dict[str, Outcome] = {
        "a": "regressed",
        "b": "improved",
        "c": "inconclusive",
        "d": "within",
        "e": "not measured",
    }
    questions = [asked(case) for case in outcomes]
    verdicts = [told(case, outcome) for case, outcome in outcomes.items()]
    assert find_regressed_cases(questions, verdicts) == {"a"}


@pytest.mark.parametrize(
    ("null", "red"),
    [
        ("regressed", set()),
        ("improved", set()),
        ("inconclusive", {"a"}),
        ("within", {"a"}),
        ("not measured", {"a"}),
    ],
)
def test_a_flagged_null_control_takes_the_red_back(null: Outcome, red: set[str]) -> None:
    """Where BASE differs from itself nothing is blamed on HEAD; a null control is never red."""
    questions = [asked("a"), asked("b", is_null=True)]
    assert find_regressed_cases(questions, [told("a", "regressed"), told("b", null)]) == red


# Real builds


def build(
    percent: float = 0.0,
    made_dearer: Sequence[str] = (),
    latency: Sequence[str] = (),
    instructions: Sequence[str] | None = (),
    gate: str = "check",
) -> Build:
    """A build that was red for these; without instructions, only latencies were measured."""
    red: dict[Signal, tuple[str, ...]] = {"latency": tuple(latency)}
    if instructions is not None:
        red["instructions"] = tuple(instructions)
    return Build(gate, tuple(red), percent, tuple(made_dearer), dict(red), 0, 1.0)


@pytest.mark.parametrize(
    ("made", "red_for_nothing", "missed"),
    [
        (build(), False, False),
        (build(latency=["a"]), True, False),
        (build(instructions=["a"]), True, False),
        (build(10.0, ["a", "b"], latency=["a", "b"]), False, False),
        (build(10.0, ["a", "b"], latency=["a"]), False, False),
        (build(10.0, ["a", "b"], instructions=["b"]), False, False),
        (build(10.0, ["a"], latency=["a", "b"]), True, False),
        (build(10.0, ["a"], latency=["b"]), True, True),
        (build(10.0, ["a"]), False, True),
        (build(10.0, ["a"], instructions=None), False, True),
        (build(10.0, []), False, True),
    ],
)
def test_a_build_tells_what_was_wrong_with_it(
    made: Build, *, red_for_nothing: bool, missed: bool
) -> None:
    """Red for what was not planted, or nothing found, also where nothing could be planted."""
    assert (made.has_false_alarm, made.missed) == (red_for_nothing, missed)


def test_builds_of_both_kinds_take_turns() -> None:
    """Gates side by side; what is planted comes early, so that an interruption has some of all."""
    assert plan_builds(("check", "compare"), 2, ((5.0, "work"),), 1) == [
        ("check", 0.0, "work"),
        ("compare", 0.0, "work"),
        ("check", 0.0, "work"),
        ("compare", 0.0, "work"),
        ("check", 5.0, "work"),
        ("compare", 5.0, "work"),
    ]
    healthy, dearer = ("check", 0.0, "work"), ("check", 5.0, "work")
    assert plan_builds(("check",), 4, ((5.0, "work"),), 1) == [
        healthy,
        healthy,
        dearer,
        healthy,
        healthy,
    ]


def test_what_was_built_is_not_missing() -> None:
    """Builds count by gate, size and kind, in whatever order; more than were wanted are no harm."""
    steps = plan_builds(("check", "compare"), 2, ((5.0, "work"), (10.0, "wait")), 1)
    made = [
        build(),
        build(gate="compare"),
        replace(build(10.0, ["a"]), kind="wait"),
        *[build(5.0, ["a"])] * 3,
    ]
    assert find_missing_steps(steps, made) == [
        ("check", 0.0, "work"),
        ("compare", 0.0, "work"),
        ("compare", 5.0, "work"),
        ("compare", 10.0, "wait"),
    ]
    assert find_missing_steps(steps, []) == steps
    assert find_missing_steps([], made) == []


# Builds that are drawn


def pool(drifts: Sequence[Mapping[Key, float]] = ({},)) -> Pool:
    """Two cases, one of them with BASE and the null control."""
    numbers = {
        ("a", "ratio", False): Observations((1.0, 2.0, 3.0)),
        ("b", "ratio", False): Observations((10.0, 20.0), (30.0, 40.0)),
        ("b", "ratio", True): Observations((50.0, 60.0), (70.0, 80.0)),
    }
    return Pool(numbers, drifts, np.random.default_rng(1))


def test_a_build_is_drawn_with_replacement() -> None:
    """More workers than were recorded, each of them one of those; only the wanted cases."""
    draw = pool().simulate_build({})
    found = draw(100, {"a"})
    assert set(found) == {("a", "ratio", False)}
    assert len(found["a", "ratio", False].heads) == 100
    assert set(found["a", "ratio", False].heads) == {1.0, 2.0, 3.0}
    assert found["a", "ratio", False].bases == ()
    assert draw(100, {"a"}) != found


def test_only_heads_of_what_is_planted_are_dearer() -> None:
    """BASE, the null control and all other cases cost what they did."""
    found = pool().simulate_build({"b": 10.0})(200, {"a", "b"})
    assert set(found["a", "ratio", False].heads) == {1.0, 2.0, 3.0}
    assert set(found["b", "ratio", False].heads) == {100.0, 200.0}
    assert set(found["b", "ratio", False].bases) == {30.0, 40.0}
    assert set(found["b", "ratio", True].heads) == {50.0, 60.0}
    assert set(found["b", "ratio", True].bases) == {70.0, 80.0}


def test_a_build_drifts_as_one_of_the_recorded_ones_did() -> None:
    """All draws of a build drift alike, and different builds differently."""
    key = ("a", "ratio", False)
    some = pool([{key: 10.0}, {key: 100.0}])
    seen = set()
    for _ in range(30):
        build = some.simulate_build({})
        first, later = (set(build(100, {"a"})[key].heads) for _ in range(2))
        assert first == later
        seen.add(max(first))
    assert seen == {30.0, 300.0}


def test_drifts_are_relative_to_the_middle_of_all_builds() -> None:
    """By key; a build that has no numbers of a case has no drift of it."""
    a, b = ("a", "ratio", False), ("b", "ratio", False)
    builds = [
        {a: Observations((1.0, 2.0, 3.0)), b: Observations((4.0,))},
        {a: Observations((4.0, 4.0)), b: Observations(())},
        {a: Observations((1.0, 100.0, 5.0))},
    ]
    assert estimate_drifts(builds) == [
        {a: pytest.approx(0.5), b: pytest.approx(1.0)},
        {a: pytest.approx(1.0)},
        {a: pytest.approx(1.25)},
    ]


CASES = ("a", "b", "c")
LATENCIES = {
    (case, "ratio", False): Observations(tuple((1 + 0.01 * np.linspace(-1, 1, 60)).tolist()))
    for case in CASES
}
COUNTS = {(case, "instructions", False): Observations((1.0, 1.001, 0.999)) for case in CASES}
COUNTED = [Criterion(case, "instructions", "instructions", 1.02, 0.98, 1.0) for case in CASES]


@pytest.mark.parametrize(
    ("questions", "numbers"),
    [([asked(case) for case in CASES], LATENCIES), (COUNTED, COUNTS)],
    ids=["latency", "instructions"],
)
@pytest.mark.parametrize(("percent", "red"), [(0.0, False), (50.0, True)])
def test_drawn_builds_are_red_where_something_is_planted(
    questions: list[Criterion], numbers: dict[Key, Observations], percent: float, *, red: bool
) -> None:
    """A case that is half as dear again is found in every build; equal ones never are."""
    found = simulate_outcomes(
        questions, Pool(numbers), Policy(), percent=percent, cases=CASES, trials=7
    )
    assert found == [red] * 7


def test_a_planted_build_that_is_red_for_another_case_has_not_found_it() -> None:
    """What counts is the dearer case; in a healthy build any case counts."""
    numbers = dict(LATENCIES)
    numbers["a", "ratio", False] = Observations(
        tuple(3 * each for each in LATENCIES["a", "ratio", False].heads)
    )
    questions = [asked("a"), asked("b"), asked("c")]
    policy = Policy()
    same = simulate_outcomes(questions, Pool(numbers), policy, percent=1.0, cases=["b"], trials=2)
    assert same == [False, False]
    healthy = simulate_outcomes(
        questions, Pool(numbers), policy, percent=0.0, cases=["b"], trials=2
    )
    assert healthy == [True, True]


def test_drawn_builds_are_the_same_each_time() -> None:
    """The generator has a seed, so a proof can be repeated from its records."""
    first, second = (Pool(LATENCIES).simulate_build({})(50, {"a"}) for _ in range(2))
    assert first == second
