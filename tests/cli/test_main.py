"""The command line, with a scripted worker: what is printed, what is written, which exit code."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from resilience_bench.cli import main
from resilience_bench.files import results
from resilience_bench.measure import callgrind
from resilience_bench.measure.launcher import ScriptedLauncher, WorkerFailedError
from resilience_bench.measure.session import PROFILES, Profile
from resilience_bench.worker.protocol import Message, Plan, StatusMessage
from tests.scripted import Script, info, sampled, suite

CASES = [info("closed", "pybreaker"), info("closed", "purgatory"), info("first", family="retry")]
PYBREAKER, PURGATORY, RETRY = (each.case.name for each in CASES)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in an empty folder; returns exit code, output and error output."""
    monkeypatch.chdir(tmp_path)
    # The scripted worker counts without valgrind.
    monkeypatch.setattr(callgrind, "explain_unavailability", lambda: "")
    small = Profile("quick", workers=6, samples=4, block_cases=2)
    monkeypatch.setitem(PROFILES, "quick", small)

    def running(*arguments: str, script: Script | None = None) -> tuple[int, str, str]:
        monkeypatch.setattr(main, "LAUNCHER", ScriptedLauncher(script or suite(CASES)))
        code = main.main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return running


def assert_one_line(err: str, *parts: str) -> None:
    """An error is one line, without a traceback, and says these things."""
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    for part in parts:
        assert part in err


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


def test_show_json_has_every_case_and_quantity(run: Run) -> None:
    """The JSON lists cases by their full name, each quantity as value, low and high."""
    run("run", "-o", "out.json")
    code, out, _ = run("show", "out.json", "--format", "json")
    cases = {each["case"]: each for each in json.loads(out)["cases"]}
    assert code == 0
    assert set(cases) == {PYBREAKER, PURGATORY, RETRY}
    expected = {"latency_ns": 1000.0, "overhead_ns": 900.0, "ratio": 2.0}
    for name, value in expected.items():
        quantity = cases[PYBREAKER][name]
        assert [quantity[key] for key in ("value", "low", "high")] == pytest.approx([value] * 3)


@pytest.mark.parametrize("form", ["table", "markdown", "json"])
@pytest.mark.parametrize("sort", ["latency", "overhead", "ratio", "name"])
def test_every_format_and_order_is_shown(run: Run, form: str, sort: str) -> None:
    """All formats show all libraries in any order."""
    run("run", "-o", "out.json")
    code, out, _ = run("show", "out.json", "--format", form, "--sort", sort)
    assert code == 0
    assert "pybreaker" in out
    assert "purgatory" in out


def test_export_is_read_by_pyperf(run: Run, tmp_path: Path) -> None:
    """The export holds a pyperf benchmark for every measured case."""
    import pyperf

    run("run", "--signals", "latency", "-o", "out.json")
    code, _, _ = run("export", "out.json", "--format", "pyperf", "-o", "pyperf.json")
    suite_read = pyperf.BenchmarkSuite.load(str(tmp_path / "pyperf.json"))
    assert code == 0
    assert set(suite_read.get_benchmark_names()) == {PYBREAKER, PURGATORY, RETRY}
    assert suite_read.get_benchmark(RETRY).mean() == pytest.approx(1e-6)


def test_list_shows_why_a_case_is_not_available(run: Run) -> None:
    """The list has every case and the reason of those that cannot be measured."""

    def script(plan: Plan, seed: int) -> list[Message]:
        if plan.action == "discover":
            return list(suite(CASES)(plan, seed))
        missing = StatusMessage(PURGATORY, "not installed", "type: pip install purgatory")
        return [StatusMessage(PYBREAKER, "ready"), missing, StatusMessage(RETRY, "ready")]

    code, out, _ = run("list", script=script)
    assert code == 0
    assert PYBREAKER in out
    assert "pip install purgatory" in out


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("run", "nonsense.*"), ("no case matches 'nonsense.*'", "resilience-bench list")),
        (("list", "breaker.clos"), ("no case matches", "breaker.closed")),
        (("run", "--profile", "slow"), ("'slow'", "quick", "resilience-bench run --help")),
        (("run", "nowhere/x.py"), ("no such file or folder: nowhere/x.py",)),
        (("run", "-o", "/proc/x/y.json"), ("/proc/x/y.json", "write")),
        (("show", "nothing.json"), ("nothing.json", "resilience-bench run")),
        (("show", "."), (".: expected a results file, found a folder",)),
        (("export", "nothing.json", "--format", "pyperf", "-o", "x"), ("nothing.json",)),
        (("show",), ("RESULT", "resilience-bench show --help")),
        (("dance",), ("dance", "resilience-bench --help")),
        (("run", "--time-limit", "0"), ("time-limit",)),
        (("run", "--signals", "nonsense"), ("'nonsense'", "latency, instructions, allocations")),
        (("run", "--signals", "latency,x"), ("'x'", "resilience-bench run --help")),
        (("run", "--signals", ""), ("is none of latency",)),
    ],
)
def test_bad_arguments_get_one_line_and_exit_code_2(
    run: Run, arguments: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    """What the user got wrong is said in one line, with what to type; the exit code is 2."""
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert_one_line(err, *parts)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"not json", b"[]", b"{}", b'{"schema": 99}', b"\xff\xfe", b'{"schema": NaN}'],
)
def test_bad_results_file_gets_one_line_and_stays_as_it_is(
    run: Run, tmp_path: Path, content: bytes
) -> None:
    """A results file that cannot be used is named in one line, and not touched."""
    file = tmp_path / "bad.json"
    file.write_bytes(content)
    code, _, err = run("show", "bad.json")
    assert code == 2
    assert_one_line(err, "bad.json")
    assert file.read_bytes() == content


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


@pytest.mark.parametrize(
    ("arguments", "actions", "signals"),
    [
        ((), ["measure", "count", "weigh"], ["latency", "instructions", "allocations"]),
        (("--signals", "latency"), ["measure"], ["latency"]),
        (("--signals", "allocations , latency"), ["measure", "weigh"], ["latency", "allocations"]),
        (("--signals", "instructions"), ["measure", "count"], ["instructions"]),
    ],
)
def test_the_signals_that_were_asked_for_are_measured(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], actions: list[str], signals: list[str]
) -> None:
    """All of them without --signals; the file says which, and holds a record of each."""
    seen: set[str] = set()

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        seen.add(plan.action)
        return suite(CASES)(plan, seed)

    code, out, _ = run("run", "-o", "out.json", *arguments, script=script)
    assert code == 0
    assert "results: out.json" in out
    assert seen == {"discover", *actions}
    result = results.read(tmp_path / "out.json")
    assert list(result.signals) == signals
    held = {
        "latency": result.workers,
        "instructions": result.instructions,
        "allocations": result.allocations,
    }
    assert [signal for signal, records in held.items() if records] == signals


def test_what_is_not_available_is_said_and_the_rest_measured(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without valgrind the other signals are measured, and that is no failure."""
    monkeypatch.setattr(callgrind, "explain_unavailability", lambda: "no valgrind; type: apt-get")
    code, out, err = run("run", "-o", "out.json")
    assert code == 0
    assert "no valgrind; type: apt-get" in " ".join((out + err).split())
    result = results.read(tmp_path / "out.json")
    assert result.signals == ("latency", "allocations")
    assert result.not_available == {"instructions": "no valgrind; type: apt-get"}


def test_when_nothing_asked_for_is_available_nothing_is_measured(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is the error, with what to type."""
    monkeypatch.setattr(callgrind, "explain_unavailability", lambda: "no valgrind; type: apt-get")
    code, out, err = run("run", "--signals", "instructions")
    assert (code, out) == (2, "")
    assert_one_line(err, "no valgrind; type: apt-get")


def test_a_valgrind_that_fails_costs_no_latency(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is one line with exit code 2; what was measured until then is in the file."""

    def broken() -> None:
        raise callgrind.ValgrindFailedError("valgrind failed: bad CPU")

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        if plan.action == "count":
            raise WorkerFailedError("ended with exit code 1")
        return suite(CASES)(plan, seed)

    monkeypatch.setattr(callgrind, "ensure_working", broken)
    code, out, err = run("run", "-o", "out.json", script=script)
    assert (code, out) == (2, "")
    assert_one_line(err[err.index("resilience-bench: ") :], "valgrind failed: bad CPU")
    result = results.read(tmp_path / "out.json")
    assert not result.complete
    assert len(result.workers) == 2 * len(result.seeds)


def test_ctrl_c_while_counting_keeps_the_latency(run: Run, tmp_path: Path) -> None:
    """What was timed before stays, and nobody is said to have failed."""

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        if plan.action == "count":
            raise KeyboardInterrupt
        return suite(CASES)(plan, seed)

    code, _, err = run("run", "-o", "out.json", script=script)
    assert code == 130
    assert "interrupted; what was measured is in out.json" in err
    result = results.read(tmp_path / "out.json")
    assert {record.status for record in result.cases} == {"measured"}
    assert len(result.workers) == 2 * len(result.seeds)
    assert not result.instructions


def test_file_is_brought_up_to_date_after_every_block(run: Run, tmp_path: Path) -> None:
    """Whoever kills the parent finds in the file what was measured until then."""
    seen: list[int] = []

    def script(plan: Plan, seed: int) -> list[Message]:
        if plan.action == "measure" and (tmp_path / "out.json").exists():
            seen.append(len(results.read(tmp_path / "out.json").workers))
        return list(suite(CASES)(plan, seed))

    run("run", "-o", "out.json", script=script)
    assert seen == list(range(1, len(seen) + 1))


def test_version_and_help_exit_with_0(run: Run) -> None:
    """Asking for help is no error."""
    for arguments in (("--version",), ("--help",), ("run", "--help"), ("list", "-h")):
        assert run(*arguments)[0] == 0


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


def test_being_killed_is_like_ctrl_c(run: Run, tmp_path: Path) -> None:
    """SIGTERM keeps what was measured as well; afterwards the process handles it as before."""
    before = signal.getsignal(signal.SIGTERM)

    def script(plan: Plan, seed: int) -> list[Message]:
        if seed == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return list(suite(CASES)(plan, seed))

    code, _, err = run("run", "--signals", "latency", "-o", "out.json", script=script)
    assert code == 130
    assert "interrupted; what was measured is in out.json" in err
    assert results.read(tmp_path / "out.json").seeds == (0, 1)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_command_may_run_in_any_thread(run: Run) -> None:
    """Only the main one may handle signals, so the others do without."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert pool.submit(run, "list").result()[0] == 0


def test_a_terminal_that_knows_ascii_only_gets_question_marks(run: Run, tmp_path: Path) -> None:
    """µ and × do not end the command where they cannot be shown."""
    run("run", "-o", "out.json")
    done = subprocess.run(
        [sys.executable, "-m", "resilience_bench", "show", "out.json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert b"? fastest" in done.stdout
