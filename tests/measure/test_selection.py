"""Which cases a command line means."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from resilience_bench import project
from resilience_bench._cases import RealPayload
from resilience_bench.errors import NoScenariosError, UnknownSelectorError
from resilience_bench.measure.launcher import ProcessLauncher, ScriptedLauncher
from resilience_bench.measure.selection import select
from resilience_bench.project import find_suite_folder
from tests.scripted import info, suite

CASES = [info("closed", "pybreaker"), info("closed", "purgatory"), info("first", family="retry")]


def names(*selectors: str) -> list[str]:
    """The names that a scripted suite of three cases selects."""
    launcher = ScriptedLauncher(suite(CASES))
    return [case.case.name for case in select(launcher, selectors).cases]


def test_everything_without_a_selector() -> None:
    """No selector means the whole suite."""
    assert len(names()) == 3


def test_what_is_not_measured_by_default_has_to_be_asked_for() -> None:
    """No selector leaves such cases out; a pattern, or the wish for a complete list, does not."""
    launcher = ScriptedLauncher(suite([*CASES[:2], replace(CASES[2], by_default=False)]))

    assert len(select(launcher, ()).cases) == 2
    assert len(select(launcher, (), complete=True).cases) == 3
    assert len(select(launcher, ["*"]).cases) == 3
    assert [case.case.name for case in select(launcher, ["retry"]).cases] == ["retry.first"]


def test_a_complete_list_for_a_gate_has_the_real_calls_too() -> None:
    """A budget or a range may be about a real call, whichever server it needs."""
    payload = RealPayload("redis", server="redis")
    real = replace(CASES[0], real_payloads=(payload,), in_profile=("real",))
    launcher = ScriptedLauncher(suite([real, CASES[1]]))

    found = select(launcher, (), gated=True, complete=True).cases
    assert "breaker.closed[pybreaker,redis]" in [case.case.name for case in found]
    assert len(select(launcher, (), complete=True).cases) == 2


def test_a_suite_of_optional_cases_is_measured_all_the_same() -> None:
    """Where nothing is measured by default, no selector means everything."""
    launcher = ScriptedLauncher(suite([replace(case, by_default=False) for case in CASES]))

    assert len(select(launcher, ()).cases) == 3


def test_a_path_selects_what_is_not_measured_by_default(tmp_path: Path) -> None:
    """Whoever names a file wants all that is in it."""
    file = tmp_path / "mine.py"
    file.write_text(
        "from resilience_bench import scenario\n"
        "@scenario\ndef one(payload): return payload\n"
        "@scenario(by_default=False)\ndef two(payload): return payload\n"
    )

    assert len(select(ProcessLauncher(), (str(file),)).cases) == 2


def test_patterns_add_up_in_the_order_of_the_suite() -> None:
    """A case is taken once, if any pattern selects it."""
    assert names("retry.*", "*[pyb*", "*[pyb*") == ["breaker.closed[pybreaker]", "retry.first"]


def test_each_pattern_must_match_something() -> None:
    """One unknown selector among good ones is an error that suggests what is close."""
    with pytest.raises(UnknownSelectorError, match=r"no case matches 'breaker\.clsed'.*closed"):
        names("retry.*", "breaker.clsed")


@pytest.mark.parametrize(
    ("selector", "close"),
    [("closed", "breaker.closed"), ("closed[purgatory]", "breaker.closed[purgatory]")],
)
def test_a_scenario_without_its_family_is_suggested_with_it(selector: str, close: str) -> None:
    """The name to type comes first."""
    with pytest.raises(UnknownSelectorError, match=rf"\(close: {re.escape(close)}[,)]"):
        names(selector)


@pytest.mark.parametrize("missing", ["no/such/folder", "nothing.py", "./x"])
def test_missing_path_is_distinguished_from_a_pattern(missing: str) -> None:
    """What looks like a path and is none is said to be missing."""
    with pytest.raises(NoScenariosError, match=f"no such file or folder: {missing}"):
        names(missing)


def test_path_says_where_and_pattern_says_which(tmp_path: Path) -> None:
    """With a path only its cases are looked at; a pattern chooses among them."""
    file = tmp_path / "mine.py"
    file.write_text(
        "from resilience_bench import scenario\n"
        "@scenario\ndef one(payload): return payload\n"
        "@scenario\ndef two(payload): return payload\n"
    )
    launcher = ProcessLauncher()
    chosen = select(launcher, (str(file), "mine.t*"))
    assert [case.case.name for case in chosen.cases] == ["mine.two"]
    with pytest.raises(UnknownSelectorError):
        select(launcher, (str(tmp_path), "breaker.*"))


def test_empty_folder_and_file_without_scenario(tmp_path: Path) -> None:
    """A path without scenarios says so, and where to read how to write one."""
    (tmp_path / "plain.py").write_text("x = 1\n")
    for path in (tmp_path, tmp_path / "plain.py"):
        with pytest.raises(NoScenariosError, match="@scenario"):
            select(ProcessLauncher(), (str(path),))


def test_only_broken_files_leave_nothing_to_measure(tmp_path: Path) -> None:
    """When every file fails to import, the error has file, line and exception."""
    file = tmp_path / "bad.py"
    file.write_text("import resilience_bench\n1 / 0\n")
    with pytest.raises(NoScenariosError, match=rf"{file}:2: ZeroDivisionError: division by zero"):
        select(ProcessLauncher(), (str(file),))


def test_suite_is_found_in_the_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Outside the checkout its suite is found all the same; a nearer one comes first."""
    monkeypatch.chdir(tmp_path)
    assert find_suite_folder() == Path(__file__).resolve().parents[2] / "benchmarks"
    (tmp_path / "benchmarks").mkdir()
    assert find_suite_folder() == tmp_path / "benchmarks"


def test_without_a_suite_the_message_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Outside the checkout, with no suite here, the error names 'init' and a path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(project, "CHECKOUT", tmp_path)
    with pytest.raises(NoScenariosError, match=r"type 'resilience-bench init' .* path of"):
        find_suite_folder()
