"""What is asked of asv, and in which steps; asv itself is made up here."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from resilience_bench.commits.asv_files import read
from resilience_bench.commits.backfill import (
    CANNOT_BUILD,
    JUST_DISCOVER,
    CommitOutcome,
    ResultsTree,
    find_due,
    group_benchmarks,
    measure_missing,
)
from resilience_bench.commits.git_log import Revision
from resilience_bench.errors import HistoryError

NAMES = ["h.A.track_ratio", "h.A.track_scaling", "h.A.track_instructions", "h.A.time_call"]
REVISIONS = [Revision(letter * 40, f"Commit {letter}") for letter in "abc"]


@dataclass
class MadeUpAsv:
    """Writes results as asv does.

    ``broken`` commits do not build; those that are ``unheard`` make asv fail without a result.
    ``interrupted_at`` is the number of the call that is interrupted.
    """

    folder: Path
    broken: Sequence[str] = ()
    unheard: Sequence[str] = ()
    interrupted_at: int = 0
    calls: list[tuple[Sequence[str], str]] = field(default_factory=list)
    measured: list[tuple[str, str]] = field(default_factory=list)

    def run(self, commits: Sequence[str], benchmarks: str) -> str:
        """Measure what the pattern names."""
        self.calls.append((commits, benchmarks))
        if len(self.calls) == self.interrupted_at:
            raise KeyboardInterrupt
        if set(commits) <= {*self.broken, *self.unheard}:
            is_broken = set(commits) <= set(self.broken)
            return CANNOT_BUILD if is_broken else "conda is not installed"
        listed = {
            name: {"name": name, "params": [], "param_names": [], "version": "1"} for name in NAMES
        }
        self.write("benchmarks.json", {**listed, "version": 2})
        if benchmarks != JUST_DISCOVER:
            [commit] = commits
            names = [name for name in NAMES if re.search(benchmarks, name)]
            self.measured += [(commit[0], name) for name in names]
            self.add(commit, names, 1.0)
        return ""

    def mark_unbuilt(self, commit: str) -> None:
        """Note that everything failed."""
        self.add(commit, NAMES, None)

    def add(self, commit: str, names: Sequence[str], value: float | None) -> None:
        """Write or complete the results file of a commit."""
        path = self.folder / "machine" / f"{commit[:8]}-env.json"
        before = json.loads(path.read_text())["results"] if path.exists() else {}
        rows = {name: [None if value is None else [value], [], "1"] for name in names}
        stored = {
            "commit_hash": commit,
            "env_name": "env",
            "date": 0,
            "params": {"machine": "machine"},
            "python": "3.11",
            "requirements": {},
            "result_columns": ["result", "params", "version"],
            "results": {**before, **rows},
            "version": 2,
        }
        self.write(f"machine/{path.name}", stored)

    def write(self, name: str, content: dict[str, object]) -> None:
        """Write a file of JSON."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))


def tracked(folder: Path, asv: MadeUpAsv, revisions: Sequence[Revision]) -> list[CommitOutcome]:
    """Have everything measured that is due."""
    tree = ResultsTree(folder, "machine")
    return list(measure_missing(tree, asv, find_due(tree, revisions), lambda _revision: None))


def test_a_commit_of_which_there_is_something_is_distinguished_from_one_without(
    tmp_path: Path,
) -> None:
    """An interrupted command says that it will go on with it; a broken file is nothing."""
    asv, tree = MadeUpAsv(tmp_path), ResultsTree(tmp_path, "machine")
    asv.add(REVISIONS[0].revision, ["h.A.track_ratio"], 1.0)
    assert tree.has_some(REVISIONS[0].revision)
    assert not tree.has_some(REVISIONS[1].revision)
    [path] = tmp_path.glob("machine/*.json")
    path.write_text("{")
    assert not tree.has_some(REVISIONS[0].revision)


def test_each_commit_is_measured_in_steps(tmp_path: Path) -> None:
    """A step is what is measured at once; what is no signal of ours comes last."""
    asv = MadeUpAsv(tmp_path)
    outcomes = tracked(tmp_path, asv, REVISIONS)
    assert [(outcome.revision, outcome.state) for outcome in outcomes] == [
        (each, "measured") for each in REVISIONS
    ]
    order = ["track_ratio", "track_instructions", "track_scaling", "time_call"]
    assert asv.measured == [(letter, f"h.A.{name}") for letter in "abc" for name in order]


@pytest.mark.parametrize("call", range(1, 14))
def test_an_interruption_measures_nothing_twice(tmp_path: Path, call: int) -> None:
    """Wherever it comes, the next run goes on there."""
    first = MadeUpAsv(tmp_path, interrupted_at=call)
    with pytest.raises(KeyboardInterrupt):
        tracked(tmp_path, first, REVISIONS)
    second = MadeUpAsv(tmp_path)
    tracked(tmp_path, second, REVISIONS)
    both = first.measured + second.measured
    assert sorted(both) == sorted((letter, name) for letter in "abc" for name in NAMES)


def test_commits_that_do_not_build_are_marked_if_another_one_builds(tmp_path: Path) -> None:
    """A part of a history may have no commit that builds: asv lists its benchmarks with others."""
    broken = [revision.revision for revision in REVISIONS[:2]]
    asv, tree = MadeUpAsv(tmp_path, broken), ResultsTree(tmp_path, "machine")
    due = REVISIONS[:2]
    outcomes = measure_missing(tree, asv, due, lambda _: None, [REVISIONS[2].revision])
    assert [outcome.state for outcome in outcomes] == ["does not build"] * 2
    with pytest.raises(HistoryError, match="asv can build none of the commits"):
        list(measure_missing(tree, asv, due, lambda _: None))


def test_what_was_measured_is_not_due(tmp_path: Path) -> None:
    """A second run has nothing to do."""
    tracked(tmp_path, MadeUpAsv(tmp_path), REVISIONS)
    assert find_due(ResultsTree(tmp_path, "machine"), REVISIONS) == []
    assert find_due(ResultsTree(tmp_path, "other-machine"), REVISIONS) == REVISIONS


def test_another_version_of_a_benchmark_is_due(tmp_path: Path) -> None:
    """Its figure means something else."""
    asv = MadeUpAsv(tmp_path)
    tracked(tmp_path, asv, REVISIONS)
    newer = {"name": NAMES[0], "params": [], "param_names": [], "version": "2"}
    asv.write("benchmarks.json", {NAMES[0]: newer, "version": 2})
    assert find_due(ResultsTree(tmp_path, "machine"), REVISIONS) == REVISIONS


def test_a_commit_that_does_not_build_is_marked_and_the_next_is_measured(tmp_path: Path) -> None:
    """It is not tried again."""
    asv = MadeUpAsv(tmp_path, broken=[REVISIONS[0].revision])
    outcomes = tracked(tmp_path, asv, REVISIONS)
    assert [outcome.state for outcome in outcomes] == ["does not build", "measured", "measured"]
    tries = [call for call in asv.calls if call[0] == [REVISIONS[0].revision]]
    assert len(tries) == 1
    assert find_due(ResultsTree(tmp_path, "machine"), REVISIONS) == []


@pytest.mark.parametrize(
    ("durations", "row", "is_unbuilt"),
    [
        ({"<build>": 3.0}, [None, [], "1"], True),
        ({"<setup_cache history.suite:79>": 3.0}, [None, [], "1"], False),
        ({}, [None, [], "1", 1.0], False),
        ({}, [[None], [], "1"], False),
        ({}, [[1.0], [], "1", 1.0], False),
    ],
)
def test_what_was_started_and_failed_has_been_built(
    tmp_path: Path, durations: dict[str, float], row: list[object], *, is_unbuilt: bool
) -> None:
    """Asv writes nothing but nulls in both cases, but also how long it measured."""
    asv = MadeUpAsv(tmp_path)
    asv.add(REVISIONS[0].revision, NAMES[:1], 1.0)
    path = tmp_path / "machine" / "aaaaaaaa-env.json"
    columns = ["result", "params", "version", "duration"]
    changed = {"result_columns": columns, "results": {NAMES[0]: row}, "durations": durations}
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    assert read(path).is_unbuilt is is_unbuilt


def test_if_nothing_builds_nothing_is_marked(tmp_path: Path) -> None:
    """Then it is not the commits' fault: perhaps no index can be reached."""
    asv = MadeUpAsv(tmp_path, broken=[each.revision for each in REVISIONS])
    with pytest.raises(HistoryError, match=r"build none of the commits.*index that can be reached"):
        tracked(tmp_path, asv, REVISIONS)
    assert not (tmp_path / "machine").exists()


def test_a_commit_that_built_before_vouches_for_the_machine(tmp_path: Path) -> None:
    """The only new commit does not build: that is marked, because an older one still builds."""
    tracked(tmp_path, MadeUpAsv(tmp_path), REVISIONS[1:])
    asv = MadeUpAsv(tmp_path, broken=[REVISIONS[0].revision])
    [outcome] = tracked(tmp_path, asv, REVISIONS)
    assert outcome.state == "does not build"
    assert asv.calls[0][0] == [REVISIONS[0].revision, REVISIONS[1].revision]


def test_another_failure_of_asv_ends_the_command(tmp_path: Path) -> None:
    """With what asv said last, and without marking anything."""
    asv = MadeUpAsv(tmp_path, unheard=[REVISIONS[0].revision])
    with pytest.raises(HistoryError, match=r"aaaaaaaa: asv recorded nothing; .*conda is not inst"):
        tracked(tmp_path, asv, REVISIONS)
    assert not (tmp_path / "machine").exists()


def test_a_file_that_cannot_be_read_is_named_and_left(tmp_path: Path) -> None:
    """Asv would fail on it; the other commits are measured."""
    damaged = tmp_path / "machine" / f"{REVISIONS[0].revision[:8]}-env.json"
    damaged.parent.mkdir()
    damaged.write_text("{")
    first, *others = tracked(tmp_path, MadeUpAsv(tmp_path), REVISIONS)
    assert first.state == "unreadable"
    assert f"{damaged} is no JSON" in first.reason
    assert "move it away to measure again" in first.reason
    assert damaged.read_text() == "{"
    assert [each.state for each in others] == ["measured", "measured"]


def test_steps_without_benchmarks_are_left_out() -> None:
    """A project of its own may have none of our signals."""
    assert group_benchmarks(["a.time_x"]) == [["a.time_x"]]
