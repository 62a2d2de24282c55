"""Budgets are read with every doubt, and what is out of date is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from resilience_bench._model import Case
from resilience_bench._verdicts import Baseline, Budget, Range
from resilience_bench.errors import UnreadableBaselineError
from resilience_bench.gate.budgets import lint, read_budgets
from resilience_bench.quantities import BUDGETED
from tests.factories import make_case, make_environment, make_record

ROOT = Path(__file__).resolve().parents[2]
BUDGETS = Path("baselines/budgets.toml")
HERE = Path("baselines/here.json")
GOOD = '[[budget]]\ncases = "a.*"\noverhead_ns = 1\nreason = "why"\n'


def refusal(path: Path) -> str:
    """The one line with which a file is refused."""
    with pytest.raises(UnreadableBaselineError) as caught:
        read_budgets(path)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(f"{path}: ")
    assert "type [[budget]]" in text
    return text


def test_a_table_with_two_units_is_two_budgets(tmp_path: Path) -> None:
    """Each limit is a budget with the cases and the reason of its table."""
    path = tmp_path / "budgets.toml"
    second = '[[budget]]\ncases = "b"\nreason = "so"\nlatency_ns = 2.5\ninstructions = 4_300\n'
    path.write_text(GOOD + second)
    assert read_budgets(path) == (
        Budget("a.*", "overhead_ns", 1.0, "why"),
        Budget("b", "latency_ns", 2.5, "so"),
        Budget("b", "instructions", 4300.0, "so"),
    )


@pytest.mark.parametrize("content", ["", "\n", "# none\n", "budget = []"])
def test_no_budgets_are_no_error(tmp_path: Path, content: str) -> None:
    """A file without any budget limits nothing."""
    path = tmp_path / "budgets.toml"
    path.write_text(content)
    assert read_budgets(path) == ()


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("[budget]\ncases = 'x'", "key budget: expected tables, found an object"),
        ("budget = [1]", "key budget[0]: expected a table, found 1"),
        ("[[budget]\n", "expected TOML, found none (Expected ']]'"),
        (GOOD + "x =\n", "at line 5"),
        ("x = " + "[" * 5000, "nested too deeply"),
        ("x = " + "9" * 5000, "expected TOML, found none"),
        (GOOD + "[[bugdet]]\n", "key bugdet: expected tables named budget or tolerance"),
        (GOOD + GOOD.replace("head_ns", "head_us"), "key budget[1].overhead_us: expected one of"),
        (GOOD.replace("= 1", "= 0"), "key budget[0].overhead_ns: expected a finite number of more"),
        (GOOD.replace("= 1", "= -5"), "found -5"),
        (GOOD.replace("= 1", "= inf"), "found Infinity"),
        (GOOD.replace("= 1", "= nan"), "found NaN"),
        (GOOD.replace("= 1", "= true"), "found true"),
        (GOOD.replace("= 1", "= '1'"), 'found "1"'),
        (GOOD.replace("= 1", "= 2026-01-02"), "found"),
        (GOOD.replace("= 1", "= 1" + "0" * 400), "expected a finite number"),
        (GOOD.replace("overhead_ns = 1\n", ""), "key budget[0]: expected a limit, one of overhead"),
        (GOOD.replace("cases", "case"), "key budget[0].cases: expected a text, found no such key"),
        (GOOD.replace('"a.*"', "5"), "key budget[0].cases: expected a text, found 5"),
        (GOOD.replace('"why"', '" "'), 'key budget[0].reason: expected a text, found " "'),
        (GOOD.replace('reason = "why"', ""), "key budget[0].reason: expected a text, found no"),
    ],
)
def test_what_is_no_budget_is_refused(tmp_path: Path, content: str, part: str) -> None:
    """Whatever stands in the file, the answer is one line that names the key."""
    path = tmp_path / "budgets.toml"
    path.write_text(content)
    assert part in refusal(path)


def test_a_missing_file_and_other_bytes_are_refused(tmp_path: Path) -> None:
    """What is not there, or is no text, is said so."""
    assert "No such file" in refusal(tmp_path / "nothing.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    assert "expected TOML in UTF-8" in refusal(tmp_path / "bad.toml")


def test_the_budgets_of_this_project_are_good() -> None:
    """The committed file can be read, and each limit says why in a full sentence."""
    budgets = read_budgets(ROOT / BUDGETS)
    assert {budget.quantity for budget in budgets} <= set(BUDGETED)
    assert all(each.reason.endswith(".") for each in budgets)


# What is out of date


def make_baseline(*cases: Case, runs: int = 3, workers: int = 30) -> Baseline:
    """A baseline in which each case has one range of latency and one of instructions."""
    each = Range(1.0, 0.9, 1.1, runs=runs, workers=workers, spread=0.0)
    ranges = {case.name: {"ratio": each, "instructions": each} for case in cases}
    return Baseline(1, "0.1.0", 1, make_environment(), None, "2026-01-02", "first", ranges)


def found(
    baseline: Baseline, cases: list[Case], *budgets: str, status: str = "measured"
) -> list[str]:
    """What is found in one baseline and these budgets."""
    made = [Budget(cases, unit, 1.0, "why") for cases in budgets for unit in BUDGETED]
    return lint({HERE: baseline}, made, BUDGETS, [make_record(case, status) for case in cases])


CASES = [make_case(name) for name in "abcde"]


def test_nothing_is_found_when_all_is_well() -> None:
    """Ranges for every case, on enough runs, and budgets that match."""
    assert found(make_baseline(*CASES), CASES, "breaker.*", "breaker.closed_success[a]") == []


def test_a_range_without_a_case_is_found() -> None:
    """A case that was renamed leaves its range behind."""
    [line] = found(make_baseline(*CASES), CASES[1:])
    assert line.startswith(f"{HERE}: breaker.closed_success[a] has a range, but no longer exists")
    assert "type 'resilience-bench baseline learn'" in line


def test_cases_without_a_range_are_counted_and_three_are_named() -> None:
    """A new family is one line, not a hundred."""
    [line] = found(make_baseline(CASES[4]), CASES)
    names = ", ".join(f"breaker.closed_success[{each}]" for each in "abc")
    assert line.startswith(f"{HERE}: 4 available cases ({names}, 1 more) without a range; type")


def test_cases_that_cannot_be_measured_need_no_range() -> None:
    """A library that is not installed is not missing from the baseline."""
    assert found(make_baseline(), CASES, status="not installed") == []


def test_cases_that_have_to_be_asked_for_need_no_range() -> None:
    """A baseline is learned of what is measured by default."""
    records = [make_record(case, "measured") for case in CASES]
    optional = {case.name for case in CASES[1:]}
    assert lint({HERE: make_baseline(CASES[0])}, [], BUDGETS, records, optional) == []


def test_ranges_on_few_runs_are_found() -> None:
    """Two runs say little about how runs differ."""
    [line] = found(make_baseline(CASES[0], runs=2), CASES[:1])
    assert "2 ranges (breaker.closed_success[a] ratio, breaker.closed_success[a] instr" in line
    assert "on fewer than 3 runs" in line


def test_latency_on_few_workers_is_found() -> None:
    """A ratio needs ten workers; a count of instructions does not."""
    [line] = found(make_baseline(CASES[0], workers=9), CASES[:1])
    assert "1 latency range (breaker.closed_success[a] ratio) on fewer than 10 workers" in line
    assert "too few to ever decide" in line


def test_a_budget_without_a_case_is_found_once() -> None:
    """A pattern that matches nothing protects nothing; its units do not repeat it."""
    [line] = found(make_baseline(*CASES), CASES, "breaker.*", "braker.*")
    assert line.startswith(f"{BUDGETS}: the budget of 'braker.*' matches no case; type")
