"""A release history as asv's results: one dated entry a release, in a tree that asv publishes.

asv's entries belong to commits. So a small repository stands for the history, with one commit a
release, dated and tagged; it is made anew wherever it is needed, and its commits have the same
names each time, because everything that a name depends on is in the history.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from resilience_bench.errors import UserError
from resilience_bench.files import atomic
from resilience_bench.releases.history_file import History, Release, find_quantities

BRANCH: Final = "releases"
AUTHOR: Final = "resilience-bench <>"
FORMAT: Final = 2
"""The version of the format of asv's results and of its list of benchmarks."""
MACHINE_FORMAT: Final = 1
DAY_S: Final = 86_400
UNKNOWN_START_S: Final = 1_000_000_000
"""When a history starts whose dates nobody knows (2001-09-09), in seconds since 1970."""
COLUMNS: Final = ("result", "params", "version", "started_at", "duration")


@dataclass(frozen=True, slots=True)
class AsvQuantity:
    """How asv shows one of our quantities: its name there, and what it is counted in.

    asv takes more for worse; of what is better if it is more, the inverse is shown.
    """

    name: str
    kind: str
    unit: str
    scale: float = 1.0
    is_inverse: bool = False

    def value(self, value: float) -> float | None:
        """A value as asv shows it; None where there is none."""
        if self.is_inverse:
            return self.scale / value if value else None
        return self.scale * value


ASV_QUANTITIES: Final[Mapping[str, AsvQuantity]] = {
    "latency_ns": AsvQuantity("time_call", "time", "seconds", 1e-9),
    "overhead_ns": AsvQuantity("track_overhead_ns", "track", "ns"),
    "ratio": AsvQuantity("track_ratio", "track", "times the reference"),
    "instructions": AsvQuantity("track_instructions", "track", "instructions"),
    "allocated_bytes": AsvQuantity("track_allocated_bytes", "track", "bytes"),
    "object_bytes": AsvQuantity("track_object_bytes", "track", "bytes"),
    "scaling": AsvQuantity("track_scaling", "track", "times the bare call", is_inverse=True),
}


def write(history: History, folder: Path) -> None:
    """Write the tree: the machine, the benchmarks, and a file a release.

    Args:
        history: What was measured.
        folder: Where. Files of releases that are not in the history any more are removed.

    Raises:
        UserError: If git does not work, or a file cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="resilience-bench-") as scratch:
        commits = make_repository(history, Path(scratch) / "repository")
    machine = _describe_machine(history)
    benchmarks = _list_benchmarks(history)
    home = folder / machine["machine"]
    atomic.ensure_writable(home / "machine.json")
    _write(benchmarks | {"version": FORMAT}, folder / "benchmarks.json")
    _write(machine | {"version": MACHINE_FORMAT}, home / "machine.json")
    written = {home / "machine.json"}
    for release, moment_s in date_releases(history):
        commit = commits[release.version]
        path = home / f"{commit[:8]}-{history.package}-{release.version}.json"
        entry = _make_entry(history, release, machine, benchmarks)
        more = {"commit_hash": commit, "date": moment_s * 1000, "version": FORMAT}
        _write(entry | more, path)
        written.add(path)
    for stale in set(folder.glob("*/*.json")) - written:
        stale.unlink()


def date_releases(history: History) -> list[tuple[Release, int]]:
    """The measured releases, each with its moment in seconds since 1970.

    Where the index tells no date, it is a day after the release before: asv has no entry without.
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
    """Make the repository that stands for a history: an empty commit a release, dated and tagged.

    Args:
        history: Its measured releases become commits.
        path: A folder for it that there is not yet.

    Returns:
        The full names of the commits by version.

    Raises:
        UserError: If git is not there, or fails.
    """
    _run_git("init", "--quiet", "--bare", f"--initial-branch={BRANCH}", str(path))
    _run_git("-C", str(path), "fast-import", "--quiet", content=_format_fast_import(history))
    form = "--format=%(refname:lstrip=2) %(objectname)"
    told = _run_git("-C", str(path), "for-each-ref", form, "refs/tags")
    pairs = (line.split() for line in told.splitlines())
    return {tag.removeprefix("v"): commit for tag, commit in pairs}


def _format_fast_import(history: History) -> str:
    """What git's fast-import reads; lengths are in bytes."""
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


def _run_git(*arguments: str, content: str = "") -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the command is ours
            ["git", *arguments],  # noqa: S607 - the user's git
            input=content,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        message = "git is not there; expected it for asv's results; type: apt-get install git"
        raise UserError(message) from error
    if done.returncode:
        said = " ".join(done.stderr.split())
        message = (
            f"git {arguments[0]} failed: {said}; expected git 2.28 or newer; type git --version"
        )
        raise UserError(message)
    return done.stdout


def _describe_machine(history: History) -> dict[str, Any]:
    """The machine by what it is, never by its name in a network."""
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


def _list_benchmarks(history: History) -> dict[str, Any]:
    """The list of benchmarks: one a scenario and quantity, with the library as parameter."""
    having = find_quantities(history)
    found: dict[str, Any] = {}
    for quantity, shown in ASV_QUANTITIES.items():
        groups: dict[str, list[str]] = {}
        for name in history.cases:
            if name in having.get(quantity, ()):
                group, label = _split_name(name)
                groups.setdefault(group, []).append(label)
        for group, labels in groups.items():
            found[f"{group}.{shown.name}"] = _describe_benchmark(history, quantity, group, labels)
    return found


def _describe_benchmark(
    history: History, quantity: str, group: str, labels: Iterable[str]
) -> dict[str, Any]:
    shown = ASV_QUANTITIES[quantity]
    name = f"{group}.{shown.name}"
    described = next(text for case, text in history.cases.items() if _split_name(case)[0] == group)
    timed = {"number": 0, "repeat": 0, "rounds": 1, "sample_time": 0.01, "warmup_time": 0.0}
    return {
        "name": name,
        "type": shown.kind,
        "unit": shown.unit,
        "code": f"{described}\n\nMeasured by resilience-bench {history.tool_version}.",
        "version": f"{history.tool_version}/{history.reference_version}",
        "timeout": 60.0,
        "params": [[repr(label) for label in labels]],
        "param_names": ["library"],
        **(timed if shown.kind == "time" else {}),
    }


def _split_name(case: str) -> tuple[str, str]:
    """The group and the label of a case by its name."""
    group, _, label = case.partition("[")
    return group, label.removesuffix("]")


def _make_entry(
    history: History, release: Release, machine: Mapping[str, Any], benchmarks: Mapping[str, Any]
) -> dict[str, Any]:
    python = history.environment.python.split()[-1]
    return {
        "env_name": f"{history.package}-{release.version}",
        "params": {**machine, "python": python},
        "python": python,
        "requirements": {},
        "env_vars": {},
        "result_columns": list(COLUMNS),
        "results": {
            name: [values, benchmark["params"], benchmark["version"]]
            for name, benchmark in benchmarks.items()
            if any(values := _make_row(release, benchmark))
        },
        "durations": {},
    }


def _make_row(release: Release, benchmark: Mapping[str, Any]) -> list[float | None]:
    """What asv has of a benchmark in a release: a number or nothing for each library."""
    group, _, shown_name = benchmark["name"].rpartition(".")
    quantity = next(key for key, shown in ASV_QUANTITIES.items() if shown.name == shown_name)
    having = {name: each for name, each in release.values.items() if _split_name(name)[0] == group}
    by_label = {
        repr(_split_name(name)[1]): ASV_QUANTITIES[quantity].value(each.quantities[quantity].value)
        for name, each in having.items()
        if quantity in each.quantities
    }
    return [by_label.get(label) for label in benchmark["params"][0]]


def _write(content: Mapping[str, Any], path: Path) -> None:
    atomic.write_text(json.dumps(content) + "\n", path)
