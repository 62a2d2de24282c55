"""The summary of a large run: what it chooses, and that it fits on a screen and a half."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from resilience_bench._model import Case, Result
from resilience_bench.report import summary
from resilience_bench.report.summary import (
    OBVIOUS,
    REFERENCE_STACK,
    Summary,
    is_large,
    summarise_run,
)
from resilience_bench.stats.latency import estimate
from tests.factories import make_case, make_record, make_result, measured_result

FAMILIES = ("breaker", "retry", "metrics", "composed", "fallback", "health")


def summarise(result: Result) -> Summary:
    """The summary of a result."""
    return summarise_run(result, estimate(result))


def make_suite(libraries: int = 7, scenarios: int = 14) -> dict[Case, float]:
    """A suite of six families, as large as the project's own."""
    return {
        make_case(f"library_{library}", f"{family}.scenario_{scenario}"): 100.0 * (library + 1)
        for family in FAMILIES
        for scenario in range(scenarios)
        for library in range(libraries)
    }


def test_a_scenario_shows_its_cheapest_and_its_costliest_library() -> None:
    """Libraries between the two are left out, and the factor is between the two."""
    times = {"middle": 300.0, "low": 100.0, "high": 1200.0}
    result = measured_result({make_case(name): time for name, time in times.items()})
    [section] = summarise(result).sections
    [row] = section.rows
    assert list(row.values()) == ["  closed_success", "low", "100 ns", "high", "1,200 ns", "12.0"]


def test_a_library_with_parameters_counts_once_at_its_cheapest() -> None:
    """What is compared is libraries, not parameters of one of them."""
    times = {"a,n=1": 100.0, "a,n=2": 900.0, "b,n=1": 300.0}
    result = measured_result({make_case(name): time for name, time in times.items()})
    [row] = summarise(result).sections[0].rows
    assert (row["cheapest"], row["costliest"], row["highest"]) == ("a", "b", "300 ns")


def test_the_main_scenarios_are_those_of_most_libraries() -> None:
    """Where not all can be shown, scenarios of few libraries are hidden, and counted."""
    times = make_suite(libraries=2, scenarios=4)
    times[make_case("library_2", "retry.scenario_3")] = 50.0
    for number in range(4, 9):
        times |= {
            make_case(f"library_{index}", f"retry.scenario_{number}"): 9.0 + index
            for index in range(2)
        }
    sections = {section.title: section for section in summarise(measured_result(times)).sections}
    shown = [row["label"].strip() for row in sections["retry"].rows]
    assert "scenario_3" in shown
    assert shown == sorted(shown)
    assert sections["retry"].hidden == 9 - len(shown)


def test_a_scenario_with_one_library_is_not_compared() -> None:
    """A single library is neither cheap nor costly."""
    result = measured_result({make_case("alone"): 100.0})
    assert summarise(result).sections == ()
    assert not is_large(estimate(result))


def test_the_obvious_composition_is_held_against_the_reference_stack() -> None:
    """Both stand in one row, although a third library is the cheapest."""
    times = {OBVIOUS: 9000.0, REFERENCE_STACK: 450.0, "third": 100.0}
    result = measured_result({make_case(name, "composed.guarded"): t for name, t in times.items()})
    *_, section = summarise(result).sections
    [row] = section.rows
    assert (row["cheapest"], row["costliest"]) == (REFERENCE_STACK, OBVIOUS)
    assert row["factor"] == "20.0"


def test_doubts_are_one_line_and_failures_are_named() -> None:
    """A summary counts what is doubtful, and names what failed."""
    times = {make_case("a"): 100.0, make_case("b"): 200.0}
    measured = measured_result(times, workers=8, spread=0.3)
    failed = make_record(make_case("c"), "failed", "it was ended by SIGSEGV")
    absent = make_record(make_case("d"), "not available", "it has none")
    result = make_result([*measured.cases, failed, absent], measured.workers)
    found = summarise(result)
    [doubt] = found.doubts
    assert doubt.startswith("doubtful: 2 of 2 cases; most often: ")
    assert found.failures == ("failed: breaker.closed_success[c]: it was ended by SIGSEGV",)
    assert "not available: 1 case; 'resilience-bench list' says why" in found.notes


def test_a_whole_suite_fits_on_a_screen_and_a_half() -> None:
    """588 cases are summarised in 60 lines of at most 100 columns, and no name is cut."""
    result = measured_result(make_suite(), workers=3)
    measurements = estimate(result)
    assert is_large(measurements)
    file = io.StringIO()
    console = Console(file=file, width=100)
    summary.render(summarise_run(result, measurements), result, console, Path("r.json"))
    lines = file.getvalue().splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 100
    assert sum("library_0 " in line and "library_6 " in line for line in lines) == 24
    assert lines[-2].endswith("resilience-bench show r.json")


@pytest.mark.parametrize("width", [40, 100, 10_000])
def test_no_name_is_cut_at_any_width(width: int) -> None:
    """Long names stay whole, whatever the console's width."""
    names = ("a_library_with_a_very_long_name", "another_library_with_a_long_name")
    cases = {make_case(name, f"composed.{'long_' * 8}"): 100.0 for name in names}
    result = measured_result(cases)
    file = io.StringIO()
    summary.render(summarise(result), result, Console(file=file, width=width), Path("r.json"))
    for name in (*names, "long_" * 8):
        assert name in file.getvalue()


@pytest.mark.parametrize("width", [50, 70, 80])
def test_a_summary_stays_within_a_narrow_terminal(width: int) -> None:
    """Sentences are wrapped, and numbers that factors stand for are left out before names."""
    cases = {make_case(name, f"scenario_{name}"): 100.0 for name in ("one", "two")}
    result = replace(measured_result(cases), profile="a profile of a rather long name " * 3)
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=None)
    summary.render(summarise(result), result, console, Path("r.json"))
    table_lines = file.getvalue().partition("all cases:")[0].splitlines()
    assert max(len(line.rstrip()) for line in table_lines) <= width
