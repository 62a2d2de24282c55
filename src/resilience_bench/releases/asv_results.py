"""A release history as asv's results: one dated entry a release, in a tree that asv publishes.

asv's entries belong to commits. So a small repository stands for the history, with one commit a
release, dated and tagged; it is made anew wherever it is needed, and its commits have the same
names each time, because everything that a name depends on is in the history.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from resilience_bench.commits import asv_files
from resilience_bench.environments.git import run_git
from resilience_bench.files import atomic
from resilience_bench.releases.history_file import History, Release, group_cases, split_name

TREE: Final = "asv"
"""The folder of asv's results, beside ``releases.json``."""
BRANCH: Final = "releases"
AUTHOR: Final = "resilience-bench <>"
DAY_S: Final = 86_400
UNKNOWN_START_S: Final = 1_000_000_000
"""The start of a history without dates (2001-09-09), in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class AsvQuantity:
    """How asv shows one of our quantities: its name there, and its unit.

    asv takes more for worse; of quantities where more is better, the inverse is shown.
    """

    name: str
    unit: str
    scale: float = 1.0
    is_inverse: bool = False

    def value(self, value: float) -> float | None:
        """Return a value as asv shows it; None where there is none."""
        if self.is_inverse:
            return self.scale / value if value else None
        return self.scale * value


ASV_QUANTITIES: Final[Mapping[str, AsvQuantity]] = {
    "latency_ns": AsvQuantity("time_call", "seconds", 1e-9),
    "overhead_ns": AsvQuantity("track_overhead_ns", "ns"),
    "ratio": AsvQuantity("track_ratio", "times the reference"),
    "instructions": AsvQuantity("track_instructions", "instructions"),
    "allocated_bytes": AsvQuantity("track_allocated_bytes", "bytes"),
    "object_bytes": AsvQuantity("track_object_bytes", "bytes"),
    "scaling": AsvQuantity("track_scaling", "times the bare call", is_inverse=True),
}


def write(history: History, folder: Path) -> None:
    """Write the tree: the machine, the benchmarks, and a file a release.

    Files of releases that the history no longer has are removed. UserError if git fails, or a file
    cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="resilience-bench-") as scratch:
        commits = make_repository(history, Path(scratch) / "repository")
    machine = _describe_machine(history)
    home = folder / machine["machine"]
    machine_file = home / asv_files.MACHINE_FILE
    atomic.ensure_writable(machine_file)
    benchmarks = {content["name"]: content for *_, content in _iterate_benchmarks(history)}
    _write({**benchmarks, "version": asv_files.API_VERSION}, folder / asv_files.BENCHMARKS_FILE)
    _write(machine | {"version": asv_files.MACHINE_VERSION}, machine_file)
    written = {machine_file}
    for release, moment_s in date_releases(history):
        commit = commits[release.version]
        path = home / f"{commit[:8]}-{history.package}-{release.version}.json"
        more = {"commit_hash": commit, "date": moment_s * 1000, "version": asv_files.API_VERSION}
        _write(_make_entry(history, release, machine) | more, path)
        written.add(path)
    for stale in set(folder.glob("*/*.json")) - written:
        stale.unlink()


def date_releases(history: History) -> list[tuple[Release, int]]:
    """Return the measured releases, each with its moment in seconds since 1970.

    A release without a date is a day after the one before, because asv requires dates.
    """
    found: list[tuple[Release, int]] = []
    for release in history.measured:
        if release.date:
            moment_s = int(dt.datetime.fromisoformat(release.date).timestamp())
        else:
            moment_s = found[-1][1] + DAY_S if found else UNKNOWN_START_S
        found.append((release, moment_s))
    return found


def make_repository(history: History, path: Path) -> dict[str, str]:
    """Make the repository of a history, in a new folder, and return its commits' hashes by version.

    Each measured release is an empty commit, dated and tagged. GitError if git is missing or fails.
    """
    path.mkdir(parents=True)
    run_git(path, "init", "--quiet", "--bare", f"--initial-branch={BRANCH}")
    run_git(path, "fast-import", "--quiet", text=_format_fast_import(history))
    form = "--format=%(refname:lstrip=2) %(objectname)"
    tags = run_git(path, "for-each-ref", form, "refs/tags")
    pairs = (line.split() for line in tags.splitlines())
    return {tag.removeprefix("v"): commit for tag, commit in pairs}


def _format_fast_import(history: History) -> str:
    """Format the input of git's fast-import; lengths are in bytes."""
    parts = []
    for mark, (release, moment_s) in enumerate(date_releases(history), start=1):
        text = f"{history.package} {release.version}"
        if not release.date:
            text += "\n\nThe index does not tell when it came out."
        parts += [
            f"commit refs/heads/{BRANCH}",
            f"mark :{mark}",
            f"committer {AUTHOR} {moment_s} +0000",
            f"data {len(text.encode())}",
            text,
            *([f"from :{mark - 1}"] if mark > 1 else []),
            "",
            f"reset refs/tags/v{release.version}",
            f"from :{mark}",
            "",
        ]
    return "\n".join(parts) + "\n"


def _describe_machine(history: History) -> dict[str, Any]:
    """Describe the machine by its processor, never by its name in a network."""
    here = history.environment
    words = re.sub(r"[^a-z0-9]+", "-", here.cpu_model.lower()).strip("-")
    return {
        "machine": f"{words}-{here.cpu_count}-cpu",
        "arch": here.machine,
        "cpu": here.cpu_model,
        "num_cpu": str(here.cpu_count),
        "os": here.os,
        "ram": "",
    }


def _iterate_benchmarks(history: History) -> Iterator[tuple[str, list[str], dict[str, Any]]]:
    """Yield each quantity of a scenario, its cases, and how asv lists it, by library."""
    timed = {"number": 0, "repeat": 0, "rounds": 1, "sample_time": 0.01, "warmup_time": 0.0}
    for quantity, shown in ASV_QUANTITIES.items():
        for scenario, cases in group_cases(history, quantity).items():
            kind = shown.name.partition("_")[0]
            description = history.cases[cases[0]]
            content = {
                "name": f"{scenario}.{shown.name}",
                "type": kind,
                "unit": shown.unit,
                "code": f"{description}\n\nMeasured by resilience-bench {history.tool_version}.",
                "version": f"{history.tool_version}/{history.reference_version}",
                "timeout": 60.0,
                "params": [[repr(split_name(case)[1]) for case in cases]],
                "param_names": ["library"],
                **(timed if kind == "time" else {}),
            }
            yield quantity, cases, content


def _make_entry(history: History, release: Release, machine: Mapping[str, Any]) -> dict[str, Any]:
    python = history.environment.python.split()[-1]
    results = {}
    for quantity, cases, content in _iterate_benchmarks(history):
        costs = [release.values.get(case) for case in cases]
        found = [cost.quantities.get(quantity) if cost else None for cost in costs]
        shown = ASV_QUANTITIES[quantity]
        values = [shown.value(estimate.value) if estimate else None for estimate in found]
        if any(values):
            results[content["name"]] = [values, content["params"], content["version"]]
    return {
        "env_name": f"{history.package}-{release.version}",
        "params": {**machine, "python": python},
        "python": python,
        "requirements": {},
        "env_vars": {},
        "result_columns": ["result", "params", "version", "started_at", "duration"],
        "results": results,
        "durations": {},
    }


def _write(content: Mapping[str, Any], path: Path) -> None:
    atomic.write_text(json.dumps(content) + "\n", path)
