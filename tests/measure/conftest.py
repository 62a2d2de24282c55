"""Fixtures of the tests of measuring."""

from __future__ import annotations

from pathlib import Path

import pytest

from resilience_bench.measure import counting
from tests.measure.launcher_factories import FILE


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A scenario file with good and bad cases."""
    path = tmp_path / "cases.py"
    path.write_text(FILE)
    return path


@pytest.fixture
def _two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processors, and a valgrind that works."""
    monkeypatch.setattr(counting.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(counting.callgrind, "ensure_working", lambda: None)
