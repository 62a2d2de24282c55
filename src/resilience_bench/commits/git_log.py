"""Lists commits to measure, and those that asv publishes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from resilience_bench.environments.git import run_git, try_git
from resilience_bench.errors import HistoryError

HEAD: Final = "HEAD"
"""The default range: all commits up to the one that is checked out."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit, and the first line of its message."""

    revision: str
    subject: str


def list_commits(repo: Path, text: str | None = None) -> list[Revision]:
    """Return the commits of a range, along the first parents, newest first.

    ``text`` is what 'git rev-list' takes; all up to HEAD if it is None. GitError if there is no
    repository, HistoryError if there is no commit or no such range.
    """
    run_git(repo, "rev-parse", "--git-dir")
    if not try_git(repo, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"):
        raise HistoryError(
            f"{repo}: the repository has no commits, expected one to measure; type 'git commit'"
        )
    try:
        wanted = shlex.split(text or HEAD)
    except ValueError as error:
        raise HistoryError(
            f"{text!r} is no range: {error}; expected e.g. 'HEAD~3..HEAD'"
        ) from error
    log = try_git(repo, "log", "--first-parent", "--format=%H %s", *wanted, "--")
    if log is None:
        raise HistoryError(
            f"{text!r} is no range of commits in {repo}; expected e.g. 'HEAD~3..HEAD' or "
            "'HEAD^!'; type 'git log --oneline' to see the commits"
        )
    if not log.strip():
        raise HistoryError(f"{text!r} holds no commit{_explain_empty_range(repo, wanted)}")
    return [Revision(*line.split(" ", 1)) for line in log.splitlines()]


def _explain_empty_range(repo: Path, wanted: Sequence[str]) -> str:
    older, dots, newer = wanted[0].partition("..") if len(wanted) == 1 else ("", "", "")
    if dots and try_git(repo, "rev-list", f"{newer or HEAD}..{older or HEAD}"):
        return f"; it is reversed: type '{newer or HEAD}..{older or HEAD}'"
    return "; expected OLDER..NEWER, e.g. 'HEAD~3..HEAD'"


def select_with_project(repo: Path, subdir: str, found: Sequence[Revision]) -> list[Revision]:
    """Return those of the commits that contain the project which asv builds."""
    folders = "".join(f"{commit.revision}:{subdir}\n" for commit in found)
    lines = run_git(repo, "cat-file", "--batch-check", text=folders).splitlines()
    pairs = zip(found, lines, strict=True)
    return [commit for commit, line in pairs if not line.endswith(" missing")]


def list_published_commits(repo: Path, branches: Sequence[str | None]) -> frozenset[str] | None:
    """Return the commits that asv publishes: those along the branches, and those with a tag.

    None where asv guesses the name of a branch.
    """
    if None in branches:
        return None
    tagged = try_git(repo, "rev-list", "--no-walk", "--tags")
    on_branches = [try_git(repo, "rev-list", "--first-parent", str(name)) for name in branches]
    return frozenset("\n".join(filter(None, [tagged, *on_branches])).split())
