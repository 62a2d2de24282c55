"""The command ``export``: every format, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from resilience_bench.cli import main
from resilience_bench.cli.export import FORMATS
from resilience_bench.files import results
from tests.factories import make_case, measured_result

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A results file of two libraries."""
    path = tmp_path / "run.json"
    results.write(measured_result({make_case("a"): 1000.0, make_case("b"): 2000.0}), path)
    return path


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_is_written_and_explained(form: str, stored: Path, capsys: Captured) -> None:
    """One line says where the file is and what to do with it; the results stay as they are."""
    before = stored.read_bytes()
    output = stored.parent / "new" / "export {}"
    assert main.main(["export", str(stored), "--format", form, "-o", str(output)]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{output}: ")
    assert (captured.out.count("\n"), captured.err) == (1, "")
    assert make_case("a").name in output.read_text()
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    assert stored.read_bytes() == before


def test_pyperf_is_the_default(stored: Path) -> None:
    """As before there was a choice."""
    output = stored.parent / "out.json"
    assert main.main(["export", str(stored), "-o", str(output)]) == 0
    assert json.loads(output.read_text())["version"] == "1.0"


def test_another_format_is_refused(stored: Path, capsys: Captured) -> None:
    """With the formats that there are."""
    code = main.main(["export", str(stored), "--format", "xml", "-o", str(stored.parent / "x")])
    captured = capsys.readouterr()
    assert (code, captured.out, captured.err.count("\n")) == (2, "", 1)
    assert all(repr(form) in captured.err for form in FORMATS)


@pytest.mark.parametrize("form", FORMATS)
def test_the_results_file_is_not_overwritten(form: str, stored: Path, capsys: Captured) -> None:
    """Whatever the format, and whatever way leads to the file."""
    before = stored.read_bytes()
    link = stored.parent / "link.json"
    link.symlink_to(stored)
    assert main.main(["export", str(stored), "--format", form, "-o", str(link)]) == 2
    assert "it is the results file itself" in capsys.readouterr().err
    assert stored.read_bytes() == before
