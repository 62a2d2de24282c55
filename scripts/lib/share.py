"""Checks the share against known truths: nothing, and planted work, in repeated runs beside noise.

An operation that is the bare call has a share of 0, and one with 5 % of the bare call's time
planted before it a share of 5 %. A run's 95 % interval must contain the truth in about 95 % of
the runs: real runs, and runs drawn from the workers of all of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

import click
import numpy as np
from rich.console import Console
from rich.progress import track

from resilience_bench._model import CaseInfo, CaseRecord, LoadRecord
from resilience_bench.environments.fingerprint import detect_environment
from resilience_bench.measure.launcher import ProcessLauncher
from resilience_bench.measure.load_session import Effort, create_sessions
from resilience_bench.measure.selection import select
from resilience_bench.measure.session import PROFILES
from resilience_bench.selftest.noise import keep_cores_busy
from resilience_bench.servers.open_servers import Servers
from resilience_bench.stats.bootstrap import estimate_quantities, trimmed_mean
from resilience_bench.stats.load import compute_worker_loads
from resilience_bench.stats.load_rounds import compute_call_times_ns

CASES: Final = {"empty": "control.call[sqlite-file]", "planted": "control.call[redis]"}
SHARE: Final = 0.05
"""The planted work, as a share of the bare call."""
SEED: Final = 7
WORKERS: Final = 10
EFFORT: Final = Effort(workers=WORKERS, rounds=100, window_ns=400_000, timed=0)
RESAMPLED_RUNS: Final = 2000


@click.command()
@click.option("--runs", default=200, show_default=True)
@click.option("--neighbours", default=2, show_default=True)
def main(runs: int, neighbours: int) -> None:
    """Print how often the interval of a run covers the truth, and what the runs saw."""
    launcher = ProcessLauncher()
    cases = select(launcher, tuple(CASES.values())).cases
    found: dict[str, list[list[float]]] = {kind: [] for kind in CASES}
    truths: dict[str, list[float]] = {kind: [] for kind in CASES}
    with keep_cores_busy(neighbours), Servers() as servers:
        bare_ns = _measure(launcher, cases, servers, 0)[1]["planted"]
        wait_ns = round(SHARE * bare_ns)
        for _ in track(range(runs), "runs", console=Console(stderr=True)):
            shares, bare = _measure(launcher, cases, servers, wait_ns)
            for kind in CASES:
                found[kind].append(shares[kind])
                truths[kind].append(wait_ns / bare[kind] if kind == "planted" else 0.0)
    here = detect_environment()
    print(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {here.python}, {here.cpu_count} x {here.cpu_model}")
    print(f"{runs} runs of {WORKERS} workers, {neighbours} busy neighbours; in percentage points")
    for kind, name in CASES.items():
        _print_kind(kind, name, found[kind], truths[kind])


def _measure(
    launcher: ProcessLauncher, cases: Sequence[CaseInfo], servers: Servers, wait_ns: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return the workers' shares, and the bare call's time in ns, by kind."""
    _, (_, session) = create_sessions(launcher, cases, PROFILES["real"], servers=servers)
    session.effort = EFFORT
    session.waits = {CASES["planted"]: wait_ns} if wait_ns else {}
    records = [done.record for done in session.run() if isinstance(done.record, LoadRecord)]
    statuses: dict[str, CaseRecord] = dict(session.records)
    values = compute_worker_loads(records, statuses.values())
    bare = {
        kind: float(
            np.median(
                [
                    trimmed_mean(
                        np.array(compute_call_times_ns(record.controls[statuses[name].control]))
                    )
                    for record in records
                ]
            )
        )
        for kind, name in CASES.items()
    }
    return {kind: values[name]["share"] for kind, name in CASES.items()}, bare


def _print_kind(
    kind: str, name: str, runs: Sequence[Sequence[float]], truths: Sequence[float]
) -> None:
    estimates = estimate_quantities(runs)
    covered = np.mean(
        [seen.low <= truth <= seen.high for seen, truth in zip(estimates, truths, strict=True)]
    )
    half_widths = [100 * (seen.high - seen.low) / 2 for seen in estimates]
    errors = [100 * (seen.value - truth) for seen, truth in zip(estimates, truths, strict=True)]
    pool = np.concatenate([np.array(run) for run in runs])
    generator = np.random.default_rng(SEED)
    centre = float(trimmed_mean(pool))
    drawn = estimate_quantities(generator.choice(pool, (RESAMPLED_RUNS, WORKERS)).tolist())
    resampled = np.mean([seen.low <= centre <= seen.high for seen in drawn])
    print(f"{kind} ({name}): truth {100 * float(np.median(truths)):.2f} %")
    print(f"  seen: {100 * centre:.2f} %; a run is off by {np.median(np.abs(errors)):.2f} (median)")
    middle = f"{np.median(half_widths):.2f} (median)"
    print(f"  half of an interval: {middle}, {max(half_widths):.2f} (most)")
    print(f"  intervals that cover the truth: {covered:.1%} of {len(runs)} real runs,")
    print(f"    {resampled:.1%} of {RESAMPLED_RUNS} runs drawn from all workers (their centre)")


if __name__ == "__main__":
    main()
