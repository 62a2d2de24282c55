"""How often simulated builds fail, healthy and slowed."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from resilience_bench._verdicts import Verdict
from resilience_bench.gate.decide import decide
from resilience_bench.gate.trial import Evidence, Observations, Policy
from tests.gate.decide_factories import compared

CASES = 60

NOISE = 0.02


def simulated(seed: int, slower: Mapping[int, float], noise: float = NOISE) -> list[Verdict]:
    """The verdicts of a build with normal noise between workers; nothing is measured."""
    random = np.random.default_rng(seed)
    names = [f"case{number}" for number in range(CASES)]
    factors = {names[number]: factor for number, factor in slower.items()}

    def draw(workers: int, cases: Collection[str]) -> Evidence:
        order = [name for name in names if name in cases]
        table = 1 + noise * random.standard_normal((len(order), 2, workers))
        return {
            (name, "ratio", False): Observations(
                tuple((factors.get(name, 1.0) * head).tolist()), tuple(base.tolist())
            )
            for name, (head, base) in zip(order, table, strict=True)
        }

    return decide([compared(name) for name in names], draw, Policy(screen=12, confirm=(30, 100)))


def test_healthy_builds_do_not_fail() -> None:
    """300 builds of 60 equal cases with 2 % of noise and a tolerance of 3 %: none is red."""
    found = [each for seed in range(300) for each in simulated(seed, {})]
    assert not [each for each in found if each.outcome == "regressed"]
    assert sum(each.outcome == "within" for each in found) >= 0.99 * len(found)


def test_builds_on_their_very_limit_hardly_fail() -> None:
    """Also where every case is 3 % slower, the worst that is allowed, the error rate holds."""
    limit = dict.fromkeys(range(CASES), 1.03)
    red = [
        any(each.outcome == "regressed" for each in simulated(seed, limit)) for seed in range(100)
    ]
    assert sum(red) <= 2  # 0.1 are expected; three or more come once in 6000 times


def test_what_is_slower_is_found() -> None:
    """One case of 60 that is 8 % slower turns at least 90 of 100 builds red, and it alone does."""
    found = 0
    for seed in range(100):
        red = [each.case for each in simulated(seed, {7: 1.08}) if each.outcome == "regressed"]
        assert red in ([], ["case7"])
        found += bool(red)
    assert found >= 90
