"""``run --python``: one plan under several interpreters."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from resilience_bench.cli import main, run_python
from resilience_bench.environments import interpreters
from resilience_bench.environments.interpreters import Interpreter
from resilience_bench.environments.variants import Variant
from resilience_bench.files import results
from resilience_bench.measure import recording
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.measure.session import PROFILES, Profile
from resilience_bench.worker.protocol import Message, Plan
from tests.factories import make_environment
from tests.scripted import Script, info, sampled, suite

CASES = [info("closed", "a"), info("closed", "b")]
Run = Callable[..., tuple[int, str, str]]


def interpreter(python: str, **more: object) -> Interpreter:
    """An interpreter that nobody starts."""
    home = Path("/envs") / python.replace(" ", "-")
    variant = Variant(python, home, home / "bin" / "python", made=False, packages={})
    found = Interpreter(variant, make_environment(python=python))
    return replace(found, **more)  # type: ignore[arg-type]


def slower(times: float) -> Script:
    """Workers under which everything takes so many times as long."""

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        if plan.action == "measure":
            return sampled(plan.cases, round(1000 * times))
        return suite(CASES)(plan, seed)

    return script


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command under two interpreters with scripted workers."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("from resilience_bench import scenario\n")
    monkeypatch.setitem(PROFILES, "quick", Profile("quick", workers=6, samples=4))
    monkeypatch.setattr(recording, "find_commit", lambda _: None)
    found = [interpreter("CPython 3.11.7"), interpreter("CPython 3.13.0")]

    def running(
        *arguments: str, scripts: Sequence[Script], there: Sequence[Interpreter] = ()
    ) -> tuple[int, str, str]:
        left = list(scripts)

        class Stage:
            def launcher(self, variant: Variant) -> ScriptedLauncher:
                return ScriptedLauncher(left.pop(0))

        @contextlib.contextmanager
        def stage() -> Iterator[Stage]:
            yield Stage()

        monkeypatch.setattr(run_python, "create_shared_path", stage)
        monkeypatch.setattr(interpreters, "find", lambda *_: list(there or found))
        monkeypatch.setattr(interpreters, "prepare", lambda one, *_: one)
        monkeypatch.setattr(main, "LAUNCHER", ScriptedLauncher(suite(CASES)))
        options = ["--python", "python3.13", "--signals", "latency", "-o", "out.json"]
        code = main.main(["run", "mine.py", *options, *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return running


def test_each_interpreter_has_a_file_and_a_column(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both are measured to the end, with their own environment."""
    code, out, _ = run(scripts=[slower(1), slower(2)])
    assert code == 0
    assert "results: out-cpython-3.11.7.json out-cpython-3.13.0.json" in out
    held = [results.read(Path(f"out-cpython-{version}.json")) for version in ("3.11.7", "3.13.0")]
    assert [each.environment.python for each in held] == ["CPython 3.11.7", "CPython 3.13.0"]
    assert [(each.complete, len(each.workers)) for each in held] == [(True, 6)] * 2
    row = ["a", "!1,000", "!2,000", "2.00"]
    assert row in [line.split() for line in out.splitlines()]
    files = ["out-cpython-3.11.7.json", "out-cpython-3.13.0.json"]
    assert main.main(["show", *files]) == 0
    assert row in [line.split() for line in capsys.readouterr().out.splitlines()]
    assert main.main(["show", *files, "--format", "markdown"]) == 0
    assert "| `a` | !1,000 | !2,000 | 2.00 |" in capsys.readouterr().out
    assert main.main(["show", *files, "--format", "json"]) == 0
    reported = json.loads(capsys.readouterr().out)
    assert [message["environment"]["python"] for message in reported] == [
        "CPython 3.11.7",
        "CPython 3.13.0",
    ]


def test_two_builds_of_one_version_have_two_files(run: Run) -> None:
    """Neither overwrites the other."""
    there = [interpreter("CPython 3.13.0"), interpreter("CPython 3.13.0")]
    code, out, _ = run(scripts=[slower(1), slower(1)], there=there)
    assert code == 0
    assert "results: out-cpython-3.13.0.json out-cpython-3.13.0-2.json" in out


def test_what_was_measured_until_ctrl_c_is_kept(run: Run) -> None:
    """Exit code 130, and both files say that they did not come to an end."""
    left = iter(range(5))

    def stopped(plan: Plan, seed: int) -> Iterable[Message]:
        if plan.action == "measure" and next(left, None) is None:
            raise KeyboardInterrupt
        return suite(CASES)(plan, seed)

    code, _, err = run(scripts=[stopped, suite(CASES)])
    assert code == 130
    assert "what was measured is in out-cpython-3.11.7.json" in err
    held = [results.read(Path(f"out-cpython-{version}.json")) for version in ("3.11.7", "3.13.0")]
    assert [each.complete for each in held] == [False, False]
    assert all(each.workers for each in held)


def test_long_runs_go_without_other_interpreters(run: Run) -> None:
    """One line, exit code 2."""
    code, _, err = run("--drift", "5", scripts=[])
    assert code == 2
    assert "--drift" in err
    assert "--python" in err


def test_a_python_that_is_too_old_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2: which one, what it is, and what is expected; nothing is measured."""
    monkeypatch.chdir(tmp_path)
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\necho it is Python 3.10.13 >&2\nexit 1\n")
    old.chmod(0o755)
    assert main.main(["run", "control.call", "--python", str(old), "-o", "out.json"]) == 2
    said = capsys.readouterr().err
    assert f"{old}: it does not run as Python 3.11 or newer: it is Python 3.10.13" in said
    assert len(said.splitlines()) == 1
    assert not list(tmp_path.glob("*.json"))
