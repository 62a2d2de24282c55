"""``releases``: what is found and written, and how an interrupted history goes on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from resilience_bench._model import Environment
from resilience_bench.environments import variants
from resilience_bench.environments.variants import Variant
from resilience_bench.files import results
from resilience_bench.releases.measure import POLICY
from resilience_bench.worker.protocol import (
    Message,
    Plan,
)
from tests.cli.releases.factories import (
    CALLED,
    DECORATION,
    Machine,
    Run,
    assert_refused,
    costing,
    history,
)

FINAL = ["1.0", "1.1", "2.0", "2.1"]


def test_the_release_that_moved_a_case_is_reported(run: Run, machine: Machine) -> None:
    """One release makes one case slower, the next one another faster: nothing else changes."""
    machine.scripts = {
        "2.0": costing({CALLED: 1.5}),
        "2.1": costing({CALLED: 1.5, DECORATION: 0.7}),
    }
    code, out, _ = run("thing")
    assert code == 0
    reported = history()
    steps = {(step.release, step.before, step.case, step.signal) for step in reported.steps}
    assert steps == {
        ("2.0", "1.1", CALLED, "latency"),
        ("2.0", "1.1", CALLED, "instructions"),
        ("2.1", "2.0", DECORATION, "latency"),
        ("2.1", "2.0", DECORATION, "instructions"),
    }
    change = next(each.change for each in reported.steps if each.signal == "latency")
    assert change is not None
    assert change.low <= 1.5 <= change.high
    assert [release.version for release in reported.releases] == FINAL
    assert set(reported.cases) == {CALLED, DECORATION}
    assert reported.environment.packages == {"other": "1.0"}
    assert reported.releases[2].packages["thing"] == "2.0"
    assert "2 of 3 releases changed something" in out
    assert "results: results/releases/thing" in out


def test_everything_is_written(run: Run, machine: Machine) -> None:
    """The history, asv's tree, a picture a signal in two formats, and what it all rests on."""
    run("thing", "-o", "here")
    files = {str(path.relative_to("here")) for path in Path("here").rglob("*") if path.is_file()}
    for name in ("latency", "instructions", "allocations"):
        assert {f"{name}.svg", f"{name}.png"} <= files
    assert {"releases.json", "asv/benchmarks.json"} <= files
    assert len([each for each in files if each.startswith("asv/fast-cpu-2-cpu/")]) == 5
    measured = {file for file in files if file.startswith("measured/")}
    assert measured == {f"measured/{value}.json" for value in (*FINAL, "1.0-again")}
    assert all(results.read(Path("here") / each).complete for each in measured)


def test_an_interrupted_command_goes_on(run: Run, machine: Machine) -> None:
    """Exit code 130 and where things are; typed again, it measures the rest and nothing twice."""

    def stopping(plan: Plan, seed: int) -> Iterable[Message]:
        if plan.action == "measure" and seed == 2:
            raise KeyboardInterrupt
        return costing({})(plan, seed)

    machine.scripts = {"2.0": stopping}
    code, out, err = run("thing")
    assert (code, out) == (130, "")
    assert "interrupted; what was measured is in results/releases/thing/measured" in err
    assert "type the same command again" in err
    assert not Path("results/releases/thing/releases.json").exists()
    *first, stopped = machine.log
    assert stopped[:3] == ("2.0", "measure", 2)
    machine.scripts, machine.log = {}, []
    assert run("thing")[0] == 0
    everything = [*first, *machine.log]
    for version in FINAL:
        seeds = [seed for name, kind, seed, _ in everything if (name, kind) == (version, "measure")]
        again = range(0, POLICY.screen + 1, 2) if version == "1.0" else ()
        assert sorted(seeds) == sorted([*range(POLICY.screen + 1), *again])
    machine.log = []
    assert run("thing")[0] == 0
    assert machine.log == []


def test_what_was_measured_elsewhere_is_measured_again(run: Run, machine: Machine) -> None:
    """Another processor is no place to go on, and neither is a damaged file, nor --fresh."""
    run("thing", "--to", "1.1", "--signals", "instructions")
    everything = len(machine.log)
    machine.cpu, machine.log = "Slow CPU", []
    _, _, err = run("thing", "--to", "1.1", "--signals", "instructions")
    assert "measured in another environment; this release is measured again" in err
    assert len(machine.log) == everything
    Path("results/releases/thing/measured/1.1.json").write_text("{")
    machine.log = []
    _, _, err = run("thing", "--to", "1.1", "--signals", "instructions")
    assert "1.1.json: expected JSON, found a file that is cut short" in err
    assert {version for version, *_ in machine.log} == {"1.1"}
    machine.log = []
    run("thing", "--to", "1.1", "--signals", "instructions", "--fresh")
    assert len(machine.log) == everything


def test_another_python_wants_a_folder_of_its_own(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there is not replaced unless that is said, and nothing is measured before."""
    run("thing")
    before, measured = history(), len(machine.log)

    def other(variant: Variant) -> Environment:
        return replace(machine.environment_of(variant), python="CPython 3.99.0")

    monkeypatch.setattr(variants, "query_environment", other)
    reported = run("thing")
    assert_refused(reported, "CPython 3.99.0", "-o FOLDER", "--fresh")
    assert (history(), len(machine.log)) == (before, measured)
    code, out, _ = run("thing", "--fresh")
    assert code == 0
    assert "CPython 3.99.0" in out
    assert history().environment.python == "CPython 3.99.0"


def test_an_interruption_before_anything_was_measured_says_so(run: Run, machine: Machine) -> None:
    """No folder is named that holds nothing."""

    def stopping(plan: Plan, seed: int) -> Iterable[Message]:
        raise KeyboardInterrupt

    machine.scripts = dict.fromkeys(FINAL, stopping)
    code, _, err = run("thing")
    assert code == 130
    assert "interrupted; nothing was measured yet; type the same command again" in err


def test_what_was_never_measured_cannot_be_shown(run: Run) -> None:
    """The line has the very command that measures it."""
    assert_refused(run("thing", "--show"), "type 'resilience-bench releases thing'")
    reported = run("thing", "--show", "-o", "there")
    assert_refused(reported, "type 'resilience-bench releases thing -o there'")
