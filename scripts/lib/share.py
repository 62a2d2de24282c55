"""Checks the share against known truths: nothing, and planted work, in repeated runs beside noise.

The bare call as its own guard has a share of 0. A planted wait adds its time, and so does its code,
which a real call leaves cold: that is what a wait of no time costs, the second case. So the truth
of the planted case is the second one's share, as all workers saw it, and the time of the wait,
which is measured on its own in the same workers, before work that takes no time.

A run's 95 % interval must contain the truth in about 95 % of the runs: of the real runs, and of
runs drawn from the workers of all of them. Runs are small, so that there can be hundreds of them,
and no two workers have the same hash seed: what a seed does is part of what an interval is for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from scipy.stats import binomtest
from share_output import RESULTS, write_section

from resilience_bench._model import CaseInfo, LoadRecord
from resilience_bench.measure.launcher import ProcessLauncher
from resilience_bench.measure.load_session import FEW_CASES, MORE_ROUNDS, Effort, create_sessions
from resilience_bench.measure.selection import select
from resilience_bench.measure.session import PROFILES
from resilience_bench.selftest.noise import keep_cores_busy
from resilience_bench.servers.open_servers import Servers
from resilience_bench.stats.bootstrap import estimate_quantities, trimmed_mean
from resilience_bench.stats.load_rounds import compute_overheads_ns
from resilience_bench.stats.share import compute_call_centre_ns, compute_share

FILE: Final = Path(__file__).with_name("share_cases.py")
KINDS: Final = ("empty", "touched", "planted")
ALONE: Final = ("share_cases.touched[nothing]", "share_cases.planted[nothing]")
"""The waits on their own."""
NO_WAIT_NS: Final = 1
SHARE: Final = 0.05
"""The planted wait, as a share of the bare call, about."""
SEED: Final = 7
ROUNDS: Final = 25
RESAMPLED_RUNS: Final = 2000
HEADERS: Final = (
    "truth %",
    "seen %",
    "off by",
    "half width",
    "covered",
    "its interval",
    "if drawn",
)


@dataclass(slots=True)
class Run:
    """The workers' numbers of a run: shares by kind, and in ns the bare call and the wait."""

    shares: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    bare_ns: list[float] = field(default_factory=list)
    wait_ns: list[float] = field(default_factory=list)


@click.command()
@click.option("--runs", default=200, show_default=True)
@click.option("--workers", default=5, show_default=True, help="In each run, as many as a profile.")
@click.option("--neighbours", default=2, show_default=True)
@click.option("--payload", default="redis", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=RESULTS)
def main(runs: int, workers: int, neighbours: int, payload: str, output: Path) -> None:
    """Print how often the interval of a run covers the truth, and what the runs saw."""
    launcher, started_s = ProcessLauncher(), time.monotonic()
    names = {kind: f"share_cases.{kind}[{payload}]" for kind in KINDS}
    cases = select(launcher, (str(FILE), *names.values(), *ALONE)).cases
    with keep_cores_busy(neighbours), Servers() as servers:
        first = _measure(launcher, cases, names, servers, 0, workers, NO_WAIT_NS)
        asked_ns = round(SHARE * _find_centre(first.bare_ns))
        found = [
            _measure(launcher, cases, names, servers, number * workers, workers, asked_ns)
            for number in track(range(runs), "runs", console=Console(stderr=True))
        ]
    wait_ns = _find_centre([ns for run in found for ns in run.wait_ns])
    bare_ns = _find_centre([ns for run in found for ns in run.bare_ns])
    truths = {kind: _list_truths(kind, found, wait_ns) for kind in KINDS}
    took_s = (time.monotonic() - started_s) / (runs + 1)
    title = (
        f"{runs} small runs of {workers} workers with {_compute_rounds()} rounds, "
        f"{neighbours} busy neighbours, {took_s:.1f} s a run; in percentage points"
    )
    rows = {names[kind]: _make_row(kind, found, truths[kind]) for kind in KINDS}
    notes = (
        "covered: real runs whose 95 % interval contains the truth, and the interval of that part;",
        f"if drawn: that of {RESAMPLED_RUNS} runs drawn from all workers, by their centre",
    )
    foot = f"bare call {bare_ns / 1e3:.1f} us, planted wait {wait_ns / 1e3:.2f} us"
    write_section(title, rows, HEADERS, output, foot, *notes)


def _compute_rounds() -> int:
    """Return how many rounds a block of so few cases has."""
    return ROUNDS * (MORE_ROUNDS if len(KINDS) + len(ALONE) <= FEW_CASES else 1)


def _measure(  # noqa: PLR0913, PLR0917 - what a run is made of
    launcher: ProcessLauncher,
    cases: Sequence[CaseInfo],
    names: Mapping[str, str],
    servers: Servers,
    first: int,
    workers: int,
    wait_ns: int,
) -> Run:
    _, (_, session) = create_sessions(launcher, cases, PROFILES["real"], servers=servers)
    session.effort = Effort(workers=workers, rounds=ROUNDS, window_ns=400_000, timed=0)
    waits = {"touched": NO_WAIT_NS, "planted": wait_ns}
    session.waits = {names[kind]: ns for kind, ns in waits.items()}
    session.waits |= dict(zip(ALONE, waits.values(), strict=True))
    run = Run()
    everything = [info.case.name for info in cases]
    for index in range(first, first + workers):
        for done in session.visit(index, everything):
            if isinstance(done.record, LoadRecord):
                _add_worker(run, done.record, names, session.records[ALONE[0]].control)
    return run


def _add_worker(run: Run, record: LoadRecord, names: Mapping[str, str], nothing: str) -> None:
    for kind, name in names.items():
        (control,) = (samples for key, samples in record.controls.items() if key != nothing)
        share = compute_share(record.operations[name], control)
        run.shares[kind] += [] if share is None else [share]
    run.bare_ns.append(compute_call_centre_ns(control) or 0.0)
    empty, wait = (record.operations[name] for name in ALONE)
    run.wait_ns.append(_find_centre(list(compute_overheads_ns(wait, empty))))


def _find_centre(values: Sequence[float]) -> float:
    return float(trimmed_mean(np.array(values)))


def _list_truths(kind: str, runs: Sequence[Run], wait_ns: float) -> list[float]:
    """Return the true share of each run; nobody knows that of the empty wait but all workers."""
    if kind == "empty":
        return [0.0] * len(runs)
    touched_ns = _find_centre(
        [
            share * ns
            for run in runs
            for share, ns in zip(run.shares["touched"], run.bare_ns, strict=True)
        ]
    )
    added_ns = touched_ns + (wait_ns if kind == "planted" else 0)
    return [added_ns / _find_centre(run.bare_ns) for run in runs]


def _make_row(kind: str, runs: Sequence[Run], truths: Sequence[float]) -> tuple[str, ...]:
    pool = np.concatenate([np.array(run.shares[kind]) for run in runs])
    centre = _find_centre(pool.tolist())
    seen = estimate_quantities([run.shares[kind] for run in runs])
    errors = [100 * (one.value - truth) for one, truth in zip(seen, truths, strict=True)]
    covered = sum(one.low <= truth <= one.high for one, truth in zip(seen, truths, strict=True))
    interval = binomtest(covered, len(runs)).proportion_ci()
    generator = np.random.default_rng(SEED)
    workers = len(runs[0].shares[kind])
    drawn = estimate_quantities(generator.choice(pool, (RESAMPLED_RUNS, workers)).tolist())
    resampled = np.mean([one.low <= centre <= one.high for one in drawn])
    uncertain = 1.96 * np.std(errors, ddof=1) / len(errors) ** 0.5
    return (
        f"{100 * float(np.median(truths)):.2f}",
        f"{100 * centre:.2f}",
        f"{np.mean(errors):+.2f} ± {uncertain:.2f}",
        f"{np.median([100 * (one.high - one.low) / 2 for one in seen]):.2f}",
        f"{covered / len(runs):.1%}",
        f"{interval.low:.0%} - {interval.high:.0%}",
        f"{resampled:.1%}",
    )


if __name__ == "__main__":
    main()
