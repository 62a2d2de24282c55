"""The command ``history``: what it says before asv is started."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from resilience_bench.cli import main
from resilience_bench.commits import asv_run
from resilience_bench.environments.fingerprint import detect_environment
from resilience_bench.gate.baseline import make_environment_name, make_machine_name
from tests.commits.planted import git, write

pytestmark = pytest.mark.needs("git")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a configuration of asv and no commit, and a home of its own."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "--quiet")
    write(folder, "asv.conf.json", json.dumps({"version": 1, "project": "p", "repo": "."}))
    monkeypatch.chdir(folder)
    return folder


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that the command ends with, whose exit code is 2."""
    assert main.main(["history", *arguments]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert line.startswith("resilience-bench: ")
    return line


def test_a_repository_without_commits_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is nothing to measure."""
    assert "has no commits" in refused(capsys)


def test_a_folder_without_a_configuration_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In another folder the message says where to go."""
    monkeypatch.chdir(tmp_path)
    assert "go to the folder that holds asv.conf.json" in refused(capsys)


def test_a_range_that_is_turned_round_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what to type."""
    for number in range(2):
        git(project, "commit", "--quiet", "--allow-empty", "--message", f"Commit {number}")
    assert "type 'HEAD~1..HEAD'" in refused(capsys, "HEAD..HEAD~1")


def test_a_list_of_machines_that_cannot_be_read_is_refused(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is asv's own, in the home folder."""
    git(project, "commit", "--quiet", "--allow-empty", "--message", "Commit")
    (tmp_path / "home" / ".asv-machine.json").write_text("{")
    assert ".asv-machine.json" in refused(capsys)


def test_the_machine_is_registered_by_what_it_is(project: Path, tmp_path: Path) -> None:
    """Not by its host's name, which is another one in each run of a CI."""
    here = detect_environment()
    name = asv_run.register_machine(here)
    assert name == make_machine_name(here)
    assert name in make_environment_name(here)
    stored = json.loads((tmp_path / "home" / ".asv-machine.json").read_text())
    assert set(stored) == {name, "version"}
    assert stored[name]["cpu"] == here.cpu_model
    assert stored[name]["num_cpu"] == str(here.cpu_count)
