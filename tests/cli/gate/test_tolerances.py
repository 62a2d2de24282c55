"""Tolerances by case in ``check`` and ``compare``."""

from __future__ import annotations

from pathlib import Path

import pytest

from resilience_bench.files import results
from tests.cli.gate.factories import (
    PURGATORY,
    PYBREAKER,
    TWO,
    Compare,
    Files,
    Run,
    assert_refused,
    made,
    noisy,
)


def allow(path: Path, cases: str, values: str) -> None:
    """A file of budgets with one tolerance."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'[[tolerance]]\ncases = "{cases}"\n{values}\nreason = "it is jumpy"\n')


def test_compare_allows_a_case_more_than_others(comparing: Compare, tmp_path: Path) -> None:
    """20 % are within for the jumpy case, and a regression of the other one."""
    allow(tmp_path / "baselines" / "budgets.toml", PURGATORY, "ratio_percent = 30")
    slower = noisy({PURGATORY: 1.2, PYBREAKER: 1.2})
    code, out, _ = comparing("--signals", "latency", head=slower)
    assert code == 1
    assert f"REGRESSED  {PYBREAKER}" in out
    assert f"REGRESSED  {PURGATORY}" not in out
    assert f"1 case has a tolerance of its own: {PURGATORY}" in out


@pytest.mark.parametrize(("floor_ns", "code"), [(250, 0), (150, 1)])
def test_compare_allows_some_ns(
    comparing: Compare, tmp_path: Path, floor_ns: int, code: int
) -> None:
    """A call of 1,000 ns that takes 200 ns more is within a floor of 250 ns, not of 150."""
    allow(tmp_path / "mine.toml", "*", f"floor_ns = {floor_ns}")
    arguments = ("--signals", "latency", "--budgets", "mine.toml")
    assert comparing(*arguments, head=noisy({PURGATORY: 1.2}))[0] == code


def test_a_case_may_have_less_than_what_is_typed(comparing: Compare, tmp_path: Path) -> None:
    """The tolerance of a case is more special than that of all."""
    allow(tmp_path / "baselines" / "budgets.toml", PURGATORY, "ratio_percent = 10")
    head = noisy({PURGATORY: 1.2})
    code, out, _ = comparing("--signals", "latency", "--tolerance", 50, head=head)
    assert code == 1
    assert "tolerance" in out
    assert "it is jumpy" in out


def test_check_widens_a_learned_range(run: Run, files: Files, tmp_path: Path) -> None:
    """30 % more are outside of what was learned, and inside of what a person allows."""
    command = ("check", *files(made({TWO: 1.3})), "--signals", "latency")
    assert run(*command)[0] == 1
    allow(tmp_path / "baselines" / "budgets.toml", TWO.name, "ratio_percent = 40")
    code, out, _ = run(*command)
    assert code == 0
    assert f"1 case has a tolerance of its own: {TWO.name}" in out
    allow(tmp_path / "baselines" / "budgets.toml", TWO.name, "floor_ns = 700")
    assert run(*command)[0] == 0
    allow(tmp_path / "baselines" / "budgets.toml", TWO.name, "floor_ns = 300")
    assert run(*command)[0] == 1


def test_two_files_have_wider_ranges_only(run: Run, tmp_path: Path) -> None:
    """What is meant for variants side by side makes no range of two days narrower."""
    results.write(made(), tmp_path / "base.json")
    results.write(made({TWO: 1.07}, started="2026-02-01T00:00:00+00:00"), tmp_path / "head.json")
    command = ("compare", "base.json", "head.json", "--signals", "latency")
    allow(tmp_path / "baselines" / "budgets.toml", TWO.name, "ratio_percent = 1")
    assert run(*command)[0] == 0
    results.write(made({TWO: 1.3}), tmp_path / "head.json")
    assert run(*command)[0] == 1
    allow(tmp_path / "baselines" / "budgets.toml", TWO.name, "ratio_percent = 40")
    assert run(*command)[0] == 0


def test_a_file_that_makes_no_sense_is_refused(run: Run, tmp_path: Path) -> None:
    """Before anything is measured, in one line, by both commands."""
    allow(tmp_path / "baselines" / "budgets.toml", "*", "ratio = 30")
    for command in (("check",), ("compare", "a.json", "b.json"), ("compare", ".", "git:HEAD")):
        assert_refused(run(*command), "key tolerance[0].ratio: expected one of ratio_percent")
