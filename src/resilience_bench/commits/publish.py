"""Publishes asv's pages from the results files that can be read."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from resilience_bench.commits import asv_files, asv_run
from resilience_bench.commits.asv_files import ResultsFile, UnreadableFileError, refuse
from resilience_bench.commits.asv_run import Project
from resilience_bench.commits.git_log import list_published_commits
from resilience_bench.errors import HistoryError, format_names
from resilience_bench.files.checked_json import format_path

DISCOVER: Final = "type 'asv run --bench just-discover' beside asv.conf.json to write it anew"
MACHINE_KEYS: Final = ("machine", "os", "arch", "cpu", "num_cpu", "ram")


@dataclass(frozen=True, slots=True)
class Publication:
    """What was published: the numbers of benchmarks and commits, and the skipped files.

    ``unbuilt`` are the full hashes of the commits that do not build; they count among ``commits``.
    """

    skipped: tuple[tuple[Path, str], ...]
    benchmarks: int
    commits: int
    unbuilt: tuple[str, ...] = ()


@dataclass(slots=True)
class _ReadableResults:
    """The results files that can be read, and the reasons why others cannot."""

    files: list[ResultsFile] = field(default_factory=list)
    machines: dict[Path, dict[str, Any]] = field(default_factory=dict)
    skipped: list[tuple[Path, str]] = field(default_factory=list)


def publish(conf_file: Path, html_dir: Path) -> Publication:
    """Have asv publish the results of a project as pages, without those that cannot be read.

    Nothing is moved or deleted but ``html_dir``, which is replaced once the new pages are complete;
    that of ``conf_file`` is not used. HistoryError if there is nothing to publish, or asv fails:
    ``html_dir`` stays as it was then.
    """
    project = asv_run.read_project(conf_file)
    readable = _read_results(project)
    if not readable.files:
        reasons = [f"{format_path(path)} {reason}" for path, reason in readable.skipped]
        advice = format_names(reasons, "; ") or "type 'scripts/history' to measure commits"
        raise HistoryError(f"{format_path(project.results)}: found no results to publish; {advice}")
    try:
        benchmarks = asv_files.read_benchmarks(project.results)
    except UnreadableFileError as error:
        path = format_path(project.results / asv_files.BENCHMARKS_FILE)
        raise HistoryError(f"{path}: {error}; without it asv cannot publish; {DISCOVER}") from error
    try:
        html_dir.parent.mkdir(parents=True, exist_ok=True)
        # Beside the pages, so that the new ones can be renamed into their place.
        with tempfile.TemporaryDirectory(prefix=".publishing-", dir=html_dir.parent) as folder:
            scratch = Path(folder).absolute()
            _stage(project, readable, scratch / "results")
            asv_run.publish_pages(project, scratch / "results", scratch / "html")
            if html_dir.exists():
                html_dir.rename(scratch / "before")
            shutil.move(scratch / "html", html_dir)
    except OSError as error:
        raise HistoryError(
            f"{format_path(html_dir)}: cannot be written: {error.strerror}; give another folder"
        ) from error
    names = {name for file in readable.files for name in file.rows} & benchmarks.keys()
    unbuilt = dict.fromkeys(file.commit for file in readable.files if file.is_unbuilt)
    commits = {file.commit for file in readable.files}
    return Publication(tuple(readable.skipped), len(names), len(commits), tuple(unbuilt))


def _read_results(project: Project) -> _ReadableResults:
    readable = _ReadableResults()
    repo = Path(project.repo)
    published = list_published_commits(repo, project.branches) if repo.is_dir() else None
    for path in asv_files.find_results_paths(project.results):
        try:
            file = asv_files.read(path)
            _check_origin(file, readable, published)
        except UnreadableFileError as error:
            readable.skipped.append((path, f"{error}; mend it, or move it away and measure again"))
        else:
            readable.files.append(file)
    return readable


def _check_origin(
    file: ResultsFile, readable: _ReadableResults, published: frozenset[str] | None
) -> None:
    """Compare a file with the machine whose folder it lies in, and with the history."""
    folder = file.path.parent
    if folder not in readable.machines:
        try:
            readable.machines[folder] = asv_files.read_machine(folder)
        except UnreadableFileError as error:
            # Each results file names its machine, so nothing is lost.
            readable.skipped.append((folder / asv_files.MACHINE_FILE, str(error)))
            machine = {key: str(file.params.get(key) or "") for key in MACHINE_KEYS}
            readable.machines[folder] = {**machine, "version": asv_files.MACHINE_VERSION}
    found, expected = file.params["machine"], readable.machines[folder]["machine"]
    if found != expected:
        refuse(f"is of machine {found!r}, expected {expected!r}")
    if published is not None and file.commit not in published:
        refuse(f"its commit {file.commit[:8]} is not in the history that is published")


def _stage(project: Project, readable: _ReadableResults, results: Path) -> None:
    results.mkdir()
    (results / asv_files.BENCHMARKS_FILE).symlink_to(project.results / asv_files.BENCHMARKS_FILE)
    for folder, machine in readable.machines.items():
        target = results / folder.relative_to(project.results)
        target.mkdir(parents=True, exist_ok=True)
        (target / asv_files.MACHINE_FILE).write_text(json.dumps(machine), encoding="utf-8")
    for file in readable.files:
        (results / file.path.relative_to(project.results)).symlink_to(file.path)
