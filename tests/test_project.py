"""The project that a command works on, and whether what is installed of it is what is here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from resilience_bench.cli import main
from resilience_bench.project import find_outdated_install
from tests.conftest import ROOT

PROJECT = '[project]\nname = "shop-guard"\nversion = "1"\n'
CODE = "LIMIT = 5\n"


@pytest.fixture(params=["src", "."])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one module, which is installed as pip installs it."""
    folder, installed = tmp_path / "project", tmp_path / "site-packages"
    for place in (folder / request.param / "shop_guard.py", installed / "shop_guard.py"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(CODE)
    (folder / "pyproject.toml").write_text(PROJECT)
    record = installed / "shop_guard-1.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-guard\nVersion: 1\n")
    (record / "RECORD").write_text("shop_guard.py,,\nshop_guard-1.dist-info/RECORD,,\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(installed)])
    return folder


def test_what_is_installed_as_it_is_here_is_up_to_date(folder: Path) -> None:
    """The same files, and a project that is not installed at all, are no reason for a note."""
    assert find_outdated_install(folder) == ""
    (folder / "pyproject.toml").write_text(PROJECT.replace("shop-guard", "never-installed"))
    assert find_outdated_install(folder) == ""
    (folder / "pyproject.toml").write_text("[project")
    assert find_outdated_install(folder) == ""
    (folder / "pyproject.toml").unlink()
    assert find_outdated_install(folder) == ""


def test_an_edited_file_is_named_before_it_is_measured(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`run` and `check` measure what is installed, and say that it is not what is here."""
    for file in folder.rglob("shop_guard.py"):
        file.write_text("LIMIT = 6\n")
    assert find_outdated_install(folder) == "shop-guard"
    monkeypatch.chdir(folder)
    for command in (("run", "nowhere.py"), ("check", "nowhere.py", "--baseline", "none")):
        main.main(command)
        said = capsys.readouterr().err
        assert "note: the installed shop-guard is measured, which differs from the files" in said


def test_an_editable_install_is_always_up_to_date() -> None:
    """What is installed are the files that are here; so it is with this checkout."""
    assert find_outdated_install(ROOT) == ""
