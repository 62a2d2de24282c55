"""``run``: what is printed and written, which exit code, what happens to an interrupted run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from resilience_bench.files import results
from resilience_bench.measure.launcher import WorkerFailedError
from resilience_bench.worker.protocol import Message, Plan, StatusMessage
from tests.cli.factories import CASES, PURGATORY, PYBREAKER, RETRY, Run, assert_one_line
from tests.scripted import sampled, suite


def test_run_prints_the_table_and_writes_the_file(run: Run, tmp_path: Path) -> None:
    """A run shows every library of a scenario and leaves a complete results file."""
    code, out, err = run("run", "-o", "out.json")
    assert code == 0
    for part in ("breaker.closed", "pybreaker", "purgatory", "retry.first", "results: out.json"):
        assert part in out
    assert "latency of 2 cases, worker 1" in err
    result = results.read(tmp_path / "out.json")
    assert result.complete
    assert [record.case.name for record in result.cases] == [PYBREAKER, PURGATORY, RETRY]
    assert len(result.workers) == 2 * len(result.seeds)


def test_run_writes_below_results_by_default(run: Run, tmp_path: Path) -> None:
    """Without --output the file is in results/, named after the time."""
    code, out, _ = run("run", "retry.*")
    [written] = (tmp_path / "results").glob("run-*.json")
    assert (code, written.name in out) == (0, True)


def test_output_that_cannot_be_written_is_found_before_measuring(run: Run, tmp_path: Path) -> None:
    """No worker is started when the result could not be kept."""
    (tmp_path / "folder").mkdir()

    def script(plan: Plan, seed: int) -> list[Message]:
        pytest.fail("a worker was started")

    code, _, err = run("run", "-o", "folder", script=script)
    assert code == 2
    assert_one_line(err, "folder")


def test_failed_cases_are_shown_with_their_reason_and_the_others_measured(run: Run) -> None:
    """A worker that cannot be helped costs its case only; the exit code says something failed."""

    def script(plan: Plan, seed: int) -> list[Message]:
        if plan.action == "measure" and PURGATORY in plan.cases:
            raise WorkerFailedError("was ended by SIGSEGV", suspect=PURGATORY)
        return list(suite(CASES)(plan, seed))

    code, out, _ = run("run", "-o", "out.json", script=script)
    assert code == 1
    assert "SIGSEGV" in out
    _, shown, _ = run("show", "out.json", "--format", "json")
    cases = {each["case"]: each for each in json.loads(shown)["cases"]}
    assert cases[PURGATORY]["status"] == "failed"
    assert "SIGSEGV" in cases[PURGATORY]["reason"]
    assert "latency_ns" in cases[PYBREAKER]
    assert "latency_ns" not in cases[PURGATORY]


def test_nothing_measured_is_exit_code_2(run: Run) -> None:
    """A run in which no case could be measured is no success."""

    def script(plan: Plan, seed: int) -> list[Message]:
        if plan.action == "discover":
            return list(suite(CASES)(plan, seed))
        return [*sampled([]), *(StatusMessage(name, "not available", "no") for name in plan.cases)]

    code, _, _ = run("run", "-o", "out.json", script=script)
    assert code == 2


def test_quietly_a_failed_case_is_reported_with_its_reason(run: Run) -> None:
    """Without the table, the lines on standard error explain the exit code."""

    def script(plan: Plan, seed: int) -> list[Message]:
        if plan.action == "discover":
            return list(suite(CASES)(plan, seed))
        lacking = StatusMessage(PURGATORY, "not available", "not installed")
        broken = StatusMessage(RETRY, "broken", "returned 1")
        return [*sampled([PYBREAKER]), StatusMessage(PYBREAKER, "ready"), lacking, broken]

    code, out, err = run("run", "-q", "--signals", "latency", "-o", "out.json", script=script)
    assert (code, out) == (1, "results: out.json\n")
    assert err == f"{RETRY}: broken: returned 1\n"


def test_broken_file_is_reported_and_the_rest_measured(run: Run) -> None:
    """A scenario file that does not import is named on the error output, and noted in the file."""
    script = suite(CASES, problems=["bad.py:3: NameError: name 'x' is not defined"])
    code, out, err = run("run", "-o", "out.json", script=script)
    assert code == 1
    assert "not read: bad.py:3: NameError: name 'x' is not defined" in err
    assert "results: out.json" in out


def test_ctrl_c_keeps_what_was_measured(run: Run, tmp_path: Path) -> None:
    """An interrupted run writes the finished blocks, says where, and exits with 130."""
    plans = iter(range(100))

    def script(plan: Plan, seed: int) -> list[Message]:
        if next(plans) == 2:
            raise KeyboardInterrupt
        return list(suite(CASES)(plan, seed))

    code, _, err = run("run", "-o", "out.json", script=script)
    assert code == 130
    assert "interrupted; what was measured is in out.json" in err
    result = results.read(tmp_path / "out.json")
    statuses = {record.case.name: record.status for record in result.cases}
    assert not result.complete
    assert statuses == {PYBREAKER: "measured", PURGATORY: "measured", RETRY: "interrupted"}


def test_file_is_brought_up_to_date_after_every_block(run: Run, tmp_path: Path) -> None:
    """Whoever kills the parent finds in the file what was measured until then."""
    seen: list[int] = []

    def script(plan: Plan, seed: int) -> list[Message]:
        if plan.action == "measure" and (tmp_path / "out.json").exists():
            seen.append(len(results.read(tmp_path / "out.json").workers))
        return list(suite(CASES)(plan, seed))

    run("run", "-o", "out.json", script=script)
    assert seen == list(range(1, len(seen) + 1))


def read_json(path: Path) -> Any:
    """A JSON file."""
    return json.loads(path.read_text())


def test_results_file_holds_what_the_result_depends_on(run: Run, tmp_path: Path) -> None:
    """Schema, samples, packages, Python, CPU, OS, load, commit, versions, seeds, start and end."""
    run("run", "-o", "out.json")
    stored = read_json(tmp_path / "out.json")
    assert {"schema", "tool_version", "reference_version", "seeds", "started", "ended"} <= set(
        stored
    )
    assert {"load_average", "commit", "environment", "cases", "workers"} <= set(stored)
    environment = stored["environment"]
    assert environment["packages"]["tenacity"]
    assert environment["cpu_count"] >= 1
    assert {"python", "python_build", "cpu_model", "os"} <= set(environment)
    worker = stored["workers"][0]
    assert worker["operations"][PYBREAKER] == {
        "calls": 10,
        "elapsed_ns": [10000] * 4,
        "beside": [],
    }
    assert worker["hash_seed"] == stored["seeds"][0] == 0
