"""Measures real calls again and again, and writes down how much their shares vary between runs."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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


@dataclass(frozen=True, slots=True)
class Run:
    """One run: how long it took, and the share of each case that it measured (1 = 100 %)."""

    took_s: float
    shares: Mapping[str, float]


@click.command()
@click.argument("selectors", nargs=-1)
@click.option("--runs", type=click.IntRange(min=2), default=10, show_default=True)
@click.option("--neighbours", default=2, show_default=True)
@click.option("--profile", type=click.Choice(list(PROFILES)), default="real", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=RESULTS)
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    help="Keep each finished run in this file; the same command goes on from it.",
)
def main(  # noqa: PLR0913, PLR0917 - one argument for each option
    selectors: tuple[str, ...],
    runs: int,
    neighbours: int,
    profile: str,
    output: Path,
    keep: Path | None,
) -> None:
    """Print the standard deviation of each case's share over the runs."""
    finished = _read_runs(keep)
    with keep_cores_busy(neighbours), Servers() as servers:
        while len(finished) < runs:
            started_s = time.monotonic()
            shares = _measure_once(selectors, profile, servers)
            finished.append(Run(time.monotonic() - started_s, shares))
            if keep is not None:
                with keep.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(asdict(finished[-1])) + "\n")
    found: dict[str, list[float]] = defaultdict(list)
    for run in finished:
        for name, share in run.shares.items():
            found[name].append(share)
    points = {
        name: 100 * float(np.std(shares, ddof=1))
        for name, shares in found.items()
        if len(shares) == len(finished)
    }
    rows = {
        name: (
            f"{100 * min(found[name]):.2f}",
            f"{100 * max(found[name]):.2f}",
            f"{points[name]:.2f}",
        )
        for name in sorted(points, key=points.__getitem__)
    }
    took_s = [run.took_s for run in finished]
    title = (
        f"{len(finished)} runs of {len(points)} cases, profile {profile}, "
        f"{neighbours} busy neighbours, {min(took_s):.0f} to {max(took_s):.0f} s a run; "
        "in percentage points"
    )
    write_section(title, rows, HEADERS, output, _summarise(list(points.values())))


def _read_runs(keep: Path | None) -> list[Run]:
    if keep is None or not keep.exists():
        return []
    return [Run(**json.loads(line)) for line in keep.read_text(encoding="utf-8").splitlines()]


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
