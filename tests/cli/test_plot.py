"""The command ``plot``: which files it writes, and which exit code it ends with."""

from __future__ import annotations

from pathlib import Path

import pytest

from resilience_bench.cli import main
from resilience_bench.files import results
from tests.factories import make_case, make_result, measured_result

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A results file of two libraries."""
    path = tmp_path / "run.json"
    results.write(measured_result({make_case("a"): 1000.0, make_case("b"): 2000.0}), path)
    return path


def failed(capsys: Captured, *arguments: str | Path) -> str:
    """The one line with which a call is refused."""
    assert main.main(["plot", *map(str, arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    return captured.err


def test_plot_writes_every_picture_twice_and_says_where(stored: Path, capsys: Captured) -> None:
    """As SVG and as PNG, in a folder that it makes; the results file stays as it is."""
    before = stored.read_bytes()
    folder = stored.parent / "new" / "pictures"
    assert main.main(["plot", str(stored), "-o", str(folder)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [str(folder / f"overhead-breaker.{form}") for form in ("svg", "png")]
    assert sorted(path.name for path in folder.iterdir()) == [
        "overhead-breaker.png",
        "overhead-breaker.svg",
    ]
    assert "<svg" in (folder / "overhead-breaker.svg").read_text()
    assert (folder / "overhead-breaker.png").read_bytes().startswith(b"\x89PNG")
    assert stored.read_bytes() == before


def test_nothing_to_draw_is_exit_code_2(tmp_path: Path, capsys: Captured) -> None:
    """It says what was found and what to type; no folder is left behind."""
    results.write(make_result(), tmp_path / "empty.json")
    text = failed(capsys, tmp_path / "empty.json", "-o", tmp_path / "pictures")
    assert "empty.json: found no overhead and nothing under load" in text
    assert "type 'resilience-bench run'" in text
    assert not (tmp_path / "pictures").exists()


def test_an_unreadable_result_is_exit_code_2(tmp_path: Path, capsys: Captured) -> None:
    """In the words of every other command that reads one."""
    (tmp_path / "cut.json").write_text('{"schema": 1, "cas')
    text = failed(capsys, tmp_path / "cut.json", "-o", tmp_path / "pictures")
    assert "cut short" in text
    assert "type '" in text


@pytest.mark.parametrize("place", ["file", "/proc/pictures"])
def test_a_folder_that_cannot_be_written_is_exit_code_2(
    stored: Path, capsys: Captured, place: str
) -> None:
    """Before anything is drawn; it says which, why, and what to give instead."""
    (stored.parent / "file").write_text("old")
    folder = stored.parent / place
    text = failed(capsys, stored, "-o", folder)
    assert f"cannot write {folder}" in text
    assert text.endswith("; give another folder with --output\n")
    assert (stored.parent / "file").read_text() == "old"


def test_a_folder_in_the_place_of_a_picture_is_exit_code_2(stored: Path, capsys: Captured) -> None:
    """What is there stays."""
    (stored.parent / "out" / "overhead-breaker.svg").mkdir(parents=True)
    text = failed(capsys, stored, "-o", stored.parent / "out")
    assert "it is a folder, not a file; give another folder" in text


def test_the_folder_has_to_be_named(stored: Path, capsys: Captured) -> None:
    """Pictures are many; none is put where nobody asked for it."""
    assert "--output" in failed(capsys, stored)
