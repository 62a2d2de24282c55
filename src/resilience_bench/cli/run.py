"""The command that measures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from resilience_bench._model import Signal
from resilience_bench.cli import options, run_drift, run_python
from resilience_bench.cli.console import make_console, make_progress_console
from resilience_bench.cli.measuring import (
    record_blocks,
    report_end,
    require_signals,
    select_signals,
)
from resilience_bench.cli.options import FILE
from resilience_bench.cli.progress import show_progress
from resilience_bench.errors import UserError
from resilience_bench.files import atomic
from resilience_bench.measure.interleave import measure_interleaved
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import LoadSession, create_sessions
from resilience_bench.measure.measured_variant import MeasuredVariant
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.selection import select
from resilience_bench.measure.session import PROFILES, Profile, Session
from resilience_bench.report import summary_table, table
from resilience_bench.report.summary import is_large, summarise_run
from resilience_bench.stats.latency import estimate

DRIFT_ALONE: Final = (
    "--drift measures the cost and the memory of one caller; it cannot be combined with "
    "--signals, --python or --profile concurrency; leave one of them out"
)


@click.command()
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default="quick",
    show_default=True,
    help="How much to measure.",
)
@click.option("-o", "--output", type=FILE, help="Where to write the results file.")
@click.option("--time-limit", type=click.FloatRange(min=1), help="Maximum seconds per worker.")
@options.signals_option
@click.option(
    "--drift",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="Repeat each case for this long; do cost or memory grow with the number of calls?",
)
@click.option(
    "--python",
    "pythons",
    multiple=True,
    metavar="PATH",
    help="Also measure under this interpreter, side by side; may be repeated.",
)
@click.pass_obj
def run(  # noqa: PLR0913 - one argument an option
    launcher: Launcher,
    /,
    *,
    selectors: tuple[str, ...],
    profile: str,
    output: Path | None,
    time_limit: float | None,
    signals: tuple[Signal, ...] | None,
    drift: float | None,
    pythons: tuple[str, ...],
) -> int:
    """Measure cases, write a results file and show the table, or a summary of many cases.

    A SELECTOR is a pattern of case names ('breaker.*', '*[tenacity*'; only * and ? are special)
    or the path of a file or folder with your own scenarios. Patterns select among the cases found
    in the paths.
    """
    chosen = PROFILES[profile]
    if time_limit is not None:
        chosen = dataclasses.replace(chosen, time_limit_s=time_limit)
    if drift is not None:
        if profile == "concurrency" or signals or pythons:
            raise UserError(DRIFT_ALONE)
        return run_drift.run_drift(launcher, selectors, drift, chosen, output)
    if pythons:
        return run_python.run_under_interpreters(
            launcher, selectors, pythons=pythons, profile=chosen, signals=signals, output=output
        )
    return _run_here(
        launcher, selectors, chosen, signals, output or options.build_output_path("run")
    )


def _run_here(
    launcher: Launcher,
    selectors: Sequence[str],
    chosen: Profile,
    signals: Sequence[Signal] | None,
    path: Path,
) -> int:
    """Measure under the interpreter that this runs in, write the file and show it."""
    atomic.ensure_writable(path)
    selection = select(launcher, selectors, loaded=chosen.name == "concurrency")
    session, loaded = create_sessions(launcher, selection.cases, chosen)
    available, lacking = require_signals(select_signals(signals, session, loaded))
    recording = Recording(
        session.records,
        chosen.name,
        path,
        selectors,
        selection.problems,
        available,
        lacking,
    )
    with show_progress(
        make_progress_console(),
        f"measuring {', '.join(available)} of {len(selection.cases)} cases ({chosen.name})",
        _count_visits(session, loaded, available),
    ) as show:
        variant = MeasuredVariant(session, recording, loaded)
        completed = record_blocks(
            (("", done) for _, done in measure_interleaved([variant], available)),
            {"": recording},
            lambda _, done: show(done, done.signal),
        )
    result = recording.write(complete=completed)
    measurements, console = estimate(result), make_console()
    if is_large(measurements):
        summary_table.render(summarise_run(result, measurements), result, console, path)
    else:
        table.render(result, measurements, "latency", console)
    return report_end([result], [path], selection.problems, completed=completed)


def _count_visits(
    session: Session, loaded: LoadSession, signals: Sequence[Signal]
) -> dict[str, int | None]:
    """Count how often cases will be visited, by signal; a count visits each case once."""
    visits: dict[str, int | None] = {}
    for signal in signals:
        if signal == "scaling":
            visits[signal] = len(loaded.cases) * loaded.effort.workers
        else:
            workers = session.profile.workers if signal == "latency" else 1
            visits[signal] = len(session.cases) * workers
    return visits
