"""Whole commands by a real fleet of two hosts on loopback, with real measurements."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commits import planted

pytestmark = [pytest.mark.minutes]
HOSTS = ("one", "two")
SLOWER_FROM = 1
COMMITS = 2


@pytest.mark.needs("valgrind", "git")
def test_a_history_by_a_fleet_is_that_of_all_commits(tmp_path: Path) -> None:
    """Two hosts measure commits with asv; its files come back, and nothing is left to do."""
    from local_fleet import LocalFleet

    home, folder = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    hashes = planted.make(folder, COMMITS, SLOWER_FROM)
    planted.git(folder, "commit", "--quiet", "--all", "--message", "Mend the build")
    hashes.append(planted.git(folder, "rev-parse", "HEAD"))
    fleet = LocalFleet(tmp_path, planted.environment(home))
    try:
        fleet.start_scheduler()
        for host in HOSTS:
            fleet.start_worker(host, folder)
        fleet.wait_for_workers(*HOSTS)
        arguments = ("--fleet", fleet.address)
        said = planted.history(folder, home, *arguments).communicate()[0]
        again = planted.history(folder, home, *arguments).communicate()[0]
    finally:
        fleet.end()
    assert "3 measured" in said, said
    assert "1 does not build" in said, said
    assert "host one" in said
    assert "host two" in said
    files = {path.name[:8]: path for path in folder.glob("results/*/*-*.json")}
    assert set(files) == {revision[:8] for revision in hashes}
    figures = [json.loads(files[revision[:8]].read_text())["results"] for revision in hashes]
    counts = [found["history.Family.track_instructions"][0] for found in figures[:COMMITS]]
    assert all(counts), counts
    assert f"{COMMITS + 2} commits, {COMMITS + 2} of them measured before" in again
    assert not (folder / "results" / "fleet.jsonl").exists()
