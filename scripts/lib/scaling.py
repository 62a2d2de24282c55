"""Measure cases under load again and again, and write down how much their scaling varies."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections import defaultdict
from collections.abc import Sequence

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from resilience_bench._model import CaseRecord, LoadRecord
from resilience_bench.environments.fingerprint import detect_environment
from resilience_bench.measure.launcher import ProcessLauncher
from resilience_bench.measure.load_session import create_sessions
from resilience_bench.measure.selection import select
from resilience_bench.measure.session import PROFILES
from resilience_bench.selftest.noise import keep_cores_busy
from resilience_bench.stats.bootstrap import trimmed_mean
from resilience_bench.stats.load import compute_worker_loads

PROFILE = "concurrency"


@click.command()
@click.argument("selectors", nargs=-1)
@click.option("--runs", default=10, show_default=True)
@click.option("--neighbours", default=2, show_default=True)
def main(selectors: tuple[str, ...], runs: int, neighbours: int) -> None:
    """Print the coefficient of variation of each case's scaling over the runs."""
    found: dict[str, list[float]] = defaultdict(list)
    took_s = []
    with keep_cores_busy(neighbours):
        for _ in range(runs):
            started = time.monotonic()
            for name, value in _one_run(selectors).items():
                found[name].append(value)
            took_s.append(time.monotonic() - started)
    here = detect_environment()
    print(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {here.python}, {here.cpu_count} x {here.cpu_model}")
    print(f"{runs} runs of {len(found)} cases, profile {PROFILE}, {neighbours} busy neighbours")
    print(f"a run took {min(took_s):.0f} to {max(took_s):.0f} s")
    varies = {
        name: float(np.std(values, ddof=1) / np.mean(values))
        for name, values in found.items()
        if len(values) == runs and np.mean(values) > 0
    }
    _print(found, varies)


def _one_run(selectors: Sequence[str]) -> dict[str, float]:
    launcher = ProcessLauncher()
    cases = select(launcher, selectors, profile="concurrency").cases
    _, (loaded, _) = create_sessions(launcher, cases, PROFILES[PROFILE])
    records = [done.record for done in loaded.run() if isinstance(done.record, LoadRecord)]
    measured: list[CaseRecord] = list(loaded.records.values())
    return {
        name: float(trimmed_mean(np.array(each["scaling"])))
        for name, each in compute_worker_loads(records, measured).items()
    }


def _print(found: dict[str, list[float]], varies: dict[str, float]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("case")
    for header in ("least", "most", "varies by"):
        table.add_column(header, justify="right")
    for name, share in sorted(varies.items(), key=lambda item: item[1]):
        values = found[name]
        # Text, not str: a name in brackets is no markup.
        table.add_row(Text(name), f"{min(values):.3f}", f"{max(values):.3f}", f"{share:.1%}")
    Console(width=max(100, int(os.environ.get("COLUMNS", "100")))).print(table, highlight=False)
    shares = list(varies.values())
    print(f"median case {np.median(shares):.1%}, nine of ten {np.quantile(shares, 0.9):.1%}")


if __name__ == "__main__":
    main()
