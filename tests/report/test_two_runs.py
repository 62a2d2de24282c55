"""Two runs side by side: what moved, what did not, and what cannot be decided."""

from __future__ import annotations

from dataclasses import replace

import pytest

from resilience_bench._model import Result
from resilience_bench.report.two_runs import RunComparison, compare_runs
from tests.factories import (
    make_case,
    make_environment,
    measured_result,
    with_all_signals,
)
from tests.load_factories import loaded_result, make_loads

COSTLIER, CHEAPER, SAME = make_case("costlier"), make_case("cheaper"), make_case("same")


def run(costlier: float = 1000.0, cheaper: float = 1000.0, same: float = 1000.0) -> Result:
    """A run of three cases over enough workers to be sure."""
    return measured_result({COSTLIER: costlier, CHEAPER: cheaper, SAME: same}, 14, spread=0.005)


def beside(this: Result, other: Result) -> RunComparison:
    """Two runs side by side."""
    return compare_runs(this, "this.json", other, "other.json")


def test_what_moved_comes_first_and_is_named() -> None:
    """A case that got slower regressed, one that got cheaper improved; the others did neither."""
    found = beside(run(costlier=1500.0, cheaper=700.0), run())
    reported = [(pair.case, pair.outcome, pair.style) for pair in found.pairs]
    assert reported == [
        (COSTLIER.name, "regressed", "bad"),
        (CHEAPER.name, "improved", "good"),
        (SAME.name, "within", ""),
    ]
    first = found.pairs[0]
    assert first.quantity == "ratio"
    assert first.change == "+50.0 %"
    assert first.quotient.startswith("1.500 (")
    assert (first.other[:5], first.this[:5]) == ("2.00 ", "3.00 ") or "(" in first.this


def test_a_run_against_itself_moved_nothing() -> None:
    """And no interval parts."""
    found = beside(run(), run())
    assert {pair.outcome for pair in found.pairs} == {"within"}


def test_a_small_change_is_marked_where_the_intervals_part() -> None:
    """It lies within the range, and is one all the same."""
    found = beside(run(costlier=1040.0), run())
    outcomes = {pair.case: pair.outcome for pair in found.pairs}
    assert outcomes[COSTLIER.name] == "within; the intervals part"
    assert outcomes[SAME.name] == "within"
    assert found.pairs[0].case == COSTLIER.name


def test_instructions_are_compared_as_well() -> None:
    """Where both have counted them."""
    found = beside(with_all_signals(run()), with_all_signals(run()))
    kinds = {pair.quantity for pair in found.pairs}
    assert {"ratio", "instructions"} <= kinds
    assert {each.quantity for each in beside(with_all_signals(run()), run()).pairs} == {"ratio"}


def test_what_is_under_load_is_compared_by_its_scaling() -> None:
    """A rate that fell regressed, however fast the machine."""
    case = make_case("pybreaker", load="threads-8")

    def loaded(rate: float) -> Result:
        loads = [
            make_loads(case, [rate * (1 + index / 1000)] * 6, index=index) for index in range(9)
        ]
        return loaded_result(loads, [case])

    (pair,) = beside(loaded(2000.0), loaded(8000.0)).pairs
    assert (pair.quantity, pair.outcome) == ("scaling", "regressed")


def test_another_machine_is_not_compared() -> None:
    """The ratio is of one processor; why there is no number is said."""
    other = replace(run(), environment=make_environment(cpu_model="Another"))
    found = beside(run(), other)
    assert found.pairs == ()
    (note,) = found.judgement.notes
    assert note == "latency is not compared: cpu_model: before 'Another', now 'AMD EPYC 7B13'"
    facts = {name: (other, this) for name, other, this in found.facts}
    assert facts["processor"][0] != facts["processor"][1]


def test_another_reference_is_not_compared() -> None:
    """A ratio to another piece of work is another number."""
    found = beside(run(), replace(run(), reference_version=2))
    assert found.pairs == ()
    assert "the reference is another one" in found.judgement.notes[0]


def test_cases_of_one_run_alone_are_named() -> None:
    """On the side where they are."""
    found = beside(measured_result({SAME: 1000.0, COSTLIER: 1.0}), measured_result({SAME: 1000.0}))
    assert (found.only_this, found.only_other) == ((COSTLIER.name,), ())
    found = beside(measured_result({SAME: 1000.0}), measured_result({SAME: 1000.0, COSTLIER: 1.0}))
    assert (found.only_this, found.only_other) == ((), (COSTLIER.name,))


@pytest.mark.parametrize("workers", [1, 3])
def test_too_few_workers_decide_nothing(workers: int) -> None:
    """Side by side they stand all the same, in doubt."""
    found = beside(
        measured_result({SAME: 1000.0}, workers), measured_result({SAME: 2000.0}, workers)
    )
    assert {verdict.outcome for verdict in found.judgement.verdicts} <= {
        "inconclusive",
        "not measured",
    }
