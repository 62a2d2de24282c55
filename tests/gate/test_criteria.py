"""The criteria that a baseline, a budget and a comparison ask for."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from resilience_bench._verdicts import Baseline, Budget, Range
from resilience_bench.gate.criteria import (
    find_cases_without_range,
    make_baseline_criteria,
    make_budget_criteria,
    make_comparison_criteria,
    make_headline,
    select_relevant,
)
from resilience_bench.gate.decide import decide
from resilience_bench.gate.trial import Criterion, Observations, Policy
from resilience_bench.measure.counting import SIGNALS
from tests.factories import make_case, make_environment, make_record
from tests.gate.criteria_factories import ONE, RETRY, TWO, known, verdict

RANGE = Range(10.0, 9.0, 11.0, 5, 70, 0.01, "it was agreed on")

TOLERANCES = {
    "ratio": 0.03,
    "instructions": 0.005,
    "allocated_bytes": 0.05,
    "object_bytes": 0.05,
    "scaling": 0.1,
    "share": 0.02,
}

STATUSES = ("measured", "not installed", "not available", "broken", "failed", "interrupted")


def make_baseline(ranges: Mapping[str, Mapping[str, Range]]) -> Baseline:
    """A baseline with these ranges."""
    held = {name: dict(each) for name, each in ranges.items()}
    return Baseline(1, "0.1.0", 1, make_environment(), None, "2026-01-02", "first", held)


def test_a_baseline_asks_for_each_of_its_ranges() -> None:
    """The limits, what is expected and the reason are those of the range."""
    ranges = {ONE.name: {"ratio": RANGE, "instructions": RANGE}, TWO.name: {"object_bytes": RANGE}}
    found = make_baseline_criteria(make_baseline(ranges), SIGNALS, lambda _: True)
    assert found == [
        Criterion(ONE.name, "latency", "ratio", 11.0, 9.0, 10.0, "it was agreed on"),
        Criterion(ONE.name, "instructions", "instructions", 11.0, 9.0, 10.0, "it was agreed on"),
        Criterion(TWO.name, "allocations", "object_bytes", 11.0, 9.0, 10.0, "it was agreed on"),
    ]


@pytest.mark.parametrize(
    ("signals", "quantities"),
    [
        (["latency"], ["ratio"]),
        (["instructions"], ["instructions"]),
        (["allocations"], ["allocated_bytes", "object_bytes"]),
        ([], []),
    ],
)
def test_a_baseline_asks_of_the_wanted_signals(signals: list[str], quantities: list[str]) -> None:
    """What is not to be judged is not asked."""
    baseline = make_baseline({ONE.name: dict.fromkeys(TOLERANCES, RANGE)})
    found = make_baseline_criteria(baseline, signals, lambda _: True)
    assert [each.quantity for each in found] == quantities


def test_a_baseline_asks_of_the_selected_cases() -> None:
    """A selection reports nothing of the other cases."""
    baseline = make_baseline({ONE.name: {"ratio": RANGE}, TWO.name: {"ratio": RANGE}})
    found = make_baseline_criteria(baseline, SIGNALS, lambda name: name == TWO.name)
    assert [each.case for each in found] == [TWO.name]


def test_a_budget_asks_of_the_cases_that_it_matches() -> None:
    """There is an upper end only, and the reason says whose budget it is."""
    records = [make_record(value) for value in (ONE, TWO, RETRY)]
    budgets = [
        Budget("breaker.*", "overhead_ns", 5000.0, "a call must not notice"),
        Budget("*[two*", "object_bytes", 64.0, "thousands of them"),
    ]
    found = make_budget_criteria(budgets, SIGNALS, records)
    said = "budget breaker.*: a call must not notice"
    assert found == [
        Criterion(ONE.name, "latency", "overhead_ns", 5000.0, reason=said),
        Criterion(TWO.name, "latency", "overhead_ns", 5000.0, reason=said),
        Criterion(
            TWO.name, "allocations", "object_bytes", 64.0, reason="budget *[two*: thousands of them"
        ),
    ]
    assert [each.case for each in make_budget_criteria(budgets, ["allocations"], records)] == [
        TWO.name
    ]


@pytest.mark.parametrize("status", STATUSES)
def test_what_cannot_be_there_has_no_budget_and_is_not_compared(status: str) -> None:
    """A library that is not installed, or cannot do it, breaks no promise; a failure may."""
    is_possible = status not in {"not installed", "not available"}
    record = make_record(ONE, status)
    budgets = [Budget("*", "latency_ns", 1.0, "why")]
    assert bool(make_budget_criteria(budgets, SIGNALS, [record])) is is_possible
    assert bool(make_comparison_criteria(known(record), SIGNALS, TOLERANCES)) is is_possible


def test_a_comparison_asks_for_head_and_for_base_itself() -> None:
    """Ranges lie around 1, as wide below as above; allocations need no null control."""
    found = make_comparison_criteria(known(make_record(ONE)), SIGNALS, TOLERANCES)
    reported = [(each.quantity, each.is_null, each.high) for each in found]
    assert reported == [
        ("ratio", False, 1.03),
        ("ratio", True, 1.03),
        ("instructions", False, 1.005),
        ("instructions", True, 1.005),
        ("allocated_bytes", False, 1.05),
        ("object_bytes", False, 1.05),
    ]
    assert {each.expected for each in found} == {1.0}
    for each in found:
        assert each.low == pytest.approx(1 / each.high)
    latency = make_comparison_criteria(known(make_record(ONE)), ["latency"], TOLERANCES)
    assert [(each.signal, each.is_null) for each in latency] == [
        ("latency", False),
        ("latency", True),
    ]


@pytest.mark.parametrize(
    ("statuses", "is_kept"),
    [
        (("not installed",), False),
        (("not installed", "not available"), False),
        (("not installed", "measured"), True),
        (("failed", "not available"), True),
        ((), False),
    ],
)
def test_what_is_available_nowhere_is_left_out(statuses: tuple[str, ...], *, is_kept: bool) -> None:
    """A comparison is not about cases that neither variant can do."""
    arms = [known(make_record(ONE, status)) for status in statuses]
    lost = verdict("not measured")
    assert select_relevant([lost], *arms) == ([lost] if is_kept else [])


def test_what_has_a_range_or_was_decided_is_never_left_out() -> None:
    """A case that the baseline knows and that can no longer be measured is worth a line."""
    ranged = verdict("not measured", low=0.9)
    within = verdict("within", case=TWO.name)
    gone = known(make_record(ONE, "not installed"))
    assert select_relevant([ranged, within], gone) == [ranged, within]


def test_cases_without_a_range_are_named() -> None:
    """Only measured ones: the others could have none."""
    records = [make_record(ONE), make_record(TWO), make_record(RETRY, "failed")]
    assert find_cases_without_range(records, make_baseline({ONE.name: {"ratio": RANGE}})) == [
        TWO.name
    ]


def test_the_headline_says_how_sure_the_gate_is() -> None:
    """The number of decisions and the error rate of a build."""
    line = make_headline(Policy(), [verdict("within")] * 3)
    assert line.startswith("3 decisions, ")
    assert "a probability below 0.001" in line


def test_a_case_under_load_has_scaling_and_nothing_else() -> None:
    """Budgets and comparisons ask of it what it has; a budget of scaling is a lower end."""
    loaded = make_record(make_case().with_load("threads-16", "io"))
    plain = make_record(make_case())
    cases = [plain, loaded]
    budgets = [
        Budget("*", "scaling", 0.8, "shared by many"),
        Budget("*", "overhead_ns", 900.0, "called often"),
    ]
    asked = make_budget_criteria(budgets, SIGNALS, cases)
    assert {(each.case, each.quantity, each.low, each.high) for each in asked} == {
        (plain.case.name, "overhead_ns", None, 900.0),
        (loaded.case.name, "scaling", 0.8, None),
    }
    compared = make_comparison_criteria(known(*cases), SIGNALS, TOLERANCES)
    assert {each.quantity for each in compared if each.case == loaded.case.name} == {"scaling"}
    assert "scaling" not in {each.quantity for each in compared if each.case == plain.case.name}


def test_a_real_call_has_a_share_and_nothing_else() -> None:
    """Alone and under a load; it is compared by its difference, because it may be 0."""
    for load in ("single", "threads-8"):
        record = make_record(make_case().with_load(load, "sqlite"))
        (limit,) = make_budget_criteria([Budget("*", "share", 0.01, "1 %")], SIGNALS, [record])
        assert (limit.quantity, limit.low, limit.high) == ("share", None, 0.01)
        compared = make_comparison_criteria(known(record), SIGNALS, TOLERANCES)
        bounds = {(each.quantity, each.low, each.expected, each.high) for each in compared}
        assert bounds == {("share", -0.02, 0.0, 0.02)}


def test_a_share_of_nothing_can_be_judged() -> None:
    """An empty guard is within its budget, and two of 0 do not differ."""
    name = make_case().with_load("single", "sqlite").name
    numbers = (0.001, -0.001, 0.002, -0.002, 0.0)
    compared = Criterion(name, "share", "share", 0.02, -0.02, 0.0)
    budget = Criterion(name, "share", "share", 0.01)
    for criterion, found in (
        (compared, Observations(numbers, numbers)),
        (budget, Observations(numbers)),
    ):
        evidence = {criterion.key: found}
        (seen,) = decide([criterion], lambda _, __, all_of=evidence: all_of, Policy())
        assert seen.outcome == "within"
        assert seen.seen is not None
        assert seen.seen.low <= 0 <= seen.seen.high
