"""Has asv measure what is missing in some commits, so that an interruption loses little.

asv writes the results of a commit when all of its benchmarks are done. So it is run for a few of
them at a time.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from resilience_bench.commits import asv_files
from resilience_bench.commits.asv_files import Benchmark, ResultsFile, UnreadableFileError
from resilience_bench.commits.git_log import Revision
from resilience_bench.environments.pip import extract_last_lines
from resilience_bench.errors import HistoryError
from resilience_bench.files.checked_json import format_path

if TYPE_CHECKING:
    from resilience_bench.commits.asv_run import Asv

STEPS: Final = {"overhead_ns": 0, "ratio": 0, "instructions": 1, "scaling": 2}
"""The steps in which quantities are tracked; whatever else asv finds comes last."""
JUST_DISCOVER: Final = "just-discover"
"""No benchmark's name: asv builds, lists the benchmarks and measures none."""
CANNOT_BUILD: Final = "Failed to build the project"
"""What asv prints, without results, if neither the commit nor the tip of a branch builds."""

CommitState = Literal["measured", "does not build", "unreadable"]


@dataclass(frozen=True, slots=True)
class CommitOutcome:
    """The outcome of measuring a commit, with the reason if it was not measured."""

    revision: Revision
    state: CommitState
    seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ResultsTree:
    """The results of one machine below a folder."""

    folder: Path
    machine: str

    def read_commit(self, commit: str) -> list[ResultsFile]:
        """Return the results of a commit, one file an environment.

        UnreadableFileError if one of them cannot be read; the text names it.
        """
        found = []
        for path in sorted((self.folder / self.machine).glob(f"{commit[:8]}-*.json")):
            try:
                found.append(asv_files.read(path))
            except UnreadableFileError as error:
                raise UnreadableFileError(
                    f"{format_path(path)} {error}; mend it, or move it away to measure again"
                ) from error
        return [file for file in found if file.commit == commit]

    def lacking(self, commit: str, benchmarks: Mapping[str, Benchmark]) -> list[str]:
        """Return the benchmarks of which a commit has no results; none if it does not build."""
        found = self.read_commit(commit)
        if any(file.is_unbuilt for file in found):
            return []
        present = {(name, row.version) for file in found for name, row in file.rows.items()}
        return [name for name, one in benchmarks.items() if (name, one.version) not in present]

    def has_some(self, commit: str) -> bool:
        """Return whether there are results of a commit; no if they cannot be read."""
        try:
            return bool(self.read_commit(commit))
        except UnreadableFileError:
            return False

    def find_buildable(self) -> list[str]:
        """Return a commit that was built before; none if there is none."""
        for path in asv_files.find_results_paths(self.folder / self.machine):
            with contextlib.suppress(UnreadableFileError):
                if not (found := asv_files.read(path)).is_unbuilt:
                    return [found.commit]
        return []

    def benchmarks(self) -> dict[str, Benchmark]:
        """Return the benchmarks that asv last found; none if it never looked."""
        try:
            return asv_files.read_benchmarks(self.folder)
        except UnreadableFileError:
            return {}


def find_due(tree: ResultsTree, revisions: Iterable[Revision]) -> list[Revision]:
    """Return those of the commits that lack results, or whose results cannot be read."""
    benchmarks = tree.benchmarks()

    def is_due(revision: Revision) -> bool:
        try:
            return not benchmarks or bool(tree.lacking(revision.revision, benchmarks))
        except UnreadableFileError:
            return True

    return [revision for revision in revisions if is_due(revision)]


def measure_missing(
    tree: ResultsTree,
    tool: Asv,
    revisions: Sequence[Revision],
    announce: Callable[[Revision], None],
    others: Sequence[str] = (),
) -> Iterator[CommitOutcome]:
    """Measure what commits lack, one after the other; announces each before, and yields after it.

    If none of them builds, asv finds the benchmarks with one of the ``others``.
    HistoryError if asv fails for another reason than that a commit does not build.
    """
    commits = [revision.revision for revision in revisions]
    # If even one that was built before does not build now, it is not the commits' fault.
    output = tool.run([*commits, *tree.find_buildable(), *others], JUST_DISCOVER)
    benchmarks = tree.benchmarks()
    if CANNOT_BUILD in output or not benchmarks:
        raise HistoryError(
            "asv can build none of the commits, or found no benchmarks; it said: "
            f"{extract_last_lines(output)}; expected a package index that can be reached, and a "
            "commit that builds; mend that and type the command again"
        )
    for revision in revisions:
        announce(revision)
        started = time.monotonic()
        try:
            state = _measure_commit(tree, tool, revision.revision, benchmarks)
        except UnreadableFileError as error:
            yield CommitOutcome(revision, "unreadable", reason=str(error))
        else:
            yield CommitOutcome(revision, state, time.monotonic() - started)


def _measure_commit(
    tree: ResultsTree, tool: Asv, commit: str, benchmarks: Mapping[str, Benchmark]
) -> CommitState:
    for names in group_benchmarks(benchmarks):
        missing = set(tree.lacking(commit, benchmarks)) & set(names)
        if not missing:
            continue
        # asv takes this for exactly these benchmarks, with any parameters.
        pattern = f"^({'|'.join(map(re.escape, sorted(missing)))})(\\(|$)"
        output = tool.run([commit], pattern)
        if CANNOT_BUILD in output and not tree.read_commit(commit):
            tool.mark_unbuilt(commit)
        elif missing & set(tree.lacking(commit, benchmarks)):
            raise HistoryError(
                f"{commit[:8]}: asv recorded nothing; it said: {extract_last_lines(output)}; "
                "mend that and type the command again: it goes on where it stopped"
            )
    is_unbuilt = any(file.is_unbuilt for file in tree.read_commit(commit))
    return "does not build" if is_unbuilt else "measured"


def group_benchmarks(names: Iterable[str]) -> list[list[str]]:
    """Group the names of benchmarks by the step in which they are measured."""

    def get_step(name: str) -> int:
        return STEPS.get(name.rpartition(".track_")[2], len(STEPS))

    ordered = sorted(names, key=get_step)
    return [list(group) for _, group in itertools.groupby(ordered, get_step)]
