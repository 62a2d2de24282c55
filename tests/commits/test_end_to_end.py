"""asv over real commits of a real package, interrupted, gone on with and published."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from resilience_bench.commits.publish import Publication, publish
from tests.commits import planted

pytestmark = [pytest.mark.minutes, pytest.mark.needs("valgrind", "git")]
SLOWER_FROM = 2
COMMITS = 4
LIMIT_S = 3600.0
"""No busy machine takes so long; a command that hangs does."""


@dataclass(frozen=True, slots=True)
class Story:
    """What the commands said, and what they left."""

    folder: Path
    home: Path
    hashes: list[str]
    interrupted: str
    interrupted_code: int
    kept: dict[str, bytes]
    resumed: str
    resumed_code: int
    published: Publication


def results(folder: Path) -> dict[str, bytes]:
    """The results files by the first digits of their commits."""
    return {path.name[:8]: path.read_bytes() for path in folder.glob("results/*/*-*.json")}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Some commits that build and one that does not: measured, with Ctrl-C at the third one."""
    top = tmp_path_factory.mktemp("history")
    folder, home = top / "project", top / "home"
    home.mkdir()
    hashes = planted.make(folder, COMMITS, SLOWER_FROM)
    first = planted.history(folder, home)
    said = []
    assert first.stdout is not None
    for line in first.stdout:
        said.append(line)
        if line.startswith(f"[3/{COMMITS + 1}]"):
            first.send_signal(signal.SIGINT)
            break
    said += first.communicate(timeout=LIMIT_S)[0]
    kept = results(folder)
    assert kept, "".join(said)
    second = planted.history(folder, home)
    resumed = second.communicate(timeout=LIMIT_S)[0]
    published = publish(folder / "asv.conf.json", top / "site")
    return Story(
        folder,
        home,
        hashes,
        "".join(said),
        first.returncode,
        kept,
        resumed,
        second.returncode,
        published,
    )


def test_an_interruption_keeps_what_was_measured(story: Story) -> None:
    """Ctrl-C ends with exit code 130, and the commits before it have their results."""
    assert story.interrupted_code == 130, story.interrupted
    assert "interrupted; type the command again" in story.interrupted
    assert set(story.kept) == {hashe[:8] for hashe in story.hashes[-2:]}


def test_nothing_is_measured_twice(story: Story) -> None:
    """Typed again, the command goes on with the other commits, and leaves the first results be."""
    assert story.resumed_code == 0, story.resumed
    assert f"{COMMITS + 1} commits, 2 of them measured before" in story.resumed
    after = results(story.folder)
    assert {name: after[name] for name in story.kept} == story.kept
    assert set(after) == {hashe[:8] for hashe in story.hashes}


def test_a_commit_that_does_not_build_is_marked(story: Story) -> None:
    """The next commit is measured all the same, and the pages know which one it is."""
    assert f"{story.hashes[-1][:8]}: does not build" in story.interrupted
    assert f"{story.hashes[-2][:8]}: measured" in story.interrupted
    assert story.published.unbuilt == (story.hashes[-1],)


def test_the_planted_commit_is_the_one_regression(story: Story) -> None:
    """Asv's list names exactly the commit that was slowed down, for exactly the case concerned."""
    site = story.folder.parent / "site"
    found = json.loads((site / "regressions.json").read_text())["regressions"]
    index = json.loads((site / "index.json").read_text())
    named = [
        (entry[0], [index["revision_to_hash"][str(jump[1])] for jump in entry[-1]])
        for entry in found
    ]
    planted_commit = story.hashes[SLOWER_FROM]
    name = "history.Family.track_instructions('slowed', 'guarded', 'single')"
    assert named == [(name, [planted_commit])]
    assert planted_commit[:8] in (site / "regressions.xml").read_text()
    assert story.published.commits == COMMITS + 1
    assert story.published.skipped == ()


def test_asv_compares_the_same_results(story: Story) -> None:
    """``asv compare`` shows what the planted commit did."""
    before, after = story.hashes[SLOWER_FROM - 1 : SLOWER_FROM + 1]
    machine = next(story.folder.glob("results/*/machine.json")).parent.name
    compared = asv(story, "compare", before, after, "--machine", machine, "--factor", "1.01")
    assert compared.returncode == 0, compared.stdout
    lines = [line for line in compared.stdout.splitlines() if "track_instructions" in line]
    assert [("slowed" in line, "+" in line.split("|")[1]) for line in lines] == [
        (True, True),
        (False, False),
    ]


def asv(story: Story, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of asv in the project."""
    return subprocess.run(
        [sys.executable, "-m", "asv", *arguments],
        cwd=story.folder,
        env=planted.environment(story.home),
        capture_output=True,
        text=True,
        check=False,
    )
