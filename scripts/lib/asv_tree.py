"""Makes up a repository with asv's results of all its commits: what a site has to carry.

One commit in the middle makes the first benchmark slower with the first library; all else only
varies by noise.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

LIBRARIES: Final = ("pybreaker", "circuitbreaker", "tenacity", "stamina", "resilience_stack")
LOADS: Final = ("single", "threads-8")
CASES_A_BENCHMARK: Final = len(LIBRARIES) * len(LOADS)
SLOWER: Final = 1.5
NOISE: Final = 0.01
START_S: Final = 1_700_000_000
AN_HOUR_S: Final = 3600
VERSION: Final = "1"
"""The version of every benchmark: results of another one would not be shown."""
MACHINE: Final[dict[str, Any]] = {
    "machine": "made-up",
    "arch": "x86_64",
    "cpu": "Made up",
    "num_cpu": "2",
    "os": "Linux",
    "ram": "",
}
ENVIRONMENT: Final = "existing"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--commits", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--cases", type=click.IntRange(min=1), default=200, show_default=True)
def main(folder: Path, commits: int, cases: int) -> None:
    """Make a repository in FOLDER, with asv.conf.json and results in it."""
    folder.mkdir(parents=True)
    hashes = make_repository(folder, commits)
    make_results(folder, hashes, cases)
    click.echo(f"{folder}: {commits:,} commits, {cases:,} cases")
    click.echo(f"slower since {hashes[len(hashes) // 2]}")


def make_results(folder: Path, hashes: list[str], cases: int) -> None:
    """Results of all commits, oldest first, and what asv has to know of the project."""
    names = [f"breaker.Breaker{n:03}.track_ratio" for n in range(-(-cases // CASES_A_BENCHMARK))]
    write_configuration(folder)
    results = folder / "results" / "asv"
    write_benchmarks(results, names)
    write_results(results, hashes, names, cases)


def make_repository(folder: Path, commits: int) -> list[str]:
    """A repository with so many commits of nothing, an hour apart; their hashes, oldest first."""
    _git(folder, "init", "--quiet", "--initial-branch=main")
    _git(folder, "fast-import", "--quiet", text="\n".join(_stream(commits)) + "\n")
    return _git(folder, "rev-list", "--reverse", "main").split()


def _stream(commits: int) -> Iterator[str]:
    for number in range(1, commits + 1):
        subject = f"Change number {number} <script>alert(1)</script>"
        yield "commit refs/heads/main"
        yield f"mark :{number}"
        yield f"committer Somebody <> {START_S + number * AN_HOUR_S} +0000"
        yield f"data {len(subject)}"
        yield subject
        yield from [f"from :{number - 1}"] if number > 1 else []
        yield ""


def _git(folder: Path, *arguments: str, text: str = "") -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def write_configuration(folder: Path) -> None:
    """What asv has to know of the project."""
    settings = {
        "version": 1,
        "project": "made-up",
        "repo": ".",
        "branches": ["main"],
        "benchmark_dir": "benchmarks",
        "results_dir": "results/asv",
        "html_dir": "results/site/history",
        "environment_type": "existing",
        "regressions_thresholds": {".*": 0.1},
    }
    (folder / "benchmarks").mkdir()
    _write(settings, folder / "asv.conf.json")


def write_benchmarks(results: Path, names: list[str]) -> None:
    """The list of benchmarks, with library and load as parameters."""
    found: dict[str, Any] = {
        name: {
            "name": name,
            "type": "track",
            "unit": "times the reference",
            "code": "def track_ratio(self, library, load): ...",
            "version": VERSION,
            "timeout": 60.0,
            "params": [list(map(repr, LIBRARIES)), list(map(repr, LOADS))],
            "param_names": ["library", "load"],
        }
        for name in names
    }
    _write(found | {"version": 2}, results / "benchmarks.json")
    _write(MACHINE | {"version": 1}, results / MACHINE["machine"] / "machine.json")


def write_results(results: Path, hashes: list[str], names: list[str], cases: int) -> None:
    """A file a commit; the last benchmark lacks the cases that are too many."""
    random = np.random.default_rng(20150823)
    base = 0.1 * 1.5 ** random.integers(0, 10, (len(names), CASES_A_BENCHMARK))
    for position, commit in enumerate(hashes):
        values = base * (1 + NOISE * random.standard_normal(base.shape))
        if position >= len(hashes) // 2:
            values[0, : len(LOADS)] *= SLOWER
        numbers = values.ravel().round(6).tolist()
        flat = [*numbers[:cases], *[None] * (len(numbers) - cases)]
        rows = {
            name: [
                flat[n * CASES_A_BENCHMARK : (n + 1) * CASES_A_BENCHMARK],
                [list(map(repr, LIBRARIES)), list(map(repr, LOADS))],
                VERSION,
            ]
            for n, name in enumerate(names)
        }
        entry = {
            "commit_hash": commit,
            "env_name": ENVIRONMENT,
            "date": (START_S + (position + 1) * AN_HOUR_S) * 1000,
            "params": {**MACHINE, "python": "3.11"},
            "python": "3.11",
            "requirements": {},
            "env_vars": {},
            "result_columns": ["result", "params", "version"],
            "results": rows,
            "durations": {},
            "version": 2,
        }
        _write(entry, results / MACHINE["machine"] / f"{commit[:8]}-{ENVIRONMENT}.json")


def _write(content: object, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


if __name__ == "__main__":
    main()
