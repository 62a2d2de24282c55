"""The command that tests the gate on itself: rates of builds, exit codes, busy neighbours."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from resilience_bench import callgrind, cli, cli_prove
from resilience_bench import prover as prover_module
from resilience_bench._model import Signal
from resilience_bench.cli_prove import _Told
from resilience_bench.launcher import ScriptedLauncher
from resilience_bench.prover import Build, Prover, busy_neighbours
from tests.scripted import info, suite

CASES = [info("call", family="control"), info("a", "x"), info("b", "x")]
_, A, B = (each.case.name for each in CASES)
BOTH: tuple[Signal, ...] = ("latency", "instructions")


def build(
    percent: float = 0.0,
    planted: Sequence[str] = (),
    latency: Sequence[str] = (),
    instructions: Sequence[str] | None = (),
    gate: str = "check",
) -> Build:
    """A build that was red for these; without instructions, only latencies were measured."""
    red = {"latency": tuple(latency)}
    if instructions is not None:
        red["instructions"] = tuple(instructions)
    return Build(gate, tuple(red), percent, tuple(planted), red, 0, 1.0)


@pytest.fixture
def prover(tmp_path: Path) -> Prover:
    """One that has made no build yet."""
    return Prover(ScriptedLauncher(suite(CASES)), CASES, tmp_path, (10.0,))


# Rates


def test_the_rate_of_healthy_builds_counts_builds(prover: Prover) -> None:
    """One that is red for two cases is one false alarm, of the signal that it was red for."""
    prover.builds += [build(), build(latency=[A, B]), build(), build(gate="compare", latency=[A])]
    found = prover.real("check", "latency", 0.0)
    assert (found.hits, found.trials) == (1, 3)
    assert (found.builds, found.outcome) == ("real", "healthy build failed")
    found = prover.real("check", "instructions", 0.0)
    assert (found.hits, found.trials) == (0, 3)


def test_the_rate_of_planted_builds_counts_planted_cases(prover: Prover) -> None:
    """Each planted case is found or not; other red cases, sizes and gates do not count."""
    prover.builds += [
        build(),
        build(10.0, [A, B], latency=[A]),
        build(10.0, [A, B], latency=[A, B, "other"]),
        build(10.0, [A], latency=["other"]),
        build(20.0, [A, B], latency=[A, B]),
        build(10.0, [A, B], latency=[A, B], gate="compare"),
    ]
    found = prover.real("check", "latency", 10.0)
    assert (found.hits, found.trials) == (3, 5)
    assert (found.planted_percent, found.outcome) == (10.0, "planted case found")


def test_builds_without_a_signal_say_nothing_of_it(prover: Prover) -> None:
    """Instructions are counted in some builds only."""
    prover.builds += [build(), build(instructions=None), build(10.0, [A], instructions=None)]
    assert prover.real("check", "instructions", 0.0).trials == 1
    assert prover.real("check", "instructions", 10.0).trials == 0
    rates = cli_prove._real_rates(prover, BOTH, ("check", "compare"), (10.0,))
    told = [(each.gate, each.signal, each.planted_percent, each.trials) for each in rates]
    assert told == [
        ("check", "latency", 0.0, 2),
        ("check", "latency", 10.0, 1),
        ("check", "instructions", 0.0, 1),
    ]


def test_without_recorded_workers_nothing_is_drawn(prover: Prover) -> None:
    """A proof that was interrupted early has no drawn rates."""
    assert prover.drawn("check", "latency", 0.0, 10, 2) is None


# Exit codes


@pytest.mark.parametrize(
    ("made", "red_for_nothing", "missed"),
    [
        (build(), False, False),
        (build(latency=[A]), True, False),
        (build(instructions=[A]), True, False),
        (build(10.0, [A, B], latency=[A, B]), False, False),
        (build(10.0, [A, B], latency=[A]), False, False),
        (build(10.0, [A, B], instructions=[B]), False, False),
        (build(10.0, [A], latency=[A, B]), True, False),
        (build(10.0, [A]), False, True),
        (build(10.0, [A], instructions=None), False, True),
        (build(10.0, []), False, False),
    ],
)
def test_a_build_tells_what_was_wrong_with_it(
    made: Build, *, red_for_nothing: bool, missed: bool
) -> None:
    """Red for what was not planted, or green although something was; healthy ones are green."""
    told = _Told(made)
    assert (told.red_for_nothing, told.missed) == (red_for_nothing, missed)


Prove = Callable[..., tuple[int, str, Path]]


@pytest.fixture
def prove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Prove:
    """Runs the command with builds that are made up; returns exit code, output and the file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("from resilience_bench import scenario\n")
    monkeypatch.setattr(callgrind, "why_not_available", lambda: "")
    monkeypatch.setattr(cli, "LAUNCHER", ScriptedLauncher(suite(CASES)))

    def proving(*arguments: str, red: Mapping[float, Sequence[str]]) -> tuple[int, str, Path]:
        def made(
            prover: Prover, gate: str, signals: Sequence[Signal], percent: float, count: int
        ) -> Build:
            planted = [A, B][:count] if percent else []
            found = {signal: tuple(red.get(percent, ())) for signal in signals}
            done = Build(gate, tuple(signals), percent, tuple(planted), found, 0, 1.0)
            prover.builds.append(done)
            return done

        monkeypatch.setattr(Prover, "learn", lambda prover, signals: None)
        monkeypatch.setattr(Prover, "build", made)
        options = ["--builds", "2", "--plant", "10", "--planted-cases", "2", "--drawn", "5"]
        code = cli.main(["prove", "mine.py", *options, "-o", "proof.json", *arguments])
        return code, capsys.readouterr().out, tmp_path / "proof.json"

    return proving


@pytest.mark.parametrize(
    ("red", "expected"),
    [
        ({10.0: [A, B]}, 0),
        ({10.0: [A]}, 0),
        ({}, 1),
        ({0.0: [A], 10.0: [A, B]}, 1),
        ({10.0: [A, B, "other"]}, 1),
    ],
    ids=["all found", "one found", "missed", "false alarm", "red beside it"],
)
def test_the_exit_code_says_whether_the_gate_was_right(
    prove: Prove, red: dict[float, list[str]], expected: int
) -> None:
    """1 for a false alarm, and for a build in which nothing of what was planted was found."""
    code, out, path = prove(red=red)
    assert code == expected
    assert "proof: proof.json" in out
    assert path.exists()


def test_the_proof_holds_every_build_and_rate(prove: Prove) -> None:
    """Two healthy builds and a planted one of each gate; instructions in the first of each."""
    _, _, path = prove("--signals", "latency,instructions", red={10.0: [A]})
    held = json.loads(path.read_text())
    assert (held["schema"], held["neighbours"], held["cases"]) == (1, 0, len(CASES))
    told = [(each["gate"], each["planted_percent"], each["signals"]) for each in held["builds"]]
    latency = ["latency"]
    assert sorted(told) == sorted(
        (gate, percent, signals)
        for gate in ("check", "compare")
        for percent, signals in ((0.0, list(BOTH)), (0.0, latency), (10.0, list(BOTH)))
    )
    rates = {
        (each["gate"], each["signal"], each["planted_percent"]): (each["hits"], each["trials"])
        for each in held["rates"]
    }
    assert rates == {
        (gate, signal, percent): counted
        for gate in ("check", "compare")
        for signal, percent, counted in (
            ("latency", 0.0, (0, 2)),
            ("latency", 10.0, (1, 2)),
            ("instructions", 0.0, (0, 1)),
            ("instructions", 10.0, (1, 2)),
        )
    }
    assert {each["builds"] for each in held["rates"]} == {"real"}


def test_one_gate_may_be_proven(prove: Prove) -> None:
    """The other one makes no build."""
    _, _, path = prove("--gate", "compare", red={10.0: [A]})
    assert {each["gate"] for each in json.loads(path.read_text())["builds"]} == {"compare"}


# Neighbours


@pytest.fixture
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neighbours are not waited for."""
    monkeypatch.setattr(prover_module.time, "sleep", lambda seconds: None)


def neighbours_of_an_error(running: set[BaseProcess]) -> None:
    """Fail among neighbours, and tell which ones there were."""
    before = set(multiprocessing.active_children())
    with busy_neighbours(2):
        running |= set(multiprocessing.active_children()) - before
        assert all(each.is_alive() for each in running)
        raise RuntimeError("stop")


@pytest.mark.usefixtures("_no_pause")
def test_neighbours_run_as_long_as_the_context() -> None:
    """As many processes as were asked for, and none after it, also if it ended with an error."""
    before = set(multiprocessing.active_children())
    running: set[BaseProcess] = set()
    with pytest.raises(RuntimeError, match="stop"):
        neighbours_of_an_error(running)
    assert len(running) == 2
    assert not any(each.is_alive() for each in running)
    assert set(multiprocessing.active_children()) == before


@pytest.mark.usefixtures("_no_pause")
def test_no_neighbours_start_nothing() -> None:
    """The usual proof burns no core."""
    before = set(multiprocessing.active_children())
    with busy_neighbours(0):
        assert set(multiprocessing.active_children()) == before


def test_a_neighbour_ends_with_its_parent() -> None:
    """One whose parent is another process, because its own was killed, burns no more."""
    prover_module._burn(os.getppid() + 1)
