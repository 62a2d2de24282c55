"""Rates of builds that were red, real and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from resilience_bench.cli import prove as cli_prove
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.selftest.builds import Build
from resilience_bench.selftest.runner import BuildRunner
from tests.cli.prove.factories import CASES, A, B
from tests.scripted import suite


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
def prover(tmp_path: Path) -> BuildRunner:
    """One that has made no build yet."""
    return BuildRunner(ScriptedLauncher(suite(CASES)), CASES, tmp_path, (10.0,))


def test_the_rate_of_healthy_builds_counts_builds(prover: BuildRunner) -> None:
    """One that is red for two cases is one false alarm, of the signal that it was red for."""
    prover.builds += [build(), build(latency=[A, B]), build(), build(gate="compare", latency=[A])]
    found = prover.estimate_real_rate("check", "latency", 0.0)
    assert (found.hits, found.trials) == (1, 3)
    assert (found.builds, found.outcome) == ("real", "healthy build failed")
    found = prover.estimate_real_rate("check", "instructions", 0.0)
    assert (found.hits, found.trials) == (0, 3)


def test_the_rate_of_planted_builds_counts_planted_cases(prover: BuildRunner) -> None:
    """Each planted case is found or not; other red cases, sizes and gates do not count."""
    prover.builds += [
        build(),
        build(10.0, [A, B], latency=[A]),
        build(10.0, [A, B], latency=[A, B, "other"]),
        build(10.0, [A], latency=["other"]),
        build(20.0, [A, B], latency=[A, B]),
        build(10.0, [A, B], latency=[A, B], gate="compare"),
    ]
    found = prover.estimate_real_rate("check", "latency", 10.0)
    assert (found.hits, found.trials) == (3, 5)
    assert (found.planted_percent, found.outcome) == (10.0, "planted case found")


def test_builds_without_a_signal_say_nothing_of_it(prover: BuildRunner) -> None:
    """Instructions are counted in some builds only."""
    prover.builds += [build(), build(instructions=None), build(10.0, [A], instructions=None)]
    assert prover.estimate_real_rate("check", "instructions", 0.0).trials == 1
    assert prover.estimate_real_rate("check", "instructions", 10.0).trials == 0
    rates = cli_prove._estimate_real_rates(prover)
    told = [(each.gate, each.signal, each.planted_percent, each.trials) for each in rates]
    assert told == [
        ("check", "latency", 0.0, 2),
        ("check", "latency", 10.0, 1),
        ("check", "instructions", 0.0, 1),
    ]


def test_without_recorded_workers_nothing_is_drawn(prover: BuildRunner) -> None:
    """A proof that was interrupted early has no drawn rates."""
    assert prover.estimate_simulated_rate("check", "latency", 0.0, 10, 2) is None
