"""asv's data on the site: of this project's commits, and of the releases of libraries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from resilience_bench.environments.git import try_git
from resilience_bench.errors import HistoryError
from resilience_bench.site import tachyon
from resilience_bench.site.runs import SkippedFile
from resilience_bench.site.tachyon import INSTALL_HINT, read_index

PACKAGE: Final = "resilience_bench"


@dataclass(frozen=True, slots=True)
class CommitHistory:
    """The published history of this project's commits.

    ``unbuilt`` maps the hash of each commit that does not build to the first line of its message.
    """

    benchmarks: int
    commits: int
    regressions: int
    unbuilt: Mapping[str, str]
    skipped: tuple[SkippedFile, ...]


def publish_commits(conf_file: Path, folder: Path) -> CommitHistory:
    """Publish what asv measured of this project's commits, in a page that needs no network.

    Raises `UserError` if there is nothing to publish, or asv is missing or fails.
    """
    try:
        # Extras: the site is made without them, too.
        from resilience_bench.commits.publish import publish  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(PACKAGE):
            raise
        raise HistoryError(f"{error.name or 'asv'} is not installed; {INSTALL_HINT}") from error
    published = publish(conf_file, folder)
    subjects = _read_subjects(conf_file.absolute().parent)
    unbuilt = {commit: subjects.get(commit, "") for commit in published.unbuilt}
    messages = subjects | {
        commit: f"DOES NOT BUILD: {subject}" for commit, subject in unbuilt.items()
    }
    tachyon.install(folder, messages, "../index.html")
    return CommitHistory(
        published.benchmarks,
        published.commits,
        count_regressions(folder),
        unbuilt,
        published.skipped,
    )


def publish_releases(history: Path, package: str, folder: Path) -> tuple[SkippedFile, ...]:
    """Publish what was measured of a package's releases in the same kind of page.

    Return the files that could not be read, and why; raise `UserError` as above.
    """
    from resilience_bench.releases.publish import publish  # noqa: PLC0415 - as above

    published = publish(history, folder)
    index = read_index(folder)
    hashes = index["revision_to_hash"]
    tags = {hashes[str(revision)]: tag for tag, revision in index["tags"].items()}
    messages = {commit: f"{package} {tag.removeprefix('v')}" for commit, tag in tags.items()}
    tachyon.install(folder, messages, "../index.html")
    return published.skipped


def count_regressions(folder: Path) -> int:
    """Return how many regressions asv has listed."""
    stored = json.loads((folder / "regressions.json").read_text(encoding="utf-8"))
    return len(stored["regressions"])


def _read_subjects(repository: Path) -> dict[str, str]:
    """Return the first lines of all commits' messages; nothing where git fails."""
    log = try_git(repository, "log", "--all", "--format=%H %s") or ""
    pairs = (line.partition(" ") for line in log.splitlines())
    return {name: subject for name, _, subject in pairs}
