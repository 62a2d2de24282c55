"""Whole commands by a real fleet of two hosts on loopback, with real measurements."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from resilience_bench.releases import history_file
from resilience_bench.selftest import proof_file
from tests.commits import planted
from tests.fleet.commands import type_command, write_suite
from tests.releases import published

pytestmark = [pytest.mark.minutes]
HOSTS = ("one", "two")
WHO = "(2 hosts{of}: one, two|1 host{of}: (one|two))"
"""On a busy machine a host may be slow: the other one measures its part again."""
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


def test_a_release_history_by_a_fleet_has_all_releases(tmp_path: Path) -> None:
    """Two comparisons are two parts, of a host each; the release between them is in both."""
    from local_fleet import start_fleet

    published.write_wheels(tmp_path)
    with start_fleet(tmp_path, HOSTS, published.make_environment(tmp_path)) as fleet:
        process = published.start(tmp_path, "--pre", "--fleet", fleet.address)
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    history = history_file.read(tmp_path / "out")
    assert {release.version: release.status for release in history.releases} == {
        "1.0": "measured",
        "1.1": "does not import",
        "1.2": "measured",
        "1.3rc1": "nothing to measure",
    }
    costs = {release.version: release.values[published.NAME] for release in history.measured}
    assert all(cost.quantities for cost in costs.values())
    assert [(step.release, step.case) for step in history.steps] == [("1.2", published.NAME)]
    [note] = [note for note in history.notes if note.startswith("measured by ")]
    assert re.fullmatch(f"measured by {WHO}".format(of=" of a fleet"), note)
    assert "1.2 (not known) against 1.0" in out


def test_a_self_test_by_a_fleet_joins_what_all_hosts_proved(tmp_path: Path) -> None:
    """The builds are divided; each host learns for itself, and draws its share of the builds."""
    from local_fleet import start_fleet

    write_suite(tmp_path, 3)
    builds = ("--gate", "check", "--builds", "2", "--planted-builds", "2", "--drawn", "20")
    plants = ("--plant", "100", "--planted-cases", "1", "--signals", "latency")
    with start_fleet(tmp_path, HOSTS) as fleet:
        where = ("-o", "proof.json", "--fleet", fleet.address)
        done = type_command("prove", "mine.py", *builds, *plants, *where, cwd=tmp_path)
    assert done.returncode in {0, 1}, done.stderr  # noise may make a build red
    proof = proof_file.read_rates(tmp_path / "proof.json")
    assert [build.gate for build in proof.builds] == ["check"] * 4
    assert sorted(build.planted_percent for build in proof.builds) == [0, 0, 100, 100]
    drawn = {
        (rate.planted_percent > 0, rate.trials) for rate in proof.rates if rate.builds == "drawn"
    }
    assert drawn == {(True, 20), (False, 100)}  # of healthy ones five times as many
    assert proof.cases == 4  # one more shows what planting costs
    assert re.search("proof: proof.json, by " + WHO.format(of=""), done.stdout)
    assert not list(tmp_path.glob("*.jsonl"))
