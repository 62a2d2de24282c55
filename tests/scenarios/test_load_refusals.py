"""Patterns and loads that are refused, and with which words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from resilience_bench.cli import main
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.scenarios import load_patterns
from resilience_bench.scenarios.load_patterns import compute_thread_limit
from tests.scenarios.pattern_factories import CASES, names, refused
from tests.scripted import suite


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command in an empty folder; returns exit code, output and error output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(main, "LAUNCHER", ScriptedLauncher(suite(CASES)))

    def running(*arguments: str) -> tuple[int, str, str]:
        code = main.main(arguments)
        reported = capsys.readouterr()
        return code, reported.out, reported.err

    return running


@pytest.mark.parametrize(
    ("selector", "parts"),
    [
        (
            "breaker.closed[pybreaker,threads-4,disk]",
            (
                "breaker.closed has the loads single, threads-N, mixed-WRITERS-READERS",
                "the payloads noop, cpu, io",
            ),
        ),
        ("breaker.closed[*,fibers-8]", ("the loads single, threads-N, mixed-WRITERS-READERS",)),
        ("breaker.closed[*,fibers-*,io]", ("the loads single, threads-N",)),
        ("breaker.closed[*,tasks-4]", ("the loads single, threads-N", "threads-32,io")),
        ("breaker.awaited[*,threads-4]", ("the loads single, tasks-N and",)),
        ("breaker.recovers[*,threads-4]", ("the payloads io;",)),
        (
            "metrics.inc[*,threads-4,io]",
            ("the payloads noop; type e.g. 'metrics.inc[*,threads-32]'",),
        ),
        ("metrics.inc[*,processes-2]", ("the loads single, threads-N, mixed-WRITERS-READERS",)),
        ("nothing.here[*,threads-4]", ("expected a case name", "resilience-bench list")),
    ],
)
def test_what_matches_nothing_is_refused_with_what_there_is(
    selector: str, parts: Sequence[str]
) -> None:
    """The loads and payloads of the scenarios that were meant, with something to type."""
    reported = refused(selector)
    assert f"no case matches {selector!r}" in reported
    for part in parts:
        assert part in reported


def test_what_is_suggested_can_be_typed() -> None:
    """The example in each of these texts selects something."""
    for selector in ("breaker.closed[*,tasks-4]", "metrics[*,threads-4,io]", "mine[x,threads-4]"):
        example = refused(selector).partition("type e.g. '")[2].partition("'")[0]
        assert names(example)


@pytest.mark.parametrize(
    "word",
    [
        "threads-0",
        "threads--1",
        "threads-1.5",
        "tasks-",
        "tasks-0",
        "processes-0",
        "mixed-0-4",
        "mixed-4-0",
        "mixed-4",
        "threads-4-4",
    ],
)
def test_a_load_that_cannot_be_is_refused(word: str) -> None:
    """Whatever else the pattern says; the text has what was expected, and an example."""
    reported = refused(f"breaker.closed[*,{word},io]")
    assert word in reported
    assert "expected" in reported
    assert "[*,threads-8,io]" in reported


def test_more_callers_than_the_machine_can_start_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Threads, processes, and writers with their readers; tasks only need memory."""
    monkeypatch.setattr(load_patterns, "compute_thread_limit", lambda: 100)
    for word in ("threads-101", "mixed-99-2"):
        assert refused(f"breaker.closed[*,{word}]").startswith(
            f"{word}: this machine can start at most 100"
        )
    assert refused("metrics.shared[processes-101]").startswith("processes-101: this machine")
    assert names("breaker.closed[pybreaker,threads-100]")
    assert names("breaker.awaited[*,tasks-101]")
    assert refused("breaker.awaited[*,tasks-1000001]").startswith("tasks-1000001: this machine")


def test_what_the_machine_can_start_is_the_least_of_its_limits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Limits that are missing or say "max" do not count; something is left for the rest."""
    (tmp_path / "pids").write_text("500\n")
    (tmp_path / "none").write_text("max\n")
    unlimited = compute_thread_limit()
    paths = tuple(str(tmp_path / name) for name in ("missing", "none"))
    monkeypatch.setattr(load_patterns, "LIMIT_FILES", paths)
    assert compute_thread_limit() >= unlimited
    monkeypatch.setattr(load_patterns, "LIMIT_FILES", (*paths, str(tmp_path / "pids")))
    assert 1 <= compute_thread_limit() < 500
    (tmp_path / "pids").write_text("2\n")
    assert compute_thread_limit() == 1


@pytest.mark.parametrize("command", ["run", "list"])
@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("breaker.closed[*,threads-0]", "expected 1 or more of each kind of caller, found 0"),
        ("breaker.awaited[*,tasks-0]", "expected 1 or more of each kind of caller, found 0"),
        ("breaker.closed[*,mixed-0-4]", "expected 1 or more of each kind of caller, found 0"),
        ("breaker.closed[*,fibers-8]", "the loads single, threads-N, mixed-WRITERS-READERS"),
        ("breaker.closed[*,threads-99999999]", "this machine can start"),
        ("breaker.closed[*,threads-4,disk]", "the payloads noop, cpu, io"),
        (f"breaker.closed[*,threads-{'9' * 300}]", "this machine can start"),
    ],
    ids=lambda value: value[:40],
)
def test_the_command_line_says_it_in_one_line(
    command: str, selector: str, expected: str, run: Callable[..., tuple[int, str, str]]
) -> None:
    """Exit code 2, no traceback, and nothing on standard output."""
    code, out, err = run(command, selector)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("resilience-bench: ")
    assert expected in err
