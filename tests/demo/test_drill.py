"""The drill on a real Redis, PostgreSQL and Prometheus: the outages, the alerts, the counts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from demo.drill.__main__ import drill
from demo.drill.checks import find_defects, read_counts
from demo.drill.course import list_runs
from demo.drill.phases import PHASES
from demo.drill.table import format_drill
from tests.conftest import ROOT, require
from tests.servers.leftovers import Place, need


def test_every_alert_fires_and_resolves_and_every_call_is_counted(place: Place) -> None:
    """Each alert of an outage fires in it and ends, no other does, and no call or ID is lost."""
    for name in ("redis", "postgres"):
        need(name)
    require("prometheus")
    evidence = drill(workers=2, rate=20, speed=60)
    table = format_drill(evidence)
    assert find_defects(evidence) == [], table
    assert [times.phase for times in evidence.phases] == list(PHASES)
    counts = read_counts(evidence.outcomes, evidence.counted)
    assert {count.what for count in counts if count.by_load} >= {
        "database: live",
        "database: stale",
        "database: failed, without a fallback",
        "prices: live",
        "cache: hit",
        "cache: failed writes",
    }
    assert len({outcome.worker for outcome in evidence.outcomes}) == 2
    assert (place.list_processes(), place.list_folders()) == ([], [])


@pytest.mark.needs("prometheus", "redis-server")
def test_what_cannot_be_started_is_named_in_one_line(place: Place, tmp_path: Path) -> None:
    """Exit code 2, and nothing was started."""
    need("postgres")
    command = [sys.executable, "-m", "demo.drill", "--rules", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        f"drill: there is no rule file below {tmp_path}; name another: --rules FOLDER\n"
    )
    assert (place.list_processes(), place.list_folders()) == ([], [])


def test_an_alert_that_was_away_fires_twice() -> None:
    """A gap between evaluations ends a run; a late evaluation does not."""
    assert list_runs([1.0, 1.25, 2.5, 10.0, 10.25]) == [(1.0, 2.5), (10.0, 10.25)]
    assert list_runs([]) == []
