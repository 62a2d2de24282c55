"""The command that prepares a project."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from resilience_bench.cli import main
from resilience_bench.cli.init import FILES
from resilience_bench.gate.budgets import read_budgets
from resilience_bench.measure.launcher import ProcessLauncher
from resilience_bench.measure.selection import select


def test_a_project_gets_scenarios_that_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The scenarios are found from the top of the project, and a budget holds for one of them."""
    monkeypatch.chdir(tmp_path)
    assert main.main(("init",)) == 0
    said = capsys.readouterr().out
    assert "resilience-bench run" in said
    selection = select(ProcessLauncher(), ())
    names = [info.case.name for info in selection.cases]
    assert names == ["guard.success", "guard.failure", "guard.rejection"]
    assert selection.problems == ()
    [budget] = read_budgets(tmp_path / "baselines" / "budgets.toml")
    assert budget.cases in names
    assert main.main(("list",)) == 0
    assert "3 of 3 cases are available" in capsys.readouterr().out


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One file that is there is reason enough to write none."""
    taken = tmp_path / "baselines" / "budgets.toml"
    taken.parent.mkdir()
    taken.write_text("mine")
    assert main.main(("init", str(tmp_path))) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "found baselines/budgets.toml" in captured.err
    assert taken.read_text() == "mine"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [taken]


def test_a_folder_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped path is no new project."""
    assert main.main(("init", str(tmp_path / "nowhere"))) == 2
    assert "nowhere: expected the folder of a project" in capsys.readouterr().err


def test_all_files_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is announced; without a pyproject.toml a note says what that is for."""
    assert main.main(("init", str(tmp_path))) == 0
    said = capsys.readouterr().out
    for name in FILES:
        assert (tmp_path / name).is_file()
        assert name in said
    assert "note: the workflow installs this project" in said


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, "resilience-bench"),
        ('{"url": "file:///home/me/checkout", "dir_info": {}}', "resilience-bench"),
        (
            '{"url": "https://example.org/bench", "vcs_info": {"vcs": "git", "commit_id": "12ab"}}',
            "git+https://example.org/bench@12ab",
        ),
    ],
)
def test_the_workflow_installs_what_is_installed_here(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    origin: str | None,
    expected: str,
) -> None:
    """From the same commit if it came from git; else by its name, and a note says so."""

    class Installed:
        """A distribution with the record of where it came from."""

        def read_text(self, name: str) -> str | None:
            """The record, as pip writes it."""
            return origin if name == "direct_url.json" else None

    monkeypatch.setattr(metadata, "distribution", lambda _name: Installed())
    assert main.main(("init", str(tmp_path))) == 0
    workflow = (tmp_path / ".github/workflows/benchmarks.yml").read_text()
    assert f"python -m pip install . '{expected}'" in workflow
    assert ("package index" in capsys.readouterr().out) == (expected == "resilience-bench")


def test_quietly_it_says_in_a_line_what_it_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With -q neither the files nor the next steps are listed."""
    assert main.main(("-q", "init", str(tmp_path))) == 0
    assert capsys.readouterr().out == f"wrote {len(FILES)} files below {tmp_path}\n"
    assert all((tmp_path / name).exists() for name in FILES)
