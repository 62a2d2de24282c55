"""An empty journal, and what real fleets on loopback need."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from resilience_bench.fleet.journal import Journal, open_journal

LIBRARY = Path(__file__).resolve().parents[2] / "scripts" / "lib"


@pytest.fixture(autouse=True)
def _scripts_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The tests start the same processes as scripts/fleet-trial."""
    monkeypatch.syspath_prepend(str(LIBRARY))
    yield
    for name in ("local_fleet", "fleet_replay"):
        sys.modules.pop(name, None)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """An empty journal."""
    return open_journal(tmp_path / "fleet.jsonl", "kind")
