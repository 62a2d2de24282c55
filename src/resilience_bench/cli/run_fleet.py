"""A run whose cases the hosts of a fleet measure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from resilience_bench._model import Result, Signal
from resilience_bench.cli import measuring
from resilience_bench.cli.console import make_console
from resilience_bench.cli.fleet_jobs import ENDING, explain_how_to_go_on, open_fleet
from resilience_bench.files import results
from resilience_bench.fleet.choice import FleetChoice
from resilience_bench.fleet.run import join_results, measure_cases
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import create_sessions
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.selection import select
from resilience_bench.measure.session import Profile
from resilience_bench.report import summary, table
from resilience_bench.stats.latency import estimate


def run_on_fleet(  # noqa: PLR0913, PLR0917 - what a run is
    fleet: FleetChoice,
    launcher: Launcher,
    selectors: Sequence[str],
    profile: Profile,
    signals: Sequence[Signal] | None,
    path: Path,
) -> int:
    """Have a fleet measure, write the file and show it."""
    selection = select(launcher, selectors, profile=profile.name)
    session, loaded = create_sessions(launcher, selection.cases, profile)
    available, lacking = measuring.select_signals(signals, session, loaded)
    recording = Recording(
        session.records, profile.name, path, selectors, selection.problems, available, lacking
    )
    journal = path.with_name(path.name + ENDING)
    try:
        with open_fleet(fleet, selection.cases, available, journal) as (job, show):
            parts = measure_cases(job, selection.cases, profile, available, show)
    except KeyboardInterrupt:
        click.echo(explain_how_to_go_on(journal, path), err=True)
        raise click.Abort from None
    measured = join_results(recording.result(complete=True), parts)
    results.write(measured, path)
    journal.unlink()
    show_result(measured, path)
    return measuring.report_end([measured], [path])


def show_result(measured: Result, path: Path) -> None:
    """Show the table of a run, or a summary of many cases."""
    measurements, console = estimate(measured), make_console()
    if summary.is_large(measurements):
        summary.render(summary.summarise_run(measured, measurements), measured, console, path)
    else:
        table.render(measured, measurements, "latency", console)
