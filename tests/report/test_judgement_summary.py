"""The summary, the exit code, units and explanations of a judgement."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
from rich.console import Console

from resilience_bench._model import Estimate
from resilience_bench._verdicts import Outcome, Verdict
from resilience_bench.gate.verdicts import compute_exit_code
from resilience_bench.report import judgement_table
from resilience_bench.report import verdicts as judged
from tests.report.judgement_factories import (
    bare,
    budgeted,
    counted,
    make_judgement,
    regressed,
    sample,
)


def cells(verdict: Verdict) -> judged.VerdictRow:
    """The texts of a verdict."""
    return judged.make_verdict_row(verdict)


def test_summary_counts_cases_not_decisions() -> None:
    """A case counts once, as the worst of its verdicts."""
    judgement = make_judgement(
        regressed("a.one"),
        counted("a.one", outcome="improved"),
        regressed("a.two", outcome="inconclusive"),
        bare("a.two", "not measured"),
        regressed("a.three", outcome="improved"),
        regressed("a.four", outcome="within"),
        regressed("a.five", outcome="within"),
        counted("a.five", outcome="inconclusive"),
    )
    assert judged.summarise_judgement(judgement) == (
        "5 cases judged: 1 regressed, 1 improved, 1 inconclusive, 1 not measured, "
        "1 within its range (8 decisions)"
    )
    unmeasured = make_judgement(bare("a.one", "not measured"), bare("a.two", "not measured"))
    assert judged.summarise_judgement(unmeasured) == "nothing was judged: 2 cases not measured"


@pytest.mark.parametrize(
    ("outcomes", "code", "strict_code"),
    [
        (("within", "regressed", "not measured"), 1, 1),
        (("not measured", "not measured"), 2, 2),
        ((), 2, 2),
        (("within", "inconclusive"), 0, 3),
        (("within", "not measured"), 0, 3),
        (("inconclusive",), 0, 3),
        (("within", "improved"), 0, 0),
    ],
)
def test_exit_code(outcomes: tuple[Outcome, ...], code: int, strict_code: int) -> None:
    """1 for a regression, 2 if nothing was judged, 3 for doubts if they count, else 0."""
    judgement = make_judgement(*(bare("a.b", outcome) for outcome in outcomes))
    assert compute_exit_code(judgement, strict=False) == code
    assert compute_exit_code(judgement, strict=True) == strict_code


@pytest.mark.parametrize(
    ("p_value", "text"),
    [
        (None, "-"),
        (math.nan, "-"),
        (0.0, "less than 1 in 1,000,000,000"),
        (9e-10, "less than 1 in 1,000,000,000"),
        (2.5e-5, "1 in 40,000"),
        (2.6e-5, "1 in 38,000"),
        (0.03, "1 in 33"),
        (0.5, "1 in 2"),
        (0.51, "more often than not"),
        (1.0, "more often than not"),
    ],
)
def test_chance_is_said_in_words(p_value: float | None, text: str) -> None:
    """People understand one in so many."""
    assert cells(regressed(p_value=p_value)).chance == text


def test_every_quantity_has_its_unit() -> None:
    """Nanoseconds, bytes, counts and ratios are distinguished; a row has the same decimals."""
    assert cells(counted()).seen == "15,931"
    assert cells(counted()).range == "14,804 - 15,104"
    slow = budgeted(quantity="latency_ns", seen=Estimate(12345.6, 12300.0, 12400.0))
    assert cells(slow).seen == "12,346 ns (12,300 - 12,400)"
    weight: dict[str, Any] = {
        "signal": "allocations",
        "quantity": "object_bytes",
        "low": 500.0,
        "high": 600.0,
    }
    heavy = cells(regressed(expected=552.0, seen=Estimate(1048.0, 1048.0, 1048.0), **weight))
    assert heavy.signal == "allocations: object_bytes"
    assert (heavy.seen, heavy.expected, heavy.range) == ("1,048 B", "552 B", "500 - 600 B")
    assert cells(regressed(expected=0.25, low=0.2, high=0.3)).expected == "0.250"
    assert cells(regressed(expected=0.025, low=0.02, high=0.03, seen=None)).expected == "0.0250"


def test_a_comparison_shows_ratios_whatever_the_quantity() -> None:
    """HEAD divided by BASE has no unit, also of instructions."""
    quantity = Estimate(1.0342, 1.031, 1.037)
    said = cells(counted(expected=1.0, low=0.995, high=1.005, seen=quantity))
    assert (said.seen, said.range) == ("1.034 (1.031 - 1.037)", "0.995 - 1.005")
    assert said.change == "+3.4 %"


def test_change_without_something_to_divide_by() -> None:
    """From nothing there is a difference, not a percentage; small changes keep two decimals."""
    weight: dict[str, Any] = {
        "signal": "allocations",
        "quantity": "allocated_bytes",
        "low": 0.0,
        "high": 16.0,
    }
    said = cells(regressed(expected=0.0, seen=Estimate(48.0, 48.0, 48.0), **weight))
    assert (said.change, said.expected) == ("+48 B", "0 B")
    assert cells(regressed(seen=None)).change == "-"
    assert cells(budgeted(high=None, low=None)).range == "-"
    assert cells(regressed(high=None)).range == "at least 1.179"
    assert cells(counted(seen=Estimate(15046.0, 15046.0, 15046.0))).change == "+0.62 %"
    assert cells(regressed(seen=Estimate(1.0, 0.9, 1.1))).change == "-23.7 %"


def test_numbers_that_are_none_do_not_raise() -> None:
    """Infinite and undefined estimates are shown as what they are."""
    said = cells(regressed(seen=Estimate(math.inf, 0.0, math.nan)))
    assert "inf" in said.seen
    judged.group_by_outcome(make_judgement(regressed(seen=Estimate(math.nan, math.nan, math.nan))))


def test_explanation_numbers_the_steps_of_the_wanted_cases() -> None:
    """A step a line, for the cases that match and no other."""
    file = io.StringIO()
    console = Console(file=file, width=100)
    judgement = make_judgement(
        regressed(steps=("first [red]step[/red]", "second\nstep")), budgeted(), counted(steps=())
    )
    count = judgement_table.render_explanation(
        judgement, lambda name: name.startswith("breaker."), console
    )
    assert count == 2
    assert [line.rstrip() for line in file.getvalue().splitlines()] == [
        "REGRESSED  breaker.closed_success[pybreaker]  latency",
        "   1. first [red]step[/red]",
        "   2. second step",
        "",
        "REGRESSED  breaker.closed_success[pybreaker]  instructions",
        "  all 3 processes",
        "",
    ]


def test_explanation_of_nothing_prints_nothing() -> None:
    """The caller knows from the number that no case matched."""
    file = io.StringIO()
    console = Console(file=file)
    assert judgement_table.render_explanation(sample(), lambda _name: False, console) == 0
    assert file.getvalue() == ""
