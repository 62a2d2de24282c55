"""How much do estimators of one ratio vary between repeated runs of the same suite?

Measures the suite several times, on the machine as it is and with neighbours that burn every core,
and prints the coefficient of variation between runs per estimator: how a worker's samples become
one number (rows) and how the workers' numbers become the result (columns).
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from resilience_bench._model import Samples, WorkerRecord
from resilience_bench.environments.fingerprint import detect_environment
from resilience_bench.measure.launcher import ProcessLauncher
from resilience_bench.measure.selection import select
from resilience_bench.measure.session import PROFILES, Session
from resilience_bench.selftest.noise import keep_cores_busy
from resilience_bench.stats.bootstrap import trimmed_mean
from resilience_bench.stats.quantiles import drop_throttled_samples
from resilience_bench.stats.throttling import LOCATION_QUANTILE

Values = np.ndarray[Any, np.dtype[np.float64]]
Locate = Callable[[Samples, Samples], float]
Centre = Callable[[Values], float]


def _per_call(samples: Samples) -> Values:
    return np.asarray(samples.elapsed_ns, dtype=np.float64) / samples.calls


def _divided(location: Callable[[Values], Any]) -> Locate:
    return lambda operation, reference: float(
        location(_per_call(operation)) / location(_per_call(reference))
    )


def _paired(operation: Samples, reference: Samples) -> float:
    ours, theirs = _per_call(operation), _per_call(reference)
    nearest = (np.arange(len(ours)) + 0.5) * len(theirs) / len(ours)
    return float(np.median(ours / theirs[nearest.astype(int)]))


LOCATIONS: Final[dict[str, Locate]] = {
    "median of ns": lambda operation, _reference: float(np.median(_per_call(operation))),
    "minimum of ns": lambda operation, _reference: float(np.min(_per_call(operation))),
    "median / median": _divided(np.median),
    "minimum / minimum": _divided(np.min),
    "ratio sample by sample": _paired,
    "10 % / 10 % quantile": _divided(lambda values: np.quantile(values, LOCATION_QUANTILE)),
    "25 % / 25 % quantile": _divided(lambda values: np.quantile(values, 0.25)),
}
CENTRES: Final[dict[str, Centre]] = {
    "mean": lambda values: float(np.mean(values)),
    "median": lambda values: float(np.median(values)),
    "middle third": lambda values: float(trimmed_mean(values)),
}
SPEEDS: Final[dict[str, Callable[[Sequence[WorkerRecord]], Sequence[WorkerRecord]]]] = {
    "all samples": lambda workers: workers,
    "at best speed": drop_throttled_samples,
}


def measure_once(selectors: Sequence[str], profile: str) -> tuple[list[WorkerRecord], float]:
    """One run: the workers' records and the seconds that measuring took."""
    launcher = ProcessLauncher()
    selection = select(launcher, selectors)
    session = Session(launcher, selection.cases, PROFILES[profile])
    started = time.monotonic()
    workers = [done.record for done in session.run() if isinstance(done.record, WorkerRecord)]
    return workers, time.monotonic() - started


def variation(runs: Sequence[Sequence[WorkerRecord]], locate: Locate, middle: Centre) -> Values:
    """The coefficient of variation between runs in per cent, one value a case."""
    estimates: dict[str, list[float]] = {}
    for workers in runs:
        located: dict[str, list[float]] = {}
        for worker in workers:
            for name, samples in worker.operations.items():
                located.setdefault(name, []).append(locate(samples, worker.reference))
        for name, values in located.items():
            estimates.setdefault(name, []).append(middle(np.asarray(values)))
    table = np.asarray([values for values in estimates.values() if len(values) == len(runs)])
    spread: Values = 100 * table.std(axis=1, ddof=1) / table.mean(axis=1)
    return spread


def _print_table(title: str, runs: Sequence[Sequence[WorkerRecord]], console: Console) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column("samples")
    table.add_column("a worker's location")
    for name in CENTRES:
        table.add_column(f"{name} of workers", justify="right")
    for speed, select_samples in SPEEDS.items():
        selected = [select_samples(workers) for workers in runs]
        for label, locate in LOCATIONS.items():
            spreads = [variation(selected, locate, middle) for middle in CENTRES.values()]
            cells = [
                f"{np.median(spread):.2f} / {np.quantile(spread, 0.9):.2f}" for spread in spreads
            ]
            table.add_row(speed, label, *cells)
        table.add_section()
    console.print(table)


@click.command()
@click.argument("selectors", nargs=-1)
@click.option("--runs", default=10, show_default=True, help="Runs in each condition.")
@click.option("--profile", type=click.Choice(list(PROFILES)), default="quick", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="Also write what is printed here.")
def main(selectors: tuple[str, ...], runs: int, profile: str, output: Path | None) -> None:
    """Print the variation between runs, in per cent, per estimator and condition."""
    console = Console(record=True, width=110)
    environment = detect_environment()
    today = dt.datetime.now(dt.UTC).date()
    console.print(
        f"{today}, {environment.python}, {environment.cpu_count} x {environment.cpu_model}, "
        f"{environment.os}; {runs} runs of the {profile} profile in each condition"
    )
    cores = os.cpu_count() or 1
    for title, neighbours in (("machine as it is", 0), (f"{cores} busy neighbours", cores)):
        measured = []
        with keep_cores_busy(neighbours):
            for run in range(runs):
                measured.append(measure_once(selectors, profile))
                print(f"{title}: run {run + 1} of {runs}", file=sys.stderr)
        seconds = [took for _, took in measured]
        heading = (
            f"\n{title}: {min(seconds):.1f} to {max(seconds):.1f} s of measuring a run; "
            "coefficient of variation between runs, %: median case / 9 cases in 10"
        )
        _print_table(heading, [workers for workers, _ in measured], console)
    if output is not None:
        output.write_text(console.export_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
