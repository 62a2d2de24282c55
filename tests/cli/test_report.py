"""The command ``report``: one page, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from resilience_bench.cli import main
from resilience_bench.files import results
from tests.factories import make_case, measured_result

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A results file of two libraries."""
    path = tmp_path / "run.json"
    results.write(measured_result({make_case("a"): 1000.0, make_case("b"): 2000.0}), path)
    return path


def failed(capsys: Captured, *arguments: str | Path) -> str:
    """The one line with which a call is refused."""
    assert main.main(["report", *map(str, arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    return captured.err


def test_it_writes_one_page_and_says_where(stored: Path, capsys: Captured) -> None:
    """In a folder that it makes; the results file stays as it is."""
    before = stored.read_bytes()
    page = stored.parent / "new" / "report.html"
    assert main.main(["report", str(stored), "-o", str(page)]) == 0
    assert capsys.readouterr().out == f"{page}: open it in a browser\n"
    assert page.read_text().startswith("<!doctype html>")
    assert [path.name for path in page.parent.iterdir()] == ["report.html"]
    assert stored.read_bytes() == before


@pytest.mark.parametrize("which", ["run.json", "other.json"])
def test_a_results_file_is_not_overwritten(stored: Path, capsys: Captured, which: str) -> None:
    """Neither the one nor the other."""
    other = stored.parent / "other.json"
    other.write_bytes(stored.read_bytes())
    text = failed(capsys, stored, "--against", other, "-o", stored.parent / which)
    assert "it is the results file itself; give the name of another file with --output" in text
    assert other.read_bytes() == stored.read_bytes()


def test_an_unreadable_file_is_exit_code_2(stored: Path, capsys: Captured) -> None:
    """Whichever of the two it is; no page is left behind."""
    cut = stored.parent / "cut.json"
    cut.write_text('{"schema": 1, "cas')
    page = stored.parent / "report.html"
    assert "cut.json: expected JSON" in failed(capsys, cut, "-o", page)
    assert "cut.json: expected JSON" in failed(capsys, stored, "--against", cut, "-o", page)
    assert not page.exists()


def test_two_files_of_one_name_are_distinguished(stored: Path) -> None:
    """By their folders, as the artefacts of two builds often are."""
    other = stored.parent / "before" / "run.json"
    other.parent.mkdir()
    other.write_bytes(stored.read_bytes())
    page = stored.parent / "report.html"
    assert main.main(["report", str(stored), "--against", str(other), "-o", str(page)]) == 0
    assert str(other) in page.read_text()
