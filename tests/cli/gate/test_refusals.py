"""Damaged, foreign and missing files, as ``check`` refuses them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from resilience_bench.environments.fingerprint import detect_environment
from resilience_bench.gate import baseline
from resilience_bench.worker.protocol import (
    Message,
    Plan,
)
from tests.cli.gate.factories import ONE, Files, Run, assert_refused, learned
from tests.factories import (
    make_environment,
)


def test_without_a_baseline_nothing_is_measured(run: Run) -> None:
    """Which file was expected, and what to type."""

    def script(plan: Plan, seed: int) -> list[Message]:
        pytest.fail("a worker was started")

    name = f"{baseline.make_environment_name(detect_environment())}.json"
    assert_refused(run("check", script=script), name, "type 'resilience-bench baseline learn'")
    assert_refused(run("check", "--baseline", "none.json", script=script), "none.json")


def cut_short(text: str) -> str:
    """Half a file."""
    return text[: len(text) // 2]


def not_finite(text: str) -> str:
    """A number that is none."""
    return text.replace('"spread": 0.0', '"spread": NaN', 1)


def inverted(text: str) -> str:
    """A range whose upper end lies below its lower one."""
    stored = json.loads(text)
    each = stored["ranges"][ONE.name]["ratio"]
    each["low"], each["high"] = each["high"], each["low"]
    return json.dumps(stored)


def of_the_future(text: str) -> str:
    """A file of a version that nobody has written yet."""
    return text.replace('"schema": 1', '"schema": 99', 1)


@pytest.mark.parametrize("damage", [cut_short, not_finite, inverted, of_the_future, lambda _: ""])
def test_a_damaged_baseline_is_refused(
    run: Run, files: Files, tmp_path: Path, damage: Callable[[str], str]
) -> None:
    """One line names the file, and the file stays as it is."""
    options = files()
    path = tmp_path / "acceptable.json"
    before = path.read_text()
    path.write_text(damage(before))
    assert path.read_text() != before
    assert_refused(run("check", *options), "acceptable.json")
    assert path.read_text() == damage(before)


@pytest.mark.parametrize("content", ["", "{", '{"schema": 99}', "not json"])
def test_a_damaged_result_is_refused(run: Run, files: Files, tmp_path: Path, content: str) -> None:
    """One line names the file."""
    options = files()
    (tmp_path / "result.json").write_text(content)
    assert_refused(run("check", *options), "result.json")


@pytest.mark.parametrize(
    ("differs", "said", "left"),
    [
        ({"cpu_model": "Other"}, "cpu_model: baseline 'Other'", "instructions,allocations"),
        ({"python_build": "other"}, "python_build: baseline 'other'", "latency,allocations"),
    ],
)
def test_a_foreign_baseline_is_refused_unless_what_compares_is_asked_for(
    run: Run, files: Files, differs: dict[str, str], said: str, left: str
) -> None:
    """What differs, and which signals compare all the same; typing those helps."""
    foreign = replace(learned(), environment=make_environment(**differs))
    options = files(None, foreign)
    assert_refused(run("check", *options), said, f"type --signals {left}")
    code, out, _ = run("check", *options, "--signals", left)
    assert code == 0
    assert "not judged, because not among --signals: " in out


def test_a_baseline_of_another_python_has_nothing_to_compare(run: Run, files: Files) -> None:
    """Every signal depends on it, so learning is what is left."""
    foreign = replace(learned(), environment=make_environment(python="CPython 3.99.1"))
    reported = run("check", *files(None, foreign))
    assert_refused(reported, "python: baseline 'CPython 3.99", "baseline learn")
