"""The command that measures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from resilience_bench._cases import CHAOS
from resilience_bench._model import Signal
from resilience_bench.cli import measuring, options, run_fleet, run_long, run_python
from resilience_bench.errors import UserError, format_amount
from resilience_bench.files import atomic
from resilience_bench.fleet.choice import FleetChoice
from resilience_bench.measure.interleave import MeasuredVariant, measure_interleaved
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import create_sessions
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.selection import select
from resilience_bench.measure.session import PROFILES, Profile

FLEET_ALONE: Final = (
    "--fleet measures cases as they are on each host; it cannot be combined with --drift, --python "
    "or --profile chaos; leave one of them out"
)
DRIFT_ALONE: Final = (
    "--drift measures the cost and the memory of one caller; it cannot be combined with "
    "--signals, --python, --profile concurrency or chaos; leave one of them out"
)


@click.command()
@options.selectors_argument
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default="quick",
    help="How much to measure.",
)
@click.option("-o", "--output", type=options.FILE, help="Where to write the results file.")
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
@options.add_fleet_options
@click.pass_context
def run(  # noqa: PLR0913 - one argument an option
    context: click.Context,
    /,
    *,
    selectors: tuple[str, ...],
    profile: str,
    output: Path | None,
    time_limit: float | None,
    signals: tuple[Signal, ...] | None,
    drift: float | None,
    pythons: tuple[str, ...],
    fleet: FleetChoice | None,
) -> int:
    """Measure cases, write a results file and show the table, or a summary of many cases.

    A SELECTOR is a pattern of case names ('breaker.*', '*[tenacity*'; only * and ? are special)
    or the path of a file or folder with your own scenarios. Patterns select among the cases found
    in the paths.
    """
    launcher: Launcher = context.obj
    chosen = PROFILES[profile]
    if time_limit is not None:
        chosen = dataclasses.replace(chosen, time_limit_s=time_limit)
    path = output or options.build_output_path("run")
    if fleet and (drift is not None or profile == CHAOS or pythons):
        raise UserError(FLEET_ALONE)
    others = {
        "profile": profile in {"concurrency", CHAOS},
        "signals": bool(signals),
        "pythons": bool(pythons),
    }
    if drift is not None and _chooses_drift(context, [name for name in others if others[name]]):
        atomic.ensure_writable(path)
        return run_long.run_drift(launcher, selectors, drift, chosen, path)
    if profile == CHAOS:
        atomic.ensure_writable(path)
        return run_long.run_outages(context, selectors, chosen, path)
    if pythons:
        return run_python.run_under_interpreters(
            launcher, selectors, pythons=pythons, profile=chosen, signals=signals, stem=path
        )
    atomic.ensure_writable(path)
    if fleet:
        return run_fleet.run_on_fleet(fleet, launcher, selectors, chosen, signals, path)
    return _run_here(launcher, selectors, chosen, signals, path)


def _chooses_drift(context: click.Context, conflicting: Sequence[str]) -> bool:
    """Return whether to measure drift: what was typed goes before a project's defaults."""
    is_typed = options.was_typed(context, "drift")
    if conflicting and is_typed == any(options.was_typed(context, name) for name in conflicting):
        raise UserError(DRIFT_ALONE)
    return is_typed or not conflicting


def _run_here(
    launcher: Launcher,
    selectors: Sequence[str],
    chosen: Profile,
    signals: Sequence[Signal] | None,
    path: Path,
) -> int:
    """Measure under the interpreter that this runs in, write the file and show it."""
    options.report_outdated_install()
    selection = select(launcher, selectors, profile=chosen.name)
    servers = measuring.open_servers()
    session, loaded = create_sessions(launcher, selection.cases, chosen, servers=servers)
    available, lacking = measuring.select_signals(signals, session, loaded)
    recording = Recording(
        session.records, chosen.name, path, selectors, selection.problems, available, lacking
    )
    variant = MeasuredVariant(session, recording, loaded)
    measured = measuring.measure_variants(
        measure_interleaved([variant], available),
        [variant],
        f"measuring {', '.join(available)} of {format_amount(len(selection.cases), 'case')} "
        f"({chosen.name})",
        {signal: variant.count_visits([signal]) for signal in available},
        lambda _, done: (done.signal, ""),
    )
    run_fleet.show_result(measured[0], path)
    return measuring.report_end(measured, [path])
