"""What a gate looks for: the smallest change that has to be found, beyond a narrow limit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from resilience_bench._model import CaseRecord
from resilience_bench._verdicts import Outcome, Verdict
from resilience_bench.gate.comparison import COMPARISON_POLICY, TOLERANCES
from resilience_bench.gate.criteria import judge
from resilience_bench.gate.decide import decide
from resilience_bench.gate.trial import Criterion, Evidence, Observations, Policy
from tests.factories import make_record
from tests.gate.criteria_factories import ONE, known
from tests.gate.decide_factories import Drawing, around, compared, pair, spread

CASES = 60
NOISE = 0.02
LIMIT = 1 + TOLERANCES["ratio"]
SOUGHT = Policy(screen=12, confirm=(30,), sought=3.0)


def judge_once(head: float, spread: float, policy: Policy) -> tuple[Outcome, int]:
    """The outcome of a case in a comparison with a tolerance of 1 %, and how often it was drawn."""
    drawing = Drawing([{("a", "ratio", False): lambda workers: pair(head, 1.0, workers, spread)}])
    [verdict] = decide([compared("a", most=1.01)], drawing, policy)
    return verdict.outcome, len(drawing.asked)


def test_an_unchanged_case_is_within_without_a_confirmation() -> None:
    """It is certainly less than 3 % slower, though 12 workers do not show that of 1 %."""
    assert judge_once(1.0, 0.03, SOUGHT) == ("within", 1)
    assert judge_once(1.0, 0.03, Policy(screen=12, confirm=(30,)))[1] == 2


@pytest.mark.parametrize(("head", "outcome"), [(1.015, "inconclusive"), (1.0, "within")])
def test_what_looks_slower_than_the_limit_is_never_within(head: float, outcome: Outcome) -> None:
    """Also where it is certainly less slow than what is sought."""
    assert judge_once(head, 0.012, SOUGHT)[0] == outcome


def test_a_budget_has_no_more_room_than_its_limit() -> None:
    """A budget expects nothing, so what is sought is the limit itself."""
    budget = Criterion("a", "latency", "latency_ns", high=100.0)
    assert budget.compute_sought_cost(3.0) == budget.limits[1]
    drawing = Drawing([around(99.9, 0.02, quantity="latency_ns")])
    [verdict] = decide([budget], drawing, SOUGHT)
    assert verdict.outcome == "inconclusive"


@dataclass(frozen=True, slots=True)
class LoadedSource:
    """A source of one case under load, with the same numbers in each draw."""

    cases: Mapping[str, CaseRecord]
    signals: Collection[str] = ("scaling",)
    not_available: Mapping[str, str] = field(default_factory=dict)

    def draw_loads(self, workers: int, cases: Collection[str]) -> Evidence:
        """Return half of the bare call's rate, give or take four tenths of it."""
        return {(case, "scaling", False): spread(0.5, workers, 0.4) for case in cases}

    draw_latencies = draw_counts = draw_loads


@pytest.mark.parametrize("sought", [1.0, 3.0])
def test_scaling_is_judged_by_its_limit_alone(sought: float) -> None:
    """A case under load needs evidence for its own limit, whatever is sought of latencies."""
    criterion = Criterion(ONE.name, "scaling", "scaling", high=0.55, low=0.47, expected=0.5)
    policy = Policy(sought=sought)
    [verdict] = judge([criterion], LoadedSource(known(make_record(ONE))), policy)
    assert verdict.outcome == "inconclusive"


def simulate(seed: int, slower: float) -> list[Verdict]:
    """A comparison of 60 cases, the first of them slower, with 2 % of noise between workers."""
    random = np.random.default_rng(seed)
    names = [f"case{number}" for number in range(CASES)]

    def draw(workers: int, cases: Collection[str]) -> Evidence:
        order = [name for name in names if name in cases]
        table = np.exp(NOISE * random.standard_normal((len(order), 2, workers)))
        return {
            (name, "ratio", False): Observations(
                tuple((head * (slower if name == names[0] else 1)).tolist()), tuple(base.tolist())
            )
            for name, (head, base) in zip(order, table, strict=True)
        }

    criteria = [compared(name, most=LIMIT) for name in names]
    return decide(criteria, draw, COMPARISON_POLICY)


@pytest.mark.parametrize(("slower", "fewest"), [(1.03, 90), (1.05, 99)])
def test_small_slowdowns_are_found(slower: float, fewest: int) -> None:
    """Of 100 comparisons: 3 % in at least 90, 5 % in at least 99, and no other case fails."""
    found = 0
    for seed in range(100):
        verdicts = simulate(seed, slower)
        red = [verdict.case for verdict in verdicts if verdict.outcome == "regressed"]
        assert red in ([], ["case0"])
        found += bool(red)
    assert found >= fewest


def test_unchanged_comparisons_do_not_fail() -> None:
    """100 comparisons of equal cases: none fails, and hardly a case is left open."""
    verdicts = [verdict for seed in range(100) for verdict in simulate(seed, 1.0)]
    assert not [verdict for verdict in verdicts if verdict.outcome == "regressed"]
    assert sum(verdict.outcome == "within" for verdict in verdicts) >= 0.99 * len(verdicts)
