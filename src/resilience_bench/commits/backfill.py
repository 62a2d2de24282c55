"""Has asv measure what is missing in some commits, so that an interruption loses little.

asv writes the results of a commit when all of its benchmarks are done. So it is asked for a few of
them at a time.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from resilience_bench.commits import asv_files
from resilience_bench.commits.asv_files import Benchmark, ResultsFile, UnreadableFileError
from resilience_bench.commits.asv_run import CANNOT_BUILD, CommandResult
from resilience_bench.commits.git_log import Revision
from resilience_bench.environments.pip import extract_last_lines
from resilience_bench.errors import HistoryError
from resilience_bench.files.checked_json import format_path

BENCHMARK_GROUPS: Final = (
    frozenset({"track_overhead_ns", "track_ratio"}),
    frozenset({"track_instructions"}),
    frozenset({"track_scaling"}),
)
"""What is measured in one go; whatever else asv finds comes last."""
JUST_DISCOVER: Final = "just-discover"
"""No benchmark's name: asv builds, lists the benchmarks and measures none."""

CommitState = Literal["measured", "does not build", "unreadable"]


class AsvCommands(Protocol):
    """What asv is needed for."""

    def run(self, commits: Sequence[str], benchmarks: str) -> CommandResult:
        """See `Asv.run`."""
        ...

    def mark_unbuilt(self, commit: str) -> None:
        """See `Asv.mark_unbuilt`."""
        ...


@dataclass(frozen=True, slots=True)
class CommitOutcome:
    """What became of a commit; ``reason`` says more where it could not be measured."""

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
        """The results of a commit, one file an environment.

        Raises:
            UnreadableFileError: If one of them cannot be read; the text names it.
        """
        found = []
        for path in sorted((self.folder / self.machine).glob(f"{commit[:8]}-*.json")):
            try:
                found.append(asv_files.read(path))
            except UnreadableFileError as error:
                message = f"{format_path(path)} {error}; mend it, or move it away to measure again"
                raise UnreadableFileError(message) from error
        return [each for each in found if each.commit == commit]

    def lacking(self, commit: str, benchmarks: Mapping[str, Benchmark]) -> list[str]:
        """The benchmarks of which a commit has no results; none if it does not build.

        Raises:
            UnreadableFileError: See `of_commit`.
        """
        found = self.read_commit(commit)
        if any(each.is_unbuilt for each in found):
            return []
        have = {(name, row.version) for each in found for name, row in each.rows.items()}
        return [name for name, each in benchmarks.items() if (name, each.version) not in have]

    def has_some(self, commit: str) -> bool:
        """Whether there are results of a commit; no if they cannot be read."""
        try:
            return bool(self.read_commit(commit))
        except UnreadableFileError:
            return False

    def find_buildable(self) -> list[str]:
        """A commit of which there are results; none if there is none."""
        for path in asv_files.find_results_paths(self.folder / self.machine):
            with contextlib.suppress(UnreadableFileError):
                if not (found := asv_files.read(path)).is_unbuilt:
                    return [found.commit]
        return []

    def benchmarks(self) -> dict[str, Benchmark]:
        """The benchmarks that asv last found; none if it never looked."""
        try:
            return asv_files.read_benchmarks(self.folder)
        except UnreadableFileError:
            return {}


def find_due(tree: ResultsTree, revisions: Iterable[Revision]) -> list[Revision]:
    """Those of the commits that lack results, or whose results cannot be read."""
    benchmarks = tree.benchmarks()
    return [each for each in revisions if not benchmarks or _is_due(tree, each, benchmarks)]


def _is_due(tree: ResultsTree, revision: Revision, benchmarks: Mapping[str, Benchmark]) -> bool:
    try:
        return bool(tree.lacking(revision.revision, benchmarks))
    except UnreadableFileError:
        return True


def measure_missing(
    tree: ResultsTree,
    tool: AsvCommands,
    revisions: Sequence[Revision],
    starting: Callable[[Revision], None],
) -> Iterator[CommitOutcome]:
    """Measure what commits lack, one after the other; yields after each.

    Args:
        tree: Where their results are.
        tool: asv.
        revisions: The commits.
        starting: Is told which one comes.

    Raises:
        HistoryError: If asv fails for another reason than that a commit does not build.
    """
    benchmarks = _discover_benchmarks(tree, tool, [each.revision for each in revisions])
    for each in revisions:
        starting(each)
        started = time.monotonic()
        try:
            state = _measure_commit(tree, tool, each.revision, benchmarks)
        except UnreadableFileError as error:
            yield CommitOutcome(each, "unreadable", reason=str(error))
        else:
            yield CommitOutcome(each, state, time.monotonic() - started)


def _discover_benchmarks(
    tree: ResultsTree, tool: AsvCommands, commits: Sequence[str]
) -> Mapping[str, Benchmark]:
    """Have asv look for benchmarks, in one of the commits or in one that is known to build.

    If even that one does not build now, it is not the commits' fault.
    """
    said = tool.run([*commits, *tree.find_buildable()], JUST_DISCOVER)
    benchmarks = tree.benchmarks()
    if CANNOT_BUILD in said.text or not benchmarks:
        message = (
            "asv can build none of the commits, or found no benchmarks; it said: "
            f"{extract_last_lines(said.text)}; expected a package index that can be "
            "reached, and a commit "
            "that builds; mend that and type the command again"
        )
        raise HistoryError(message)
    return benchmarks


def _measure_commit(
    tree: ResultsTree, tool: AsvCommands, commit: str, benchmarks: Mapping[str, Benchmark]
) -> CommitState:
    for names in group_benchmarks(benchmarks):
        missing = set(tree.lacking(commit, benchmarks)) & set(names)
        if not missing:
            continue
        said = tool.run([commit], _make_pattern(sorted(missing)))
        if CANNOT_BUILD in said.text and not tree.read_commit(commit):
            tool.mark_unbuilt(commit)
        elif missing & set(tree.lacking(commit, benchmarks)):
            message = (
                f"{commit[:8]}: asv recorded nothing; it said: {extract_last_lines(said.text)}; "
                "mend that and type the command again: it goes on where it stopped"
            )
            raise HistoryError(message)
    is_unbuilt = any(each.is_unbuilt for each in tree.read_commit(commit))
    return "does not build" if is_unbuilt else "measured"


def group_benchmarks(names: Collection[str]) -> list[list[str]]:
    """The names of the benchmarks, by what is measured in one go."""
    groups: list[list[str]] = [[] for _ in (*BENCHMARK_GROUPS, None)]
    for name in names:
        method = name.rpartition(".")[2]
        place = next(
            (at for at, each in enumerate(BENCHMARK_GROUPS) if method in each),
            len(BENCHMARK_GROUPS),
        )
        groups[place].append(name)
    return [each for each in groups if each]


def _make_pattern(names: Sequence[str]) -> str:
    """What asv takes for exactly these benchmarks, with whatever parameters."""
    return f"^({'|'.join(map(re.escape, names))})(\\(|$)"
