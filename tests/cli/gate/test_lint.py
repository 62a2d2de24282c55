"""``baseline lint`` and ``variants clean``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from resilience_bench.gate import baseline
from tests.cli.gate.factories import RETRY, Run, acceptable, assert_refused, budget


def test_lint_finds_nothing_where_all_is_well(run: Run, tmp_path: Path) -> None:
    """Exit code 0 with a count."""
    run("baseline", "learn", "--runs", 3)
    budget(tmp_path, "overhead_ns = 5000")
    code, out, _ = run("baseline", "lint")
    assert (code, out) == (0, "1 baseline and 1 budget, 0 findings\n")


def test_lint_finds_what_is_out_of_date(run: Run, tmp_path: Path) -> None:
    """A range without a case, a case without a range, a budget of nothing: exit code 1."""
    run("baseline", "learn", "--runs", 3)
    path = acceptable(tmp_path)
    stored = baseline.read(path)
    ranges = {name: each for name, each in stored.ranges.items() if name != RETRY}
    baseline.write(replace(stored, ranges={**ranges, "gone.case": stored.ranges[RETRY]}), path)
    budget(tmp_path, "overhead_ns = 5").write_text(
        '[[budget]]\ncases = "nobody.*"\noverhead_ns = 5\nreason = "why"\n'
    )
    code, out, _ = run("baseline", "lint")
    assert code == 1
    for part in ("gone.case has a range", RETRY, "'nobody.*' matches no case", "3 findings"):
        assert part in out


def test_lint_finds_tolerances_of_nothing(run: Run, tmp_path: Path) -> None:
    """Like budgets, they may be for a case that was renamed or never existed."""
    run("baseline", "learn", "--runs", 3)
    (tmp_path / "baselines" / "budgets.toml").write_text(
        '[[tolerance]]\ncases = "nobody.*"\nratio_percent = 5\nreason = "why"\n'
        f'[[tolerance]]\ncases = "{RETRY}"\nfloor_ns = 2\nreason = "why"\n'
    )
    code, out, _ = run("baseline", "lint")
    assert code == 1
    assert "the tolerance of 'nobody.*' matches no case" in out
    assert out.endswith("0 budgets, 1 finding\n")


def test_lint_of_nothing_or_of_a_damaged_file_is_refused(run: Run, tmp_path: Path) -> None:
    """Exit code 2 in one line."""
    assert_refused(run("baseline", "lint"), "expected baselines and budgets, found none")
    acceptable(tmp_path).write_text("{")
    assert_refused(run("baseline", "lint"), acceptable(tmp_path).name)


def test_clean_removes_what_was_made(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how many environments there were, and where."""
    monkeypatch.setenv("RESILIENCE_BENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "variants" / "abc").mkdir(parents=True)
    code, out, _ = run("variants", "clean")
    assert code == 0
    assert out.startswith("1 environment removed")
    assert str(tmp_path / "cache") in out
    assert run("variants", "clean")[1].startswith("0 environments removed")
