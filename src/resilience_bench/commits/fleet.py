"""Commits measured by a fleet: neighbouring commits are divided into parts, a host each.

asv measures a commit as a whole: what its figures are divided by, the reference and the bare call,
is measured with it. A host works in a clone of its checkout, so that hosts that share one do not
share asv's environments.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from resilience_bench.commits.backfill import (
    CommitOutcome,
    ResultsTree,
    measure_missing,
)
from resilience_bench.commits.git_log import Revision
from resilience_bench.commits.measure import PROFILE_VARIABLE
from resilience_bench.environments.fingerprint import detect_environment
from resilience_bench.environments.git import run_git, try_git
from resilience_bench.errors import HistoryError
from resilience_bench.files import atomic
from resilience_bench.fleet import desk
from resilience_bench.fleet.block import Block, Reply, pack, unpack
from resilience_bench.fleet.job import Job, split
from resilience_bench.fleet.run import measure_part as measure_cases
from resilience_bench.gate.baseline import make_machine_name

JOURNAL: Final = "fleet.jsonl"
"""The journal, in the folder of asv's results."""

REFS: Final = ("+HEAD:refs/fleet/HEAD", "+refs/*:refs/fleet/all/*")
"""What a clone fetches: a checkout may stand at a commit that no branch has."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the commits are: the top of the work tree, asv's configuration there, the profile."""

    conf_file: str
    head: str
    profile: str


@dataclass(frozen=True, slots=True)
class CommitWork:
    """The commits to measure, and the folder of asv's results.

    ``probe`` is a block of `resilience_bench.fleet.run`, which shows how a host does.
    """

    place: Place
    due: Sequence[Revision]
    probe: Mapping[str, Any]
    results: Path


def measure_commits(
    job: Job, work: CommitWork, show: Callable[[Block, Reply], None]
) -> list[CommitOutcome]:
    """Have a fleet measure commits, and write asv's files part by part."""
    parts = divide(job, work.due)
    # Those of the first command, so that the blocks stay what they were.
    everyone = [commit.revision for commit in read_first(job, work.due)]
    blocks = [
        Block(
            f"{part[0].revision[:8]} to {part[-1].revision[:8]}",
            measure_part,
            {
                "place": pack(work.place),
                "commits": pack(list(part)),
                "others": everyone,
                "probe": dict(work.probe),
            },
            len(part),
        )
        for part in parts
    ]

    def keep(block: Block, reply: Reply) -> None:
        write_files(reply, work.results)
        show(block, reply)

    found = []
    for reply in job.dispatch(blocks, keep):
        write_files(reply, work.results)
        found += unpack((reply.value or {})["outcomes"], list[CommitOutcome])
    return found


def divide(job: Job, due: Sequence[Revision]) -> list[Sequence[Revision]]:
    """Divide commits; those of an interrupted command are divided as they were then."""
    first = read_first(job, due)
    fresh = [commit for commit in due if commit not in first]
    parts = split(first, job.count_parts(len(first)))
    parts += split(fresh, job.count_parts(len(fresh)))
    return [part for part in parts if set(part) & set(due)]


def read_first(job: Job, due: Sequence[Revision]) -> list[Revision]:
    """Return the commits with which this job began, before it was interrupted; else these."""
    return unpack(job.journal.remember("commits", pack(list(due))), list[Revision])


def write_files(reply: Reply, results: Path) -> None:
    """Write asv's files of a part; those of the whole tree are in each part."""
    for name, text in (reply.value or {})["files"].items():
        path = results / name
        atomic.ensure_writable(path)
        atomic.write_text(text, path)


def name_machine() -> str:
    """Return what asv's results call this machine: the same for all machines of its kind."""
    return make_machine_name(detect_environment())


def measure_part(content: Mapping[str, Any]) -> dict[str, Any]:
    """Measure some commits on this host; return asv's files, and how the host did."""
    from resilience_bench.commits import asv_run  # noqa: PLC0415 - takes time

    health = measure_cases(content["probe"])
    place = unpack(content["place"], Place)
    project = asv_run.read_project(prepare_clone(place) / place.conf_file)
    machine = asv_run.register_machine(detect_environment())
    tree = ResultsTree(project.results, machine)
    tool = asv_run.Asv(project, machine, lambda _: None, {PROFILE_VARIABLE: place.profile})
    commits = unpack(content["commits"], list[Revision])
    outcomes = list(measure_missing(tree, tool, commits, lambda _: None, content["others"]))
    value = {"outcomes": pack(outcomes), "files": read_files(tree, commits)}
    return {**health, "value": value}


def read_files(tree: ResultsTree, commits: Sequence[Revision]) -> dict[str, str]:
    """Return the texts of asv's files about some commits, by their path below the results."""
    folder = tree.folder / tree.machine
    paths = [tree.folder / "benchmarks.json", folder / "machine.json"]
    for commit in commits:
        paths += sorted(folder.glob(f"{commit.revision[:8]}-*.json"))
    return {
        str(path.relative_to(tree.folder)): path.read_text(encoding="utf-8")
        for path in paths
        if path.exists()
    }


def prepare_clone(place: Place) -> Path:
    """Return a clone of the checkout in which this host's worker was started, at a commit.

    HistoryError if it is no checkout, or has no such commit.
    """
    here = try_git(Path.cwd(), "rev-parse", "--show-toplevel")
    if here is None or try_git(Path.cwd(), "cat-file", "-e", place.head) is None:
        raise HistoryError(
            f"{Path.cwd()}: has no commit {place.head[:8]}; expected a checkout with it; type "
            "'git fetch' there, and start the worker in it"
        )
    clone = desk.get_host_folder(os.environ[desk.HOST_VARIABLE]) / "checkout"
    if not (clone / ".git").is_dir():
        clone.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=clone.parent) as fresh:
            run_git(Path.cwd(), "clone", "--quiet", "--no-checkout", here.strip(), f"{fresh}/new")
            (Path(fresh) / "new").rename(clone)
    run_git(clone, "fetch", "--quiet", here.strip(), *REFS)
    run_git(clone, "checkout", "--quiet", "--force", "--detach", place.head)
    return clone
