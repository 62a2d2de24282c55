"""``baseline update``: learned ranges, and when they are refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from resilience_bench._model import RealPayload
from resilience_bench.gate import baseline
from resilience_bench.gate.criteria import LOADED_SCREEN
from resilience_bench.worker.protocol import (
    Message,
    Plan,
    StatusMessage,
)
from tests.cli.gate.factories import (
    PURGATORY,
    PYBREAKER,
    RETRY,
    Run,
    acceptable,
    assert_refused,
    noisy,
)
from tests.scripted import info, suite


def test_learning_is_refused_when_ranges_get_looser(run: Run, tmp_path: Path) -> None:
    """Without --accept the old file stays to the byte; with it the reason is kept."""
    run("baseline", "learn", "--runs", 3)
    path = acceptable(tmp_path)
    before = path.read_bytes()
    slower = noisy({PURGATORY: 1.3})
    code, out, err = run("baseline", "learn", "--runs", 3, script=slower)
    assert code == 2
    assert f"looser or higher: {PURGATORY} ratio" in out
    assert "1 range would get looser" in err
    assert "--accept" in err
    assert path.read_bytes() == before
    code, _, _ = run("baseline", "learn", "--runs", 3, "--accept", "it does more", script=slower)
    assert code == 0
    stored = baseline.read(path)
    assert stored.ranges[PURGATORY]["ratio"].reason == "it does more"
    assert stored.ranges[PYBREAKER]["ratio"].reason == ""


def test_learning_cheaper_ranges_needs_no_reason(run: Run, tmp_path: Path) -> None:
    """What moves down is shown and written."""
    run("baseline", "learn", "--runs", 3)
    code, out, _ = run("baseline", "learn", "--runs", 3, script=noisy({PURGATORY: 0.5}))
    assert code == 0
    assert f"moves: {PURGATORY} ratio" in out
    assert baseline.read(acceptable(tmp_path)).ranges[PURGATORY]["ratio"].expected < 1.1


def test_learning_some_cases_or_signals_keeps_the_other_ranges(run: Run, tmp_path: Path) -> None:
    """Only what was measured is replaced."""
    run("baseline", "learn", "--runs", 3)
    before = baseline.read(acceptable(tmp_path))
    faster = noisy({PURGATORY: 0.5, PYBREAKER: 0.5})
    run("baseline", "learn", "*[purgatory*", "--signals", "latency", "--runs", 3, script=faster)
    after = baseline.read(acceptable(tmp_path))
    assert after.ranges[PYBREAKER] == before.ranges[PYBREAKER]
    assert after.ranges[PURGATORY]["instructions"] == before.ranges[PURGATORY]["instructions"]
    assert after.ranges[PURGATORY]["ratio"] != before.ranges[PURGATORY]["ratio"]


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("action", ["measure", "count"])
def test_learning_that_is_interrupted_leaves_the_old_file(
    run: Run, tmp_path: Path, action: str, *, exists: bool
) -> None:
    """Ctrl-C in the second run: no half of a baseline, and exit code 130."""
    path = acceptable(tmp_path)
    if exists:
        run("baseline", "learn", "--runs", 3)
    before = path.read_bytes() if exists else None
    seen = iter(range(100))

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        if plan.action == action and next(seen) >= (6 if action == "measure" else 1):
            raise KeyboardInterrupt
        return noisy({PURGATORY: 1.3})(plan, seed)

    code, _, err = run("baseline", "learn", "--runs", 3, script=script)
    assert code == 130
    assert "Traceback" not in err
    assert (path.read_bytes() if path.exists() else None) == before


def test_learning_of_nothing_is_refused(run: Run, tmp_path: Path) -> None:
    """A pattern without a case, and cases that cannot be measured."""
    assert_refused(run("baseline", "learn", "nonsense.*"), "no case matches")
    wrong = [StatusMessage(name, "broken", "odd") for name in (PYBREAKER, PURGATORY, RETRY)]
    code, _, err = run("baseline", "learn", "--runs", 1, script=noisy(wrong=wrong))
    assert code == 2
    assert "nothing was measured" in err
    assert not acceptable(tmp_path).exists()


def test_shares_can_be_learned_without_scalings(run: Run, tmp_path: Path) -> None:
    """Workers are drawn for real calls even if nothing else under a load is asked for."""
    plain = info("closed", "pybreaker")
    declared = replace(
        plain,
        loads=("threads",),
        payloads=("noop", "sqlite"),
        real_payloads=(RealPayload("sqlite"),),
    )
    name = plain.case.with_load("single", "sqlite").name
    code, _, err = run(
        "baseline", "learn", name, "--signals", "share", "--runs", 2, script=suite([declared])
    )
    assert code == 0, err
    [(found, ranges)] = baseline.read(acceptable(tmp_path)).ranges.items()
    assert found == name
    assert ranges["share"].expected == 0
    assert ranges["share"].workers == 2 * LOADED_SCREEN
