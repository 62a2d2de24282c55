"""The page on free-threaded Pythons: what its tables say of known results."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from resilience_bench._model import Case, CaseRecord, Tally
from resilience_bench.files import results
from tests.factories import make_environment
from tests.load_factories import (
    ROUNDS,
    loaded_result,
    make_load_record,
    make_loads,
    make_tally,
)

ROOT = Path(__file__).resolve().parents[2]
FAILURE = Case("breaker", "closed_failure", "mine", load="threads-16")
REJECTION = Case("breaker", "open_rejection", "mine", load="threads-16")
PROBE = Case("breaker", "trip_and_recover", "mine", load="threads-16", payload="io")
SCALED = [Case("breaker", "closed_success", "mine", load=f"threads-{n}") for n in (1, 2, 4, 8)]
GOOD: dict[Case, Tally] = {
    FAILURE: make_tally(),
    REJECTION: make_tally(payload_runs=0, promised_runs=0, counted=None, promised_count=None),
    PROBE: make_tally(counted=None, promised_count=None, probes=1),
}
RATES = {1: 1000.0, 2: 1900.0, 4: 2000.0, 8: 500.0}

Page = Callable[..., str]


def write_run(
    folder: Path,
    tallies: Mapping[Case, Tally],
    *,
    free: bool,
    failed: Mapping[Case, str] | None = None,
    rates: Mapping[str, Mapping[int, float]] | None = None,
) -> None:
    """Write a results file as one run would, with these counts, and rates by library."""
    scaled = {
        dataclasses.replace(case, library=library): those[threads]
        for library, those in (rates or {"mine": RATES}).items()
        for threads, case in zip(RATES, SCALED, strict=True)
    }
    records = [
        make_loads(case, [100.0] * ROUNDS, tallies={case.name: tally}, gil_enabled=not free)
        for case, tally in tallies.items()
    ]
    records += [
        make_loads(case, [rate] * ROUNDS, gil_enabled=not free) for case, rate in scaled.items()
    ]
    environment = make_environment(
        python="CPython 3.13.5", free_threaded=free, gil_enabled=not free
    )
    result = loaded_result(records, [*tallies, *scaled], environment=environment)
    broken: list[CaseRecord] = [
        dataclasses.replace(make_load_record(case), status="failed", reason=reason)
        for case, reason in (failed or {}).items()
    ]
    result = dataclasses.replace(result, cases=(*result.cases, *broken))
    results.write(result, folder / f"run-cpython-3.13.5{'t' * free}.json")


@pytest.fixture
def page(tmp_path: Path) -> Page:
    """Writes the page of two runs of one version, the one with the GIL without a fault."""

    def write(free: Mapping[Case, Tally], *, gil: object = (False, False), **more: object) -> str:
        folder = tmp_path / "results"
        folder.mkdir()
        write_run(folder, GOOD, free=False)
        write_run(folder, free, free=True, **more)  # type: ignore[arg-type]
        imports = {"CPython 3.13.5t": {"breaker.closed_success[mine]": gil}}
        (folder / "imports.json").write_text(json.dumps(imports))
        (folder / "pythons.json").write_text("{}")
        done = subprocess.run(
            ["scripts/free-threading", "--from-results", "--folder", folder, "--docs", tmp_path],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "pictures" / "free-threading.png").read_bytes().startswith(b"\x89PNG")
        return (tmp_path / "free-threading.md").read_text()

    return write


def find_row(text: str, python: str) -> list[str]:
    """The cells of the first row of the library under a Python."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return next(row for row in rows if row[:2] == ["mine", python])


def test_what_is_right_is_said_to_be_right(page: Page) -> None:
    """With the GIL and without: nothing lost of so many, one probe, no exception."""
    text = page(GOOD)
    assert find_row(text, "3.13.5") == ["mine", "3.13.5", "0 of 1,000", "0", "1", "none", "on"]
    expected = ["mine", "3.13.5t", "0 of 1,000", "0", "1", "none", "stays off"]
    assert find_row(text, "3.13.5t") == expected
    assert "Nothing: every library counted" in text


def test_what_is_wrong_is_reported_first(page: Page) -> None:
    """Lost counts with their share, calls let through, probes at once, and the exception."""
    bad = {
        FAILURE: make_tally(lost=270),
        REJECTION: make_tally(payload_runs=3, promised_runs=0, counted=None, promised_count=None),
        PROBE: make_tally(counted=None, promised_count=None, probes=16),
    }
    other = Case("breaker", "closed_success", "mine", load="threads-4", payload="cpu")
    text = page(bad, failed={other: "under this load it raised KeyError: 'a|b'"}, gil=(False, True))
    row = find_row(text, "3.13.5t")
    assert row[2:5] == ["270 of 1,000 (27.0%)", "3", "16"]
    assert row[5:] == ["KeyError: 'a/b'", "TURNED ON"]
    first = text.partition("| library |")[0]
    assert (
        "mine under 3.13.5t: loses 270 of 1,000 (27.0%), 3 calls too many or too few, "
        "16 probes at once, KeyError: 'a/b'" in first
    )
    assert find_row(text, "3.13.5")[2:] == ["0 of 1,000", "0", "1", "none", "on"]


def test_rates_are_relative_to_one_thread_and_to_the_gil(page: Page) -> None:
    """Each build is compared with its own single thread, and with its twin."""
    rates = {"mine": {threads: 2 * rate for threads, rate in RATES.items()}}
    text = page(GOOD, rates=rates).partition("### breaker.closed_success\n")[2]
    assert find_row(text, "3.13.5")[2:] == ["1,000", "1.90", "2.00", "0.50", "-", "-"]
    assert find_row(text, "3.13.5t")[2:] == ["2,000", "1.90", "2.00", "0.50", "2.00", "2.00"]


def test_the_stack_is_compared_with_the_best_that_are_correct(page: Page) -> None:
    """By what is left of the bare call's rate, and by what more threads bring; not with others."""
    wrong = {**GOOD, PROBE: make_tally(counted=None, promised_count=None, probes=16)}
    rates = {
        "resilience_stack": {1: 4000.0, 2: 6000.0, 4: 6000.0, 8: 6000.0},
        "mine": {1: 4000.0, 2: 9000.0, 4: 9000.0, 8: 9000.0},
        "steep": {1: 1000.0, 2: 1800.0, 4: 1000.0, 8: 1000.0},
        "fast": {1: 3000.0, 2: 3300.0, 4: 3300.0, 8: 3300.0},
    }
    text = page(wrong, rates=rates)
    row = "| 3.13.5t | 2 | no work | 60.0 % | 33.0 %, fast | 1.50 | 1.80, steep |\n"
    assert row in text


def test_where_its_threads_stood_is_left_to_the_results_file(page: Page) -> None:
    """A worker that hung has one cell in the table, not its stack."""
    other = Case("breaker", "closed_success", "mine", load="threads-4", payload="cpu")
    reason = (
        "its worker hung past its time limit of 10 s; 16 threads stood at callers.py:99 in _serve"
    )
    text = page(GOOD, failed={other: reason})
    assert find_row(text, "3.13.5t")[5] == "its worker hung past its time limit of 10 s"


def test_without_a_free_threaded_python_nothing_is_measured(tmp_path: Path) -> None:
    """One line says what to build; exit code 2."""
    done = subprocess.run(
        ["scripts/free-threading", "--folder", tmp_path / "results", "--docs", tmp_path],
        cwd=ROOT,
        env={**os.environ, "RESILIENCE_BENCH_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.endswith("type 'scripts/pythons 3.13t'\n")
    assert done.stderr.count("\n") == 1


def test_the_committed_page_is_that_of_the_committed_results(tmp_path: Path) -> None:
    """Nobody has changed a figure by hand."""
    done = subprocess.run(
        ["scripts/free-threading", "--from-results", "--docs", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "free-threading.md").read_text()
    assert written == (ROOT / "docs" / "free-threading.md").read_text()
