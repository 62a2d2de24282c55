"""How each command divides its work, and puts the parts together."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from resilience_bench.commits import fleet as commits_fleet
from resilience_bench.commits.backfill import ResultsTree
from resilience_bench.commits.git_log import Revision
from resilience_bench.errors import HistoryError
from resilience_bench.fleet import desk
from resilience_bench.fleet.block import Reply
from resilience_bench.fleet.cases import name_sources, pack_cases, unpack_cases
from resilience_bench.fleet.job import Job, split
from resilience_bench.fleet.journal import open_journal
from resilience_bench.releases import fleet as releases_fleet
from resilience_bench.releases.index import PublishedRelease
from resilience_bench.selftest.builds import estimate_rate
from resilience_bench.selftest.fleet import join_rates
from tests.scripted import info


def make_job(path: Path, hosts: int) -> Job:
    """A job that hands out nothing."""
    return Job(lambda *_: [], lambda _: "", open_journal(path, "kind"), hosts)


@pytest.mark.parametrize("count", [1, 2, 3, 9, 11, 40, 200])
@pytest.mark.parametrize("hosts", [1, 2, 4, 7])
def test_parts_of_a_history_have_every_pair_once(tmp_path: Path, count: int, hosts: int) -> None:
    """Each release meets the one before in one part, and the shares add up to one."""
    usable = [PublishedRelease(str(number)) for number in range(count)]
    job = make_job(tmp_path / "fleet.jsonl", hosts)
    parts = releases_fleet.divide(usable, job.count_parts)
    pairs = [
        (before.version, after.version)
        for part in parts
        for before, after in zip(part.releases, part.releases[1:], strict=False)
    ]
    assert pairs == [(str(number), str(number + 1)) for number in range(count - 1)]
    assert sum(part.pairs for part in parts) == max(1, count - 1)
    assert any(part.has_null for part in parts)


@pytest.mark.parametrize("count", [2, 7, 10, 11, 28, 70])
def test_parts_of_a_history_are_alike_and_newer_ones_are_shorter(
    tmp_path: Path, count: int
) -> None:
    """Newer releases can do more cases, so they are not in the parts that have a pair more."""
    usable = [PublishedRelease(str(number)) for number in range(count)]
    parts = releases_fleet.divide(usable, make_job(tmp_path / "fleet.jsonl", 4).count_parts)
    pairs = [part.pairs for part in parts]
    assert pairs == sorted(pairs, reverse=True)
    assert max(pairs) - min(pairs) <= 1


def test_another_number_of_hosts_does_not_change_the_parts(tmp_path: Path) -> None:
    """An interrupted command goes on with the blocks that it began with."""
    first = make_job(tmp_path / "fleet.jsonl", 4).count_parts(100, 8)
    assert make_job(tmp_path / "fleet.jsonl", 2).count_parts(100, 8) == first == 12


@pytest.mark.parametrize("parts", [1, 3, 10, 50])
def test_splitting_keeps_all_items_and_their_order(parts: int) -> None:
    """Runs are not empty, not more than asked for, and make up the whole."""
    runs = split(list(range(20)), parts, lambda number: 1.0 + number % 3)
    assert [item for run in runs for item in run] == list(range(20))
    assert all(runs)
    assert len(runs) <= parts


def test_cases_arrive_as_they_were_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths below the folder are those of the host's own folder; the rest is the same."""
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    here = info("call", path=str(tmp_path / "suite" / "mine.py"))
    packed = json.loads(json.dumps(pack_cases([here])))
    assert name_sources([here]) == ("suite",)
    assert unpack_cases(packed) == [here]
    monkeypatch.chdir(tmp_path / "there")
    assert unpack_cases(packed)[0].path == str(tmp_path / "there" / "suite" / "mine.py")


def test_rates_of_all_hosts_are_counted_together() -> None:
    """Hits and trials add up, by kind of build."""
    step, other = ("check", 5.0, "work"), ("compare", 5.0, "work")
    parts = [
        estimate_rate(step, "latency", "drawn", [True, False]),
        estimate_rate(other, "latency", "drawn", [True]),
        estimate_rate(step, "latency", "drawn", [True, True]),
    ]
    joined = join_rates(parts)
    assert [(one.gate, one.hits, one.trials) for one in joined] == [
        ("check", 3, 4),
        ("compare", 1, 1),
    ]


def test_commits_of_an_interrupted_command_are_divided_as_they_were(tmp_path: Path) -> None:
    """Parts that are done are left out, and new commits come in parts of their own."""
    commits = [Revision(f"{number:040}", "") for number in range(8)]
    job = make_job(tmp_path / "fleet.jsonl", 2)
    parts = commits_fleet.divide(job, commits)
    assert len(parts) == 8
    fresh = Revision("f" * 40, "")
    again = commits_fleet.divide(make_job(tmp_path / "fleet.jsonl", 3), [fresh, *commits[3:]])
    assert again == [*parts[3:], [fresh]]


def git(folder: Path, *arguments: str) -> str:
    """What git prints."""
    own = ("-c", "user.name=a", "-c", "user.email=a@b")
    return subprocess.run(
        ["git", *own, *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_host_measures_in_a_clone_at_the_commit_of_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clone follows the checkout, also to a commit without a branch; others are refused."""
    monkeypatch.setenv("RESILIENCE_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(desk.HOST_VARIABLE, "one")
    repo = tmp_path / "repo"
    repo.mkdir()
    git(repo, "init", "--quiet")
    monkeypatch.chdir(repo)
    for text in ("first", "second"):
        (repo / "file").write_text(text)
        git(repo, "add", "file")
        git(repo, "commit", "--quiet", "-m", text)
        git(repo, "checkout", "--quiet", "--detach")
        head = git(repo, "rev-parse", "HEAD")
        clone = commits_fleet.prepare_clone(commits_fleet.Place("asv.conf.json", head, "quick"))
        assert (clone / "file").read_text() == text
    with pytest.raises(HistoryError, match=r"has no commit 00000000; .* type 'git fetch' there"):
        commits_fleet.prepare_clone(commits_fleet.Place("asv.conf.json", "0" * 40, "quick"))


def test_files_of_asv_come_back_from_a_host(tmp_path: Path) -> None:
    """The files of the measured commits are written to the client's results, and no others."""
    there = tmp_path / "there" / "machine"
    there.mkdir(parents=True)
    (tmp_path / "there" / "benchmarks.json").write_text("{}")
    for name in ("machine.json", "aaaaaaaa-env.json", "bbbbbbbb-env.json"):
        (there / name).write_text(name)
    tree = ResultsTree(tmp_path / "there", "machine")
    files = commits_fleet.read_files(tree, [Revision("a" * 40, "")])
    commits_fleet.write_files(Reply("key", "one", value={"files": files}), tmp_path / "here")
    found = {str(path.relative_to(tmp_path / "here")) for path in (tmp_path / "here").rglob("*.*")}
    assert found == {"benchmarks.json", "machine/machine.json", "machine/aaaaaaaa-env.json"}
