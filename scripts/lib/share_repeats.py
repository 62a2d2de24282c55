"""Measures real calls again and again, and writes down how much their shares vary between runs."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import numpy as np
from share_output import RESULTS, write_section

from resilience_bench._model import LoadRecord
from resilience_bench.measure.launcher import ProcessLauncher
from resilience_bench.measure.load_session import create_sessions
from resilience_bench.measure.selection import select
from resilience_bench.measure.session import PROFILES
from resilience_bench.selftest.noise import keep_cores_busy
from resilience_bench.servers.open_servers import Servers
from resilience_bench.stats.bootstrap import trimmed_mean
from resilience_bench.stats.load import compute_worker_loads

POINTS: Final = 1.0
"""The most that a share may vary by, in percentage points, in `CASES` of the cases."""
CASES: Final = 0.9
HEADERS: Final = ("least %", "most %", "varies by")


@click.command()
@click.argument("selectors", nargs=-1)
@click.option("--runs", type=click.IntRange(min=2), default=10, show_default=True)
@click.option("--neighbours", default=2, show_default=True)
@click.option("--profile", type=click.Choice(list(PROFILES)), default="real", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=RESULTS)
def main(
    selectors: tuple[str, ...], runs: int, neighbours: int, profile: str, output: Path
) -> None:
    """Print the standard deviation of each case's share over the runs."""
    found: dict[str, list[float]] = defaultdict(list)
    took_s = []
    with keep_cores_busy(neighbours), Servers() as servers:
        for _ in range(runs):
            started_s = time.monotonic()
            for name, share in _measure_once(selectors, profile, servers).items():
                found[name].append(share)
            took_s.append(time.monotonic() - started_s)
    points = {
        name: 100 * float(np.std(shares, ddof=1))
        for name, shares in found.items()
        if len(shares) == runs
    }
    rows = {
        name: (
            f"{100 * min(found[name]):.2f}",
            f"{100 * max(found[name]):.2f}",
            f"{points[name]:.2f}",
        )
        for name in sorted(points, key=points.__getitem__)
    }
    title = (
        f"{runs} runs of {len(points)} cases, profile {profile}, {neighbours} busy neighbours, "
        f"{min(took_s):.0f} to {max(took_s):.0f} s a run; in percentage points"
    )
    write_section(title, rows, HEADERS, output, _summarise(list(points.values())))


def _measure_once(selectors: Sequence[str], profile: str, servers: Servers) -> dict[str, float]:
    launcher = ProcessLauncher()
    cases = select(launcher, selectors, profile=profile).cases
    _, (_, session) = create_sessions(launcher, cases, PROFILES[profile], servers=servers)
    records = [done.record for done in session.run() if isinstance(done.record, LoadRecord)]
    return {
        name: float(trimmed_mean(np.array(numbers["share"])))
        for name, numbers in compute_worker_loads(records, session.records.values()).items()
        if "share" in numbers
    }


def _summarise(points: Sequence[float]) -> str:
    if not points:
        return "no case was measured in all runs"
    steady = sum(one <= POINTS for one in points)
    return (
        f"{steady} of {len(points)} cases vary by at most {POINTS:g} point; median case "
        f"{np.median(points):.2f}, nine of ten {np.quantile(points, CASES):.2f}"
    )


if __name__ == "__main__":
    main()
