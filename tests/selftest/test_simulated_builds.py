"""Builds that are drawn from recorded workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pytest

from resilience_bench.gate.trial import Criterion, DrawEvidence, Key, Observations, Policy
from resilience_bench.selftest.simulation import (
    SEED,
    Pool,
    estimate_drifts,
    simulate_outcomes,
)
from tests.selftest.simulation_factories import make_criterion


def pool(drifts: Sequence[Mapping[Key, float]] = ({},)) -> Pool:
    """Two cases, one of them with BASE and the null control."""
    numbers = {
        ("a", "ratio", False): Observations((1.0, 2.0, 3.0)),
        ("b", "ratio", False): Observations((10.0, 20.0), (30.0, 40.0)),
        ("b", "ratio", True): Observations((50.0, 60.0), (70.0, 80.0)),
    }
    return Pool(numbers, drifts)


def simulate(
    pool: Pool, slowdowns: Mapping[str, float] = MappingProxyType({}), seed: int = 1
) -> DrawEvidence:
    """Simulate one build with a generator of its own."""
    return pool.simulate_build(np.random.default_rng(seed), slowdowns)


def test_a_build_is_drawn_with_replacement() -> None:
    """More workers than were recorded, each of them one of those; only the wanted cases."""
    draw = simulate(pool())
    found = draw(100, {"a"})
    assert set(found) == {("a", "ratio", False)}
    assert len(found["a", "ratio", False].heads) == 100
    assert set(found["a", "ratio", False].heads) == {1.0, 2.0, 3.0}
    assert found["a", "ratio", False].bases == ()
    assert draw(100, {"a"}) != found


def test_only_heads_of_what_is_planted_are_slower() -> None:
    """BASE, the null control and all other cases cost what they did."""
    found = simulate(pool(), {"b": 10.0})(200, {"a", "b"})
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
    for seed in range(30):
        build = simulate(some, seed=seed)
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
    ("criteria", "numbers"),
    [([make_criterion(case) for case in CASES], LATENCIES), (COUNTED, COUNTS)],
    ids=["latency", "instructions"],
)
@pytest.mark.parametrize(("percent", "red"), [(0.0, False), (50.0, True)])
def test_drawn_builds_are_red_where_something_is_planted(
    criteria: list[Criterion], numbers: dict[Key, Observations], percent: float, *, red: bool
) -> None:
    """A case that is half as costly again is found in every build; equal ones never are."""
    found = simulate_outcomes(
        criteria, Pool(numbers), Policy(), percent=percent, cases=CASES, trials=7
    )
    assert found == [red] * 7


def test_a_planted_build_that_is_red_for_another_case_has_not_found_it() -> None:
    """What counts is the slower case; in a healthy build any case counts."""
    numbers = dict(LATENCIES)
    numbers["a", "ratio", False] = Observations(
        tuple(3 * head for head in LATENCIES["a", "ratio", False].heads)
    )
    criteria = [make_criterion("a"), make_criterion("b"), make_criterion("c")]
    policy = Policy()
    same = simulate_outcomes(criteria, Pool(numbers), policy, percent=1.0, cases=["b"], trials=2)
    assert same == [False, False]
    healthy = simulate_outcomes(criteria, Pool(numbers), policy, percent=0.0, cases=["b"], trials=2)
    assert healthy == [True, True]


def test_drawn_builds_are_the_same_each_time() -> None:
    """The generator has a seed, so a proof can be repeated from its records."""
    first, second = (simulate(Pool(LATENCIES), seed=SEED)(50, {"a"}) for _ in range(2))
    assert first == second
