"""``run`` of several signals, and of signals that are not available."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from resilience_bench.files import results
from resilience_bench.measure import callgrind
from resilience_bench.measure.launcher import WorkerFailedError
from resilience_bench.worker.protocol import Message, Plan
from tests.cli.factories import CASES, Run, assert_one_line
from tests.scripted import suite


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
