"""How long does it take to publish the results of many commits?"""

from __future__ import annotations

import datetime as dt
import os
import tempfile
import time
from pathlib import Path

import click
from asv_tree import make_repository, make_results

from resilience_bench.commits.publish import publish
from resilience_bench.environments.fingerprint import (
    detect_environment,
    format_python_name,
    read_load_average,
)


@click.command()
@click.option("--commits", default=1000, show_default=True)
@click.option("--cases", default=200, show_default=True)
def main(commits: int, cases: int) -> None:
    """Make up a history and print how long publishing it takes."""
    here = detect_environment()
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    busy = ", ".join(map(str, read_load_average()))
    print(
        f"{now}, {format_python_name(here)}, {here.cpu_count} x {here.cpu_model}, load "
        f"average {busy}"
    )
    with tempfile.TemporaryDirectory(prefix="publish-speed-") as folder:
        repo = Path(folder)
        make_results(repo, make_repository(repo, commits), cases)
        started, before = time.monotonic(), os.times()
        published = publish(repo / "asv.conf.json", repo / "html")
        took, after = time.monotonic() - started, os.times()
    processor_s = sum(after[:4]) - sum(before[:4])
    print(
        f"publish: {took:.1f} s, {processor_s:.1f} s of them on a processor, for "
        f"{published.commits} commits x {cases} cases in {published.benchmarks} benchmarks"
    )


if __name__ == "__main__":
    main()
