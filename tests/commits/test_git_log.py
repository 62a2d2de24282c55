"""Which commits a range means."""

from __future__ import annotations

from pathlib import Path

import pytest

from resilience_bench.commits.git_log import (
    list_commits,
    list_published_commits,
    select_with_project,
)
from resilience_bench.errors import GitError, HistoryError
from tests.commits.planted import git, write

pytestmark = pytest.mark.needs("git")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """Three commits, the last two of which hold a folder ``stack``."""
    git(tmp_path, "init", "--quiet", "--initial-branch=trunk")
    for number in range(3):
        write(tmp_path, "stack/file" if number else "file", str(number))
        git(tmp_path, "add", "--all")
        git(tmp_path, "commit", "--quiet", "--message", f"Commit {number}")
    return tmp_path


def subjects(repo: Path, text: str | None = None) -> list[str]:
    """What the commits of a range are called."""
    return [each.subject for each in list_commits(repo, text)]


def test_without_a_range_all_commits_are_meant_newest_first(repo: Path) -> None:
    """Up to the one that is checked out."""
    assert subjects(repo) == ["Commit 2", "Commit 1", "Commit 0"]


def test_a_range_is_gits(repo: Path) -> None:
    """Two dots, one commit, a number."""
    assert subjects(repo, "HEAD~2..HEAD") == ["Commit 2", "Commit 1"]
    assert subjects(repo, "HEAD~1^!") == ["Commit 1"]
    assert subjects(repo, "-1 HEAD") == ["Commit 2"]


def test_commits_without_the_project_are_left_out(repo: Path) -> None:
    """There is nothing to build in them."""
    found = select_with_project(repo, "stack", list_commits(repo))
    assert [each.subject for each in found] == ["Commit 2", "Commit 1"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nowhere", "'nowhere' is no range of commits in .*git log --oneline"),
        ("HEAD..HEAD", "'HEAD..HEAD' holds no commit; expected OLDER..NEWER"),
        ("HEAD..HEAD~2", r"it is reversed: type 'HEAD~2\.\.HEAD'"),
        ("'", "is no range: No closing quotation; expected e.g. 'HEAD~3..HEAD'"),
    ],
)
def test_what_is_no_range_is_said_with_what_to_type(repo: Path, text: str, reason: str) -> None:
    """One line each."""
    with pytest.raises(HistoryError, match=reason) as caught:
        list_commits(repo, text)
    assert "\n" not in str(caught.value)


def test_a_repository_without_commits_is_said_so(tmp_path: Path) -> None:
    """With what to type."""
    git(tmp_path, "init", "--quiet")
    with pytest.raises(HistoryError, match=r"has no commits, .*type 'git commit'"):
        list_commits(tmp_path)


def test_a_folder_without_repository_is_said_so(tmp_path: Path) -> None:
    """And so is one that is not there."""
    with pytest.raises(GitError, match="expected a git repository"):
        list_commits(tmp_path)
    with pytest.raises(GitError, match="expected a git repository"):
        list_commits(tmp_path / "gone")


def test_tags_and_branches_are_published(repo: Path) -> None:
    """Asv shows what is along a branch, and what has a tag."""
    newest, _, oldest = (each.revision for each in list_commits(repo))
    git(repo, "checkout", "--quiet", "--detach", oldest)
    git(repo, "tag", "v1", newest)
    assert list_published_commits(repo, ["HEAD"]) == {oldest, newest}
    assert list_published_commits(repo, [None]) is None
