"""The command line: stored results shown, bad arguments, exit codes."""

from __future__ import annotations

import concurrent.futures
import importlib.abc
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import resilience_bench.cli
from resilience_bench import __main__ as program
from resilience_bench.files import results
from resilience_bench.report import table
from resilience_bench.worker.protocol import Message, Plan, StatusMessage
from tests.cli.factories import CASES, PURGATORY, PYBREAKER, RETRY, Run, assert_one_line
from tests.scripted import suite


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
        (("report", "a.json", "more", "-o", "b"), ("extra argument (more). Type 'resilience-",)),
        (("run", ""), ("'' is empty", "a pattern such as 'breaker.*'", "resilience-bench list")),
        (("list", " "), ("' ' is empty", "resilience-bench list")),
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


def test_version_and_help_exit_with_0(run: Run) -> None:
    """Asking for help is no error."""
    for arguments in (("--version",), ("--help",), ("run", "--help"), ("list", "-h")):
        assert run(*arguments)[0] == 0


def test_ctrl_c_while_the_tool_is_imported_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever presses it at once sees no traceback; the exit code is that of any interruption."""

    class Interrupted(importlib.abc.MetaPathFinder):
        def find_spec(self, name: str, path: object, target: object = None) -> None:
            if name == "resilience_bench.cli.main":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "resilience_bench.cli.main")
    monkeypatch.delattr(resilience_bench.cli, "main")
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    assert program.main() == 130
    assert_one_line(capsys.readouterr().err, "interrupted; nothing was measured yet")


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


@pytest.mark.parametrize("group", [(), ("variants",), ("baseline",), ("fleet",)])
def test_a_group_without_its_command_shows_its_plain_help(run: Run, group: tuple[str, ...]) -> None:
    """It is what --help shows, whole, and not wrapped into an error; the exit code is 2."""
    code, out, err = run(*group)
    assert (code, out) == (2, "")
    assert err == run(*group, "--help")[1]
    assert err.startswith("Usage: resilience-bench")
    assert "..." not in err.replace("[ARGS]...", "")


@pytest.mark.parametrize(
    ("typed", "close"),
    [
        (("lisst",), "'list'"),
        (("Compare",), "'compare'"),
        (("baseline", "lern"), "'learn'"),
        (("variants", "claen"), "'clean'"),
        (("fleet", "worke"), "'worker'"),
    ],
)
def test_a_mistyped_command_gets_the_closest(run: Run, typed: tuple[str, ...], close: str) -> None:
    """The error names the command that was probably meant, of groups in groups too."""
    code, _, err = run(*typed)
    assert code == 2
    assert_one_line(err, f"Did you mean {close}?", "--help")


def test_a_command_that_resembles_none_gets_no_suggestion(run: Run) -> None:
    """A wrong suggestion is worse than none."""
    assert "Did you mean" not in run("zzz")[2]


@pytest.mark.parametrize("form", ["table", "markdown", "json"])
@pytest.mark.parametrize("files", [("out.json",), ("out.json", "out.json")])
def test_show_takes_patterns_behind_the_files(run: Run, files: tuple[str, ...], form: str) -> None:
    """Only the cases that one of them means are shown, in every format, of one file or several."""
    run("run", "-o", "out.json")
    code, out, _ = run("show", *files, "breaker.*[purg*", "--format", form)
    assert code == 0
    assert "purgatory" in out
    shown = out if form != "json" else "".join(line for line in out.splitlines() if "case" in line)
    assert "pybreaker" not in shown
    assert "retry" not in shown
    assert all(name in run("show", *files, "*pyb*", "retry")[1] for name in ("pybreaker", "retry"))


def test_show_gives_the_same_numbers_for_some_cases(run: Run) -> None:
    """A selection changes what is shown, and no number."""
    run("run", "-o", "out.json")
    whole, part = (
        {each["case"]: each for each in json.loads(run(*arguments)[1])["cases"]}
        for arguments in (
            ("show", "out.json", "--format", "json"),
            ("show", "out.json", "retry.*", "--format", "json"),
        )
    )
    assert part == {RETRY: whole[RETRY]}


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("breaker.closed",), ("breaker.closed: expected a results file first", "then patterns")),
        (("out.json", "nobody"), ("out.json has no case that matches 'nobody'", "3 cases")),
        (("out.json", "gone.json"), ("gone.json", "expected a results file")),
    ],
)
def test_show_says_what_is_a_file_and_what_a_pattern(
    run: Run, arguments: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    """A pattern without a file, one that matches nothing, and a missing file are distinguished."""
    run("run", "-o", "out.json")
    code, _, err = run("show", *arguments)
    assert code == 2
    assert_one_line(err, *parts)


@pytest.mark.parametrize("command", ["run", "check", "compare"])
def test_ctrl_c_before_anything_is_measured_says_so(run: Run, command: str) -> None:
    """One line, and exit code 130: nobody has to look for files."""

    def script(plan: Plan, seed: int) -> list[Message]:
        if plan.action == "discover":
            raise KeyboardInterrupt
        return list(suite(CASES)(plan, seed))

    arguments = {
        "check": ("check", "--baseline", "none"),
        "compare": ("compare", "pip:tiny==1", "pip:tiny==2"),
    }
    code, out, err = run(*arguments.get(command, (command,)), script=script)
    assert (code, out) == (130, "")
    assert err.strip() == "interrupted; nothing was measured yet"


def test_ctrl_c_after_the_measurement_names_the_file(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written before is named, also if it is shown no more."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(table, "render", interrupt)
    code, _, err = run("run", "-o", "out.json")
    assert code == 130
    assert err.rstrip().endswith("interrupted; what was measured is in out.json")
