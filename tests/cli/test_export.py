"""The command ``export``: every format, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from resilience_bench._model import Result
from resilience_bench.cli import main
from resilience_bench.cli.export import FORMATS
from resilience_bench.files import results
from tests.drift_factories import make_drift_result
from tests.factories import make_case, make_result, measured_result
from tests.load_factories import concurrency_result
from tests.outage_factories import make_outage_result

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


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("make", [make_drift_result, make_outage_result])
def test_what_no_format_holds_is_called_by_its_name(
    make: Callable[[], Result], form: str, tmp_path: Path, capsys: Captured
) -> None:
    """A long run was measured: the message says where its figures are, not to measure again."""
    path, output = tmp_path / "run.json", tmp_path / "out"
    results.write(make(), path)
    assert main.main(["export", str(path), "--format", form, "-o", str(output)]) == 2
    error = capsys.readouterr().err
    assert "long runs or outages" in error
    assert "type 'resilience-bench show RESULT --format json'" in error
    assert error.count("\n") == 1
    assert not output.exists()


def test_pyperf_names_a_format_that_takes_loads(tmp_path: Path, capsys: Captured) -> None:
    """A file with nothing but loads is not empty; another format holds them."""
    path, output = tmp_path / "run.json", tmp_path / "out"
    results.write(dataclasses.replace(concurrency_result(), workers=()), path)
    assert main.main(["export", str(path), "-o", str(output)]) == 2
    assert "--format csv" in capsys.readouterr().err
    assert main.main(["export", str(path), "--format", "csv", "-o", str(output)]) == 0


def test_nothing_measured_is_said_in_one_line(tmp_path: Path, capsys: Captured) -> None:
    """An empty file says what to type."""
    path = tmp_path / "run.json"
    results.write(make_result(), path)
    assert main.main(["export", str(path), "-o", str(tmp_path / "out")]) == 2
    assert "nothing was measured" in capsys.readouterr().err
