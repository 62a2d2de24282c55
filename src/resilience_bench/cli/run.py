"""The command that measures."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from resilience_bench._model import Signal
from resilience_bench.cli import (
    options,
    run_drift,
    run_python,
)
from resilience_bench.cli.console import make_console, make_progress_console
from resilience_bench.cli.measuring import select_signals
from resilience_bench.cli.options import FILE, INTERRUPTED
from resilience_bench.cli.progress import show_progress
from resilience_bench.errors import UserError
from resilience_bench.files import atomic
from resilience_bench.measure.counting import find_measurable_signals, measure_signals
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import LoadSession, create_sessions
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.selection import select
from resilience_bench.measure.session import PROFILES, Profile, Session
from resilience_bench.report import table
from resilience_bench.stats.latency import estimate

DRIFT_ALONE: Final = (
    "--drift looks at the cost and the memory of one caller, so it goes without --signals, "
    "--python and --profile concurrency; leave one of them out"
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
@click.option("--time-limit", type=click.FloatRange(min=1), help="Seconds that a worker may take.")
@options.signals_option
@click.option(
    "--drift",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="Keep each case going for so long; does its cost or memory grow with its calls?",
)
@click.option(
    "--python",
    "pythons",
    multiple=True,
    metavar="PATH",
    help="Measure under this interpreter as well, side by side; may be given several times.",
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
    """Measure cases, write a results file and print the table.

    A SELECTOR is a pattern over case names ('breaker.*', '*[tenacity*'; only * and ? are special)
    or the path of a file or folder with scenarios of your own. Paths say where to look, patterns
    say which of the cases there to take.
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
    """Measure under the interpreter that this runs in, write the file and print the table."""
    atomic.ensure_writable(path)
    selection = select(launcher, selectors, loaded=chosen.name == "concurrency")
    session, loaded = create_sessions(launcher, selection.cases, chosen)
    available, lacking = find_measurable_signals(select_signals(signals, session, loaded))
    if not available:
        raise UserError("; ".join(lacking.values()))
    recording = Recording(
        session.records,
        chosen.name,
        path,
        selectors,
        selection.problems,
        available,
        lacking,
    )
    try:
        completed = _measure(session, loaded, recording, available)
    except UserError:
        recording.write(complete=False)
        raise
    result = recording.write(complete=completed)
    table.render(result, estimate(result), "latency", make_console())
    code = options.report_problems(selection.problems)
    if not completed:
        click.echo(f"interrupted; what was measured is in {path}", err=True)
        return INTERRUPTED
    click.echo(f"results: {path}")
    return options.choose_exit_code(result) or code


def _measure(
    session: Session, loaded: LoadSession, recording: Recording, signals: Sequence[Signal]
) -> bool:
    try:
        with show_progress(session, make_progress_console(), signals, loaded) as show:
            under_load = loaded.run() if "scaling" in signals else iter(())
            for done in itertools.chain(measure_signals(session, signals), under_load):
                recording.add(done)
                show(done)
    except KeyboardInterrupt:
        return False
    return True
