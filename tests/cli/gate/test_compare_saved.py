"""``compare --save`` and ``--load``: BASE is kept in a file, and HEAD alone is measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from resilience_bench.cli.compare_saved import PROCESSES
from resilience_bench.files import results
from tests.cli.gate.factories import (
    PURGATORY,
    PYBREAKER,
    RETRY,
    Compare,
    Run,
    assert_refused,
    noisy,
)
from tests.factories import make_environment
from tests.scripted import Script

Load = Compare


@pytest.fixture
def loading(run: Run, scripts: list[Script]) -> Load:
    """Compares HEAD with what is in the file ``kept.json``."""

    def loading(*arguments: object, head: Script | None = None) -> tuple[int, str, str]:
        scripts[:] = [head or noisy()]
        return run("compare", "after", *arguments, "--load", "kept.json", "-o", "out")

    return loading


def test_a_saved_side_is_a_results_file_with_enough_counts(
    comparing: Compare, tmp_path: Path
) -> None:
    """It is HEAD's, with its environment, and has each count of three processes."""
    code, _, err = comparing("--save", "kept.json")
    assert code == 0, err
    kept = results.read(tmp_path / "kept.json")
    assert kept.complete
    assert kept.environment.packages == {"variant": "after"}
    for records in (kept.instructions, kept.allocations):
        for case in (PYBREAKER, PURGATORY, RETRY):
            assert sum(case in record.operations for record in records) == PROCESSES


def test_the_same_is_within_what_was_saved(comparing: Compare, loading: Load) -> None:
    """HEAD alone is measured; the output says so, and how far apart the two are."""
    comparing("--save", "kept.json")
    code, out, err = loading("--strict")
    assert code == 0, err
    text = " ".join(out.split())
    assert "kept.json (BASE) against after (HEAD); results: out" in text
    assert "BASE was not measured again" in text
    assert "3 cases judged: 0 regressed" in text
    assert not Path("out/base.json").exists() or Path("out/head.json").exists()


def test_a_head_that_costs_more_fails(comparing: Compare, loading: Load) -> None:
    """By the ranges of another day, unless a tolerance is typed."""
    comparing("--save", "kept.json")
    assert loading(head=noisy({PURGATORY: 1.07}))[0] == 0
    assert loading("--tolerance", "3", head=noisy({PURGATORY: 1.07}))[0] == 1
    code, out, _ = loading(head=noisy({PURGATORY: 1.3}))
    assert code == 1
    assert f"REGRESSED  {PURGATORY}" in out


def test_a_selector_behind_the_variant_selects(comparing: Compare, loading: Load) -> None:
    """With --load there is no second variant."""
    comparing("--save", "kept.json")
    code, out, _ = loading(PYBREAKER)
    assert code == 0
    assert "1 case judged" in out
    assert_refused(loading("nonsense.*"), "no case matches 'nonsense.*'")


def test_a_case_that_was_not_saved_is_not_measured(
    comparing: Compare, loading: Load, tmp_path: Path
) -> None:
    """What the file lacks is left out; if it lacks all, nothing is measured."""
    comparing(PYBREAKER, "--save", "kept.json")
    assert loading()[0] == 0
    measured = results.read(tmp_path / "out" / "head.json")
    assert [record.case.name for record in measured.cases] == [PYBREAKER]
    assert_refused(loading(RETRY), "kept.json has none of the selected cases")


def test_another_machine_leaves_the_instructions(
    comparing: Compare, loading: Load, tmp_path: Path
) -> None:
    """Before anything is measured, what cannot be compared is left out or refused."""
    comparing("--save", "kept.json")
    kept = results.read(tmp_path / "kept.json")
    foreign = make_environment(cpu_model="other", packages={})
    results.write(replace(kept, environment=foreign), tmp_path / "kept.json")
    code, _, _ = loading(head=noisy({PURGATORY: 1.3}))
    assert code == 0
    assert results.read(tmp_path / "out" / "head.json").workers == ()
    assert_refused(loading("--signals", "latency"), "latency (cpu_model", "type --signals")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--load", "gone.json"), ("gone.json",)),
        (("--base-python", "python3", "--load", "kept.json"), ("leave out --base-python",)),
        ((), ("Missing argument 'HEAD'",)),
        (("b", "--save", "/proc/x/y"), ("/proc/x/y",)),
    ],
)
def test_bad_arguments_measure_nothing(
    run: Run, scripts: list[Script], arguments: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    """One line and exit code 2."""
    assert_refused(run("compare", "after", *arguments), *parts)
