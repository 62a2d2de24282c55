"""Makes a git repository of many commits and asv's results for all of them: made-up numbers."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import click
import numpy as np

DAY_S = 86_400
START_S = 1_577_836_800
MACHINE = {
    "machine": "made-up",
    "os": "Linux",
    "arch": "x86_64",
    "cpu": "made up",
    "num_cpu": "2",
    "ram": "8 GB",
}
SCENARIOS = [f"scenario_{number}" for number in range(10)]
"""Each benchmark has so many cases."""
STEP = 1.2
"""Every case gets so many times as dear once, somewhere in the middle."""


def make_repository(folder: Path, commits: int) -> list[str]:
    """Make a repository in an empty folder.

    Args:
        folder: Where.
        commits: How many, one a day.

    Returns:
        Their hashes, oldest first.
    """
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", folder], check=True)
    stream = []
    for number in range(commits):
        text = f"Commit {number}"
        date_s = START_S + DAY_S * number
        stream.append(
            f"commit refs/heads/main\ncommitter A <a@example.org> {date_s} +0000\n"
            f"data {len(text)}\n{text}\nM 644 inline file\ndata {len(str(number))}\n{number}\n"
        )
    fast_import = ["git", "fast-import", "--quiet"]
    subprocess.run(fast_import, cwd=folder, input="\n".join(stream).encode(), check=True)
    hashes = subprocess.run(
        ["git", "rev-list", "--reverse", "main"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return hashes.stdout.split()


def make_results(folder: Path, hashes: list[str], cases: int) -> None:
    """Write the results of all commits, as asv does.

    Args:
        folder: The repository; its ``asv.conf.json`` and its ``results`` are written.
        hashes: The commits, oldest first.
        cases: How many, rounded up to full benchmarks.
    """
    names = [f"made_up.track_{number}" for number in range(-(-cases // len(SCENARIOS)))]
    conf = {
        "version": 1,
        "project": "made-up",
        "repo": ".",
        "branches": ["main"],
        "environment_type": "virtualenv",
        "results_dir": "results",
        "html_dir": "html",
    }
    write(folder / "asv.conf.json", conf)
    write(folder / "results" / "benchmarks.json", {**_benchmarks(names), "version": 2})
    machine = folder / "results" / MACHINE["machine"]
    write(machine / "machine.json", {**MACHINE, "version": 1})
    generator = np.random.default_rng(20150823)
    values = generator.normal(1.0, 0.01, (len(hashes), len(names), len(SCENARIOS)))
    for column in np.ndindex(values.shape[1:]):
        values[generator.integers(1, max(len(hashes), 2)) :, *column] *= STEP
    for number, commit in enumerate(hashes):
        told = _results_file(commit, number, names, values[number].tolist())
        write(machine / f"{commit[:8]}-made-up.json", told)


def _benchmarks(names: list[str]) -> dict[str, Any]:
    return {
        name: {
            "name": name,
            "code": "",
            "params": [[repr(each) for each in SCENARIOS]],
            "param_names": ["scenario"],
            "type": "track",
            "unit": "units",
            "version": hashlib.sha256(name.encode()).hexdigest(),
        }
        for name in names
    }


def _results_file(
    commit: str, number: int, names: list[str], values: list[list[float]]
) -> dict[str, Any]:
    benchmarks = _benchmarks(names)
    return {
        "commit_hash": commit,
        "env_name": "made-up",
        "date": 1000 * (START_S + DAY_S * number),
        "params": {**MACHINE, "python": "3.11"},
        "python": "3.11",
        "requirements": {},
        "env_vars": {},
        "result_columns": ["result", "params", "version", "started_at", "duration"],
        "results": {
            name: [row, benchmarks[name]["params"], benchmarks[name]["version"], 0, 1.0]
            for name, row in zip(names, values, strict=True)
        },
        "durations": {},
        "version": 2,
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a file of JSON, and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--commits", default=1000, show_default=True)
@click.option("--cases", default=200, show_default=True)
def main(folder: Path, commits: int, cases: int) -> None:
    """Make the repository FOLDER, with results for all of its commits."""
    make_results(folder, make_repository(folder, commits), cases)


if __name__ == "__main__":
    main()
