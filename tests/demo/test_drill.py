"""The drill on a real Redis, PostgreSQL and Prometheus: the outages, the alerts, the counts."""

from __future__ import annotations

from demo.drill.__main__ import drill
from demo.drill.checks import find_defects, read_counts
from demo.drill.phases import PHASES
from demo.drill.table import format_drill
from tests.conftest import require
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
