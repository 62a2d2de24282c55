"""Real workers that count instructions and allocations."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from resilience_bench.measure.callgrind import ValgrindFailedError
from resilience_bench.measure.launcher import ProcessLauncher
from resilience_bench.worker.protocol import (
    CountsMessage,
    Plan,
    SamplesMessage,
    StatusMessage,
    WeightMessage,
)


def test_counting_without_dumps_is_valgrinds_failure(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A valgrind that only runs the program is reported, and not taken for a case's failure."""
    fake = tmp_path / "valgrind"
    fake.write_text('#!/bin/sh\nwhile [ "${1#--}" != "$1" ]; do shift; done\nexec "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    counting = Plan("count", (str(file),), ("cases.good",))
    with pytest.raises(ValgrindFailedError, match="valgrind wrote no counters"):
        ProcessLauncher().run(counting, hash_seed=0)


def test_weighing_tells_a_weight_for_each_case(file: Path) -> None:
    """A worker weighs what can be built, says what is wrong with the rest, and times nothing."""
    weighing = Plan("weigh", (str(file),), ("cases.good", "cases.raising"))
    messages = ProcessLauncher().run(weighing, hash_seed=0)
    [weighed] = [message for message in messages if isinstance(message, WeightMessage)]
    assert (weighed.case, weighed.weight.kept_blocks) == ("cases.good", 0.0)
    reported = {each.case: each.status for each in messages if isinstance(each, StatusMessage)}
    assert reported == {"cases.good": "ready", "cases.raising": "broken"}
    assert not any(isinstance(each, SamplesMessage) for each in messages)


@pytest.mark.needs("valgrind")
def test_counting_tells_counts_for_controls_and_cases(file: Path) -> None:
    """A case that crashes, or cannot be built, costs only itself; every count is positive."""
    names = tuple(f"cases.{name}" for name in ("good", "raising", "exiting", "good_again"))
    messages = ProcessLauncher().run(Plan("count", (str(file),), names), hash_seed=0)
    counted = {
        (message.kind, message.name): message
        for message in messages
        if isinstance(message, CountsMessage)
    }
    assert set(counted) == {
        ("control", "1xreturns"),
        ("operation", "cases.good"),
        ("operation", "cases.good_again"),
    }
    assert all(each.counts.per_call > 0 for each in counted.values())
    reported = {each.case: each for each in messages if isinstance(each, StatusMessage)}
    assert reported["cases.raising"].status == "broken"
    assert reported["cases.exiting"].reason == "its process under valgrind ended with exit code 7"


@pytest.mark.needs("valgrind")
def test_long_reasons_of_several_children_do_not_mix(tmp_path: Path) -> None:
    """Children write to one pipe at the same time; a line that is too long would be torn."""
    text = "from resilience_bench import scenario\n"
    for number in range(24):
        text += f'\n\n@scenario\ndef wrong_{number}(payload):\n    raise OSError("é" * 9_000)\n'
    file = tmp_path / "wrong.py"
    file.write_text(text)
    names = tuple(f"wrong.wrong_{number}" for number in range(24))
    messages = ProcessLauncher().run(Plan("count", (str(file),), names), hash_seed=0)
    reported = [each for each in messages if isinstance(each, StatusMessage)]
    assert sorted(each.case for each in reported) == sorted(names)
    assert {each.reason[:32] for each in reported} == {"building it raised OSError: éééé"}
