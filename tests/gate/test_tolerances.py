"""Tolerances by case: how they are read, which ranges they make, and floors in ns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from resilience_bench._verdicts import Outcome, Tolerance
from resilience_bench.errors import UnreadableBaselineError
from resilience_bench.gate.budgets import read_budgets
from resilience_bench.gate.tolerances import (
    KEYS,
    apply_tolerances,
    describe_tolerances,
    read_tolerances,
)
from resilience_bench.gate.trial import Criterion, Key, Observations
from resilience_bench.quantities import JUDGED
from tests.gate.decide_factories import compared, decided, outcomes, pair, ranged, spread

GOOD = '[[tolerance]]\ncases = "a.*"\nratio_percent = 25\nreason = "why"\n'
JUMPY = Tolerance("a", {"ratio": 0.25}, 0.0, "it wakes a thread")
STEADY = Tolerance("a*", {"ratio": 0.01, "instructions": 0.001}, 0.0, "it counts")
FLOORED = Tolerance("a", {}, 2.0, "a few ns")
Draw = Mapping[Key, Callable[[int], Observations]]


def read(tmp_path: Path, content: str) -> tuple[Tolerance, ...]:
    """The tolerances of a file."""
    path = tmp_path / "budgets.toml"
    path.write_text(content)
    return read_tolerances(path)


def test_a_table_is_a_tolerance(tmp_path: Path) -> None:
    """Per cents by quantity, a floor, cases and reason; budgets stand beside it."""
    budget = '[[budget]]\ncases = "a"\nlatency_ns = 5\nreason = "so"\n'
    floor = '[[tolerance]]\ncases = "b"\nfloor_ns = 2\nallocated_bytes_percent = 10\nreason = "so"'
    assert read(tmp_path, GOOD + budget + floor) == (
        Tolerance("a.*", {"ratio": 0.25}, 0.0, "why"),
        Tolerance("b", {"allocated_bytes": 0.1}, 2.0, "so"),
    )
    assert len(read_budgets(tmp_path / "budgets.toml")) == 1


@pytest.mark.parametrize("content", ["", "# none\n", "tolerance = []"])
def test_no_tolerances_are_no_error(tmp_path: Path, content: str) -> None:
    """A file without any changes no range."""
    assert read(tmp_path, content) == ()


def test_every_judged_quantity_may_have_one(tmp_path: Path) -> None:
    """A new quantity needs no new code here."""
    lines = "\n".join(f"{key} = 1" for key in KEYS)
    [found] = read(tmp_path, GOOD.replace("ratio_percent = 25", lines))
    assert found.shares == dict.fromkeys(JUDGED, 0.01)
    assert found.floor_ns == 1


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("tolerance = 1", "key tolerance: expected tables, found 1"),
        ("tolerance = [1]", "key tolerance[0]: expected a table, found 1"),
        (GOOD + "[[tolerances]]", "key tolerances: expected tables named budget or tolerance"),
        (GOOD.replace("ratio_p", "ratios_p"), "key tolerance[0].ratios_percent: expected one of"),
        (
            GOOD.replace("ratio_percent", "overhead_ns"),
            "overhead_ns: expected one of ratio_percent",
        ),
        (GOOD.replace("ratio_percent = 25", ""), "key tolerance[0]: expected a tolerance, one of"),
        (
            GOOD.replace("25", "0"),
            "ratio_percent: expected a finite number of more than 0, found 0",
        ),
        (GOOD.replace("25", "inf"), "found Infinity"),
        (GOOD.replace("25", "true"), "found true"),
        (GOOD.replace('"why"', '""'), 'key tolerance[0].reason: expected a text, found ""'),
        (GOOD.replace("cases", "case"), "key tolerance[0].cases: expected a text, found no such"),
    ],
)
def test_what_is_no_tolerance_is_refused(tmp_path: Path, content: str, part: str) -> None:
    """One line with file, key and what was expected."""
    with pytest.raises(UnreadableBaselineError) as caught:
        read(tmp_path, content)
    text = str(caught.value)
    assert text.startswith(f"{tmp_path / 'budgets.toml'}: ")
    assert part in text
    assert "type [[tolerance]]" in text
    assert "\n" not in text


def test_a_comparison_takes_the_tolerance_of_the_case() -> None:
    """Wider or narrower, for the quantities that it names and for the null control as well."""
    asked = [compared("a"), compared("a", is_null=True), compared("b")]
    wide, null, other = apply_tolerances(asked, [JUMPY])
    for criterion in (wide, null):
        assert (criterion.low, criterion.high) == (0.8, 1.25)
        assert criterion.reason == "tolerance a: it wakes a thread"
    assert other == asked[2]
    [narrow] = apply_tolerances(asked[:1], [STEADY])
    assert narrow.high == 1.01


def test_a_tolerance_of_a_share_is_in_percentage_points() -> None:
    """Around a difference of 0, a share of 0 and one of 5 %: a part of nothing would be nothing."""
    allowed = [Tolerance("*", {"share": 0.03}, 0.0, "a small server")]
    unchanged = Criterion("a", "share", "share", 0.02, -0.02, 0.0)
    nothing, some = (
        Criterion("a", "share", "share", share + 0.02, share - 0.02, share) for share in (0.0, 0.05)
    )
    found = apply_tolerances([unchanged, nothing, some], allowed, may_narrow=False)
    assert [criterion.low for criterion in found] == pytest.approx([-0.03, -0.03, 0.02])
    assert [criterion.high for criterion in found] == pytest.approx([0.03, 0.03, 0.08])


def test_the_last_that_matches_holds() -> None:
    """So that general patterns come first; a key that it leaves out is that of the one before."""
    assert apply_tolerances([compared("a")], [STEADY, JUMPY])[0].high == 1.25
    assert apply_tolerances([compared("a")], [JUMPY, STEADY])[0].high == 1.01
    [both] = apply_tolerances([compared("a")], [JUMPY, FLOORED])
    assert (both.high, both.floor_ns) == (1.25, 2.0)


def test_a_learned_range_becomes_wider_only() -> None:
    """It was learned from what runs of different days did; its reason stays."""
    learned = Criterion("a", "latency", "ratio", 2.2, 1.8, 2.0, "learned so")
    [wide] = apply_tolerances([learned], [JUMPY], may_narrow=False)
    assert (wide.low, wide.high, wide.reason) == (1.6, 2.5, "learned so")
    [same] = apply_tolerances([learned], [STEADY], may_narrow=False)
    assert (same.low, same.high) == (1.8, 2.2)
    last = apply_tolerances([learned], [JUMPY, STEADY], may_narrow=False)
    assert (last[0].low, last[0].high) == (1.8, 2.2)


def test_budgets_stay_as_they_are() -> None:
    """A limit in absolute units is no change of anything."""
    budget = Criterion("a", "latency", "overhead_ns", 100.0)
    assert apply_tolerances([budget], [JUMPY, FLOORED]) == [budget]


def test_the_cases_with_tolerances_are_named() -> None:
    """Whoever reads a judgement learns which ranges are not the usual ones."""
    assert describe_tolerances([JUMPY], ["b"]) == []
    assert describe_tolerances([JUMPY], ["a", "b"]) == ["1 case has a tolerance of its own: a"]
    assert describe_tolerances([STEADY], ["a", "ab", "b"]) == [
        "2 cases have tolerances of their own: a, ab"
    ]


# Floors


def compare_ns(head_ns: float, base_ns: float) -> Draw:
    """Workers of HEAD and BASE around these latencies, the reference being 100 ns."""
    return {
        ("a", "latency_ns", False): lambda n: pair(head_ns, base_ns, n, 0.001),
        ("a", "ratio", False): lambda n: pair(head_ns / 100, base_ns / 100, n, 0.001),
    }


@pytest.mark.parametrize(
    ("head_ns", "base_ns", "outcome"),
    [
        (11.5, 10.0, "within"),
        (12.5, 10.0, "regressed"),
        (8.5, 10.0, "within"),
        (7.5, 10.0, "improved"),
        (0.5, 1.0, "within"),
        (1015.0, 1000.0, "within"),
        (1040.0, 1000.0, "regressed"),
    ],
)
def test_a_comparison_allows_a_few_ns(head_ns: float, base_ns: float, outcome: Outcome) -> None:
    """1.5 ns of 10 are 15 %, and no regression; 2.5 ns are, and so are 4 % of a longer call."""
    [criterion] = apply_tolerances([compared("a")], [FLOORED])
    [verdict], _ = decided([criterion], compare_ns(head_ns, base_ns))
    assert verdict.outcome == outcome
    if base_ns == 10.0:
        assert verdict.high == pytest.approx(1.2, rel=0.01)
        assert verdict.low == pytest.approx(0.8, rel=0.01)
    elif base_ns == 1000.0:
        assert verdict.high == 1.03


def test_without_a_floor_a_few_ns_are_a_regression() -> None:
    """The same numbers, the usual tolerance."""
    [verdict], _ = decided([compared("a")], compare_ns(11.5, 10.0))
    assert (verdict.outcome, verdict.high) == ("regressed", 1.03)


@pytest.mark.parametrize(("latency_ns", "outcome"), [(11.5, "within"), (12.5, "regressed")])
def test_a_stored_range_allows_a_few_ns(latency_ns: float, outcome: Outcome) -> None:
    """The reference says how many ns the unit of a ratio has: here 100."""
    stored = Criterion("a", "latency", "ratio", 0.11, 0.09, 0.1)
    [criterion] = apply_tolerances([stored], [FLOORED], may_narrow=False)
    draw: Draw = {
        ("a", "latency_ns", False): lambda n: spread(latency_ns, n, 0.001),
        ("a", "ratio", False): lambda n: spread(latency_ns / 100, n, 0.001),
    }
    [verdict], _ = decided([criterion], draw)
    assert verdict.outcome == outcome
    assert verdict.high == pytest.approx(0.12, rel=0.01)


def test_the_null_control_has_the_same_floor() -> None:
    """A base that differs from itself by less is no noise."""
    criteria = apply_tolerances([compared("a"), compared("a", is_null=True)], [FLOORED])
    draw = compare_ns(10.0, 10.0)
    null = {
        (case, quantity, True): made for (case, quantity, _), made in compare_ns(11.5, 10.0).items()
    }
    assert outcomes(decided(criteria, {**draw, **null})[0]) == ["within", "within"]


def test_a_floor_without_latencies_changes_nothing() -> None:
    """Ratios alone do not say how long a call takes."""
    [criterion] = apply_tolerances([ranged()], [FLOORED])
    draw: Draw = {("a", "ratio", False): lambda n: spread(1.15, n, 0.001)}
    [verdict], _ = decided([criterion], draw)
    assert (verdict.outcome, verdict.high) == ("regressed", 1.1)


def test_a_floor_is_that_of_the_machine_at_its_best() -> None:
    """Workers of a slow hour make the range no narrower: 2 ns are a fifth of the best 10 ns."""

    def slowed(ns: float, workers: int) -> Observations:
        slow = [ns * (1 + index % 4) for index in range(workers)]
        return Observations(tuple(slow), tuple(slow))

    [criterion] = apply_tolerances([compared("a")], [FLOORED])
    draw: Draw = {
        ("a", "latency_ns", False): lambda n: slowed(10.0, n),
        ("a", "ratio", False): lambda n: pair(0.115, 0.1, n, 0.001),
    }
    [verdict], _ = decided([criterion], draw)
    assert (verdict.outcome, verdict.high) == ("within", pytest.approx(1.2))
