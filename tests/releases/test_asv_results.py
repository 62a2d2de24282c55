"""A release history as asv sees it: read by asv itself, and published by it."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from resilience_bench.errors import UserError
from resilience_bench.releases import asv_results, history_file, publish
from resilience_bench.releases.history_file import FILE_NAME, Release
from tests.releases.factories import CASE, make_history, make_release

FIRST_TRY = "retry.first_try"


def files(folder: Path) -> list[Path]:
    """The files of the releases in a tree."""
    return [path for path in folder.glob("*/*.json") if path.name != "machine.json"]


def entries(folder: Path) -> dict[str, dict[str, object]]:
    """What stands in them, by version."""
    found = [json.loads(each.read_text()) for each in files(folder)]
    return {each["env_name"].rpartition("-")[2]: each for each in found}


def test_asv_reads_what_is_written(tmp_path: Path) -> None:
    """By its own classes: the benchmarks, the machine, and a dated result a release."""
    from asv.results import Results

    history = make_history()
    asv_results.write(history, tmp_path)
    found = [Results.load(str(path)) for path in files(tmp_path)]
    assert len(found) == len(history.measured)
    by_date = sorted(found, key=lambda each: each.date)
    name = f"{FIRST_TRY}.time_call"
    values = [each.get_result_value(name, [["'tenacity'"]])[0] for each in by_date]
    assert values == pytest.approx([1e-6] * 5 + [1.5e-6] * 5)
    date = dt.datetime.fromtimestamp(by_date[0].date / 1000, dt.UTC)
    assert date.isoformat() == history.measured[0].date
    benchmarks = json.loads((tmp_path / "benchmarks.json").read_text())
    assert benchmarks[name]["unit"] == "seconds"
    assert benchmarks[f"{FIRST_TRY}.track_instructions"]["params"] == [["'tenacity'"]]


def test_what_is_better_if_it_is_more_is_shown_the_other_way_round() -> None:
    """A rise is a regression to asv: half of the rate is 2, and nothing is no number."""
    shown = asv_results.ASV_QUANTITIES["scaling"]
    assert (shown.value(0.5), shown.value(1.0), shown.value(0.0)) == (2.0, 1.0, None)
    assert asv_results.ASV_QUANTITIES["latency_ns"].value(2.0) == 2e-9


def test_the_same_history_makes_the_same_commits(tmp_path: Path) -> None:
    """So that a tree that was committed belongs to a repository that is made later."""
    history = make_history()
    first = asv_results.make_repository(history, tmp_path / "one")
    second = asv_results.make_repository(history, tmp_path / "two")
    assert first == second
    assert set(first) == {each.version for each in history.measured}
    reported = subprocess.run(
        ["git", "-C", tmp_path / "one", "log", "--format=%cI %s", asv_results.BRANCH],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert reported[0] == "2024-10-03T10:00:00+00:00 tenacity 1.9.0"
    assert len(reported) == len(history.measured)


def test_an_unknown_date_is_marked_and_keeps_the_order(tmp_path: Path) -> None:
    """An entry of asv has a date: such a release stands a day after the one before."""
    unknown = make_release("1.0.1")
    history = make_history(
        releases=(make_release("1.0.0", "2024-01-01T00:00:00+00:00"), unknown, make_release("1.1"))
    )
    dates = [moment for _, moment in asv_results.date_releases(history)]
    assert dates[1] - dates[0] == dates[2] - dates[1] == asv_results.DAY_S
    asv_results.make_repository(history, tmp_path / "one")
    command = ["git", "-C", tmp_path / "one", "log", "-1", "--format=%b", "v1.0.1"]
    reported = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert reported.strip() == "The index does not tell when it came out."


def test_a_tree_holds_no_release_that_the_history_does_not(tmp_path: Path) -> None:
    """Files of an earlier history go, and what a release cannot do is no number there."""
    asv_results.write(make_history(), tmp_path)
    values = {CASE: make_release("2.0").values[CASE]}
    lacking = replace(make_release("2.0", "2025-01-01T00:00:00+00:00"), values=values)
    asv_results.write(make_history(releases=(make_release("1.0.0"), lacking)), tmp_path)
    found = entries(tmp_path)
    assert set(found) == {"1.0.0", "2.0"}
    assert f"{FIRST_TRY}.time_call" in found["2.0"]["results"]  # type: ignore[operator]
    assert "composed.guarded.time_call" not in found["2.0"]["results"]  # type: ignore[operator]


def test_a_history_is_published_with_its_step(tmp_path: Path) -> None:
    """The detection of asv lists the release that moved it, and every release is a tag."""
    history = make_history()
    folder, html = tmp_path / "tenacity", tmp_path / "html"
    asv_results.write(history, folder / asv_results.TREE)
    history_file.write(history, folder / FILE_NAME)
    publish.publish(folder, html)
    index = json.loads((html / "index.json").read_text())
    assert index["project"] == "tenacity"
    assert set(index["tags"]) == {f"v{each.version}" for each in history.measured}
    regressions = json.loads((html / "regressions.json").read_text())["regressions"]
    steps = {regression[0]: regression[-1] for regression in regressions}
    assert steps[f"{FIRST_TRY}.track_instructions('tenacity')"] == [[None, 5, 10_000.0, 15_000.0]]


def test_a_results_file_that_cannot_be_read_is_skipped(tmp_path: Path) -> None:
    """It is named with the reason and stays; the other releases are published."""
    folder, html = tmp_path / "tenacity", tmp_path / "html"
    asv_results.write(make_history(), folder / asv_results.TREE)
    history_file.write(make_history(), folder / FILE_NAME)
    broken = min((folder / asv_results.TREE).glob("*/*-tenacity-*.json"))
    broken.write_text(broken.read_text()[:100])
    [(path, why)] = publish.publish(folder, html).skipped
    assert path == broken
    assert "is no JSON, or was cut short" in why
    assert "mend it, or move it away" in why
    assert len(broken.read_text()) == 100
    assert (html / "index.json").exists()


def test_what_cannot_be_published_is_refused(tmp_path: Path) -> None:
    """A history without a measured release, or without asv's results: one line."""
    nothing = (Release("1.0", "", "does not install", "no wheel"),)
    history_file.write(make_history(releases=nothing), tmp_path / FILE_NAME)
    with pytest.raises(UserError, match="no release was measured"):
        publish.publish(tmp_path, tmp_path / "html")
    history_file.write(make_history(), tmp_path / FILE_NAME)
    with pytest.raises(
        UserError, match=r"found no results of asv's.*type 'resilience-bench releases tenacity -o"
    ):
        publish.publish(tmp_path, tmp_path / "html")


def test_without_git_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, not a traceback."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="git is not installed"):
        asv_results.write(make_history(), tmp_path / "asv")
