"""A library that turns the GIL on is not measured as if there were none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import pytest

from resilience_bench.worker.gil import is_gil_enabled
from resilience_bench.worker.protocol import EndMessage, Plan
from tests.worker.test_throughput_worker import said, statuses

FILE = """
import sys
from resilience_bench import scenario

@scenario(payload_calls=0)
def modest():
    return lambda: None

@scenario(payload_calls=0)
def greedy():
    sys._is_gil_enabled = lambda: True  # as an extension does that needs the lock
    return lambda: None

@scenario(payload_calls=0)
def later():
    return lambda: None
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A scenario file with one case that turns the GIL on when it is built."""
    path = tmp_path / "cases.py"
    path.write_text(FILE)
    return path


@pytest.fixture(autouse=True)
def _without_gil(monkeypatch: pytest.MonkeyPatch) -> None:
    """A free-threaded Python, as far as anybody can ask."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)


@pytest.mark.parametrize("action", ["inspect", "measure"])
def test_what_turns_the_gil_on_is_not_available(
    file: Path, action: Literal["inspect", "measure"]
) -> None:
    """Its status says why and what to type; the others are reported as they are, with the lock."""
    names = tuple(f"cases.{name}" for name in ("modest", "greedy", "later"))
    messages = said(Plan(action, (str(file),), names, samples=2))
    found = statuses(messages)
    assert found["modest"] == found["later"] == ("ready", "")
    status, reason = found["greedy"]
    assert status == "not available"
    assert "turned on the GIL" in reason
    assert "PYTHON_GIL=0" in reason
    assert "\n" not in reason
    [end] = [message for message in messages if isinstance(message, EndMessage)]
    assert end.gil_enabled


def test_a_build_that_has_the_gil_anyway_is_measured(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was on before is nobody's doing."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: True)
    assert is_gil_enabled()
    messages = said(Plan("inspect", (str(file),), ("cases.greedy",)))
    assert statuses(messages) == {"greedy": ("ready", "")}
