"""``check`` with budgets, beside a baseline or alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from resilience_bench.files import results
from tests.cli.gate.factories import (
    PURGATORY,
    TWO,
    Files,
    Run,
    assert_refused,
    budget,
    made,
    noisy,
)


def test_a_budget_is_judged_beside_the_ranges(run: Run, files: Files, tmp_path: Path) -> None:
    """Its default place is beside the baselines; breaking it is exit code 1, keeping it is 0."""
    options = files()
    budget(tmp_path, "instructions = 50_000")
    assert run("check", *options)[0] == 0
    path = budget(tmp_path, "instructions = 15_000")
    code, out, _ = run("check", *options, "--budgets", path)
    assert code == 1
    assert f"REGRESSED  {TWO.name}" in out
    assert "budget breaker.*: fast enough" in out


@pytest.mark.parametrize("limit", ["overhead_us = 5", "overhead_ns = -1", "", "latency_ns = nan"])
def test_a_budget_that_makes_no_sense_is_refused(
    run: Run, files: Files, tmp_path: Path, limit: str
) -> None:
    """One line with the file, the table and the units that there are."""
    budget(tmp_path, limit)
    assert_refused(run("check", *files()), "budgets.toml", "budget[0]")
    assert_refused(run("check", *files(), "--budgets", "none.toml"), "none.toml")


def test_budgets_alone_are_judged_where_there_is_no_baseline(run: Run, tmp_path: Path) -> None:
    """Whoever names the file of budgets gets by without a baseline, and the output says so."""
    path = budget(tmp_path, "overhead_ns = 2000")
    code, out, _ = run("check", "--budgets", path, "-o", "mine.json")
    assert code == 0
    assert "budgets alone are judged, for there is no baseline of this environment" in out
    assert "2 cases judged: 0 regressed" in out
    held = results.read(tmp_path / "mine.json")
    assert held.signals == ("latency",)  # nothing else is limited
    code, out, _ = run("check", "--budgets", path, script=noisy({PURGATORY: 5.0}))
    assert code == 1
    assert f"REGRESSED  {PURGATORY}" in out


def test_a_baseline_may_be_left_out(run: Run, files: Files, tmp_path: Path) -> None:
    """--baseline none judges budgets alone, also those in their usual place, also of a file."""
    result, name, *_ = files(made({TWO: 1.3}))
    assert run("check", result, name, "--baseline", "acceptable.json")[0] == 1
    budget(tmp_path, "instructions = 50_000")
    code, out, _ = run("check", result, name, "--baseline", "none")
    assert code == 0
    assert "budgets alone are judged, as asked for" in out
    assert "budgets.toml" in out


def test_budgets_alone_that_match_nothing_are_refused(run: Run, tmp_path: Path) -> None:
    """Nothing is measured for nobody."""
    path = budget(tmp_path, "overhead_ns = 2000")
    code, _, err = run("check", "retry.*", "--budgets", path)
    assert code == 2
    assert "the budgets say nothing of the selected cases" in err
    assert run("check", "--baseline", "none", "retry.*")[0] == 2


def test_without_a_baseline_the_message_names_this_way(run: Run, tmp_path: Path) -> None:
    """The usual file of budgets is no wish to do without a baseline."""
    budget(tmp_path, "overhead_ns = 2000")
    assert_refused(run("check"), "judge budgets alone with --baseline none")


def test_budgets_that_match_no_case_are_named(run: Run, files: Files) -> None:
    """A typing error in a pattern lets everything through, so it is reported; it fails no build.

    Where cases are selected, a budget of others is no error.
    """
    path = Path("mine.toml")
    tables = [
        f'[[budget]]\ncases = "{value}"\nlatency_ns = 1e9\nreason = "why"\n'
        for value in ("breaker.*", "braeker.*", "retry.*")
    ]
    path.write_text("\n".join(tables))
    code, out, _ = run("check", *files(), "--budgets", path)
    assert code == 0
    assert "note: budgets that match no case: 'braeker.*', 'retry.*'" in out
    code, out, _ = run("check", *files(), "--budgets", path, "breaker.*")
    assert code == 0
    assert "budgets that match" not in out
