"""Measures real calls again and again, and writes down how much their shares vary between runs."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Final

import click
import numpy as np
from share_output import RESULTS, write_section

from resilience_bench._model import CaseInfo, LoadRecord
from resilience_bench.measure.launcher import ProcessLauncher
from resilience_bench.measure.load_session import create_sessions
from resilience_bench.measure.selection import select
from resilience_bench.measure.session import PROFILES
from resilience_bench.scenarios.loads import parse_load
from resilience_bench.selftest.noise import keep_cores_busy
from resilience_bench.servers.open_servers import Servers
from resilience_bench.stats.bootstrap import trimmed_mean
from resilience_bench.stats.load import compute_worker_loads

POINTS: Final = 1.0
"""The most that a share may vary by, in percentage points, in `CASES` of the cases."""
CASES: Final = 0.9
HEADERS: Final = ("cases", "mean %", "least %", "most %", "varies by")


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its settings, how long it took, and the share of each case (1 = 100 %)."""

    settings: Mapping[str, object]
    took_s: float
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Variation:
    """A case's mean share over the runs, the smallest, the largest, and the standard deviation.

    All are in percentage points.
    """

    mean: float
    least: float
    most: float
    deviation: float


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
    """Print how much the shares vary between runs: by payload and callers, and by case."""
    settings = {"selectors": list(selectors), "neighbours": neighbours, "profile": profile}
    finished = _read_runs(keep, settings)
    launcher = ProcessLauncher()
    cases = select(launcher, selectors, profile=profile).cases
    with keep_cores_busy(neighbours), Servers() as servers:
        while len(finished) < runs:
            started_s = time.monotonic()
            shares = _measure_once(launcher, cases, profile, servers)
            finished.append(Run(settings, time.monotonic() - started_s, shares))
            if keep is not None:
                with keep.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(asdict(finished[-1])) + "\n")
    found = _compare(finished)
    rows = _make_group_rows(cases, found)
    for name in sorted(found, key=lambda name: found[name].deviation):
        rows[name] = _make_row([found[name]])
    took_s = [run.took_s for run in finished]
    title = (
        f"{len(finished)} runs of {len(found)} cases, profile {profile}, "
        f"{neighbours} busy neighbours, {min(took_s):.0f} to {max(took_s):.0f} s a run; "
        "in percentage points"
    )
    summary = _summarise([one.deviation for one in found.values()])
    write_section(title, rows, HEADERS, output, summary, "of several cases: the medians")


def _read_runs(keep: Path | None, settings: Mapping[str, object]) -> list[Run]:
    if keep is None or not keep.exists():
        return []
    runs = [Run(**json.loads(line)) for line in keep.read_text(encoding="utf-8").splitlines()]
    if any(run.settings != settings for run in runs):
        raise click.UsageError(
            f"{keep}: holds runs of other cases, neighbours or another profile; expected those of "
            "this command; type --keep with another file"
        )
    return runs


def _measure_once(
    launcher: ProcessLauncher, cases: Sequence[CaseInfo], profile: str, servers: Servers
) -> dict[str, float]:
    _, (_, session) = create_sessions(launcher, cases, PROFILES[profile], servers=servers)
    records = [done.record for done in session.run() if isinstance(done.record, LoadRecord)]
    return {
        name: float(trimmed_mean(np.array(numbers["share"])))
        for name, numbers in compute_worker_loads(records, session.records.values()).items()
        if "share" in numbers
    }


def _compare(runs: Sequence[Run]) -> dict[str, Variation]:
    """Return how the share of each case varies that was measured in all runs."""
    measured = set[str].intersection(*(set(run.shares) for run in runs))
    found = {}
    for name in (name for name in runs[0].shares if name in measured):
        points = 100 * np.array([run.shares[name] for run in runs])
        found[name] = Variation(
            *map(float, (points.mean(), points.min(), points.max(), points.std(ddof=1)))
        )
    return found


def _make_group_rows(
    cases: Sequence[CaseInfo], found: Mapping[str, Variation]
) -> dict[str, tuple[str, ...]]:
    """Return a row for each payload with one caller and with several, the bare calls apart."""
    groups: dict[tuple[str, str], list[Variation]] = defaultdict(list)
    for case in (info.case for info in cases if info.case.name in found):
        callers = "one caller" if parse_load(case.load).callers == 1 else "several callers"
        groups["all bare calls" if case.family == "control" else case.payload, callers].append(
            found[case.name]
        )
    return {f"{what}, {callers}": _make_row(some) for (what, callers), some in groups.items()}


def _make_row(some: Sequence[Variation]) -> tuple[str, ...]:
    medians = np.median([astuple(one) for one in some], axis=0)
    return (str(len(some)), *(f"{points:.2f}" for points in medians))


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
