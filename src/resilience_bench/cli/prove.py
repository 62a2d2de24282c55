"""The command that tests the gate on itself: real builds, and builds drawn from their workers."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from resilience_bench.cli.console import make_console, make_progress_console
from resilience_bench.cli.fleet_jobs import ENDING, explain_how_to_go_on, open_fleet
from resilience_bench.cli.options import FILE, add_fleet_options, build_output_path, signals_option
from resilience_bench.cli.progress import show_progress
from resilience_bench.errors import UserError, format_amount
from resilience_bench.files import atomic
from resilience_bench.fleet.choice import FleetChoice
from resilience_bench.measure.launcher import Launcher
from resilience_bench.selftest import proof_file
from resilience_bench.selftest import self_test as self_tests
from resilience_bench.selftest.builds import (
    HEADERS,
    POLICIES,
    WORDS,
    Rate,
    describe_noise_floor,
    estimate_real_rates,
    format_cells,
)
from resilience_bench.selftest.noise import keep_cores_busy
from resilience_bench.selftest.proof_file import Proof
from resilience_bench.selftest.self_test import BUILDS, PLANTED_BUILDS

GATES: Final = tuple(POLICIES)
SLOWER: Final = "Per cent by which cases are made slower"

size_option = functools.partial(click.option, type=click.FloatRange(min=0.1), multiple=True)
some_option = functools.partial(click.option, type=click.IntRange(min=1))
count_option = functools.partial(click.option, type=click.IntRange(min=0))


@click.command(context_settings={"show_default": True})
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@size_option("--plant", "percents", help=f"{SLOWER} by work; repeatable.")
@size_option("--wait", "waits", help=f"{SLOWER} by waiting; repeatable.")
@some_option("--builds", show_default=str(BUILDS), help="Healthy real builds of each gate.")
@some_option(
    "--planted-builds",
    show_default=str(PLANTED_BUILDS),
    help="Real builds of each gate with each size planted.",
)
@some_option("--planted-cases", default=8, help="Cases made slower in each planted build.")
@count_option("--drawn", default=1000, help="Builds of each kind drawn from recorded workers.")
@count_option(
    "--neighbours",
    default=0,
    help="Processes that keep one core busy each meanwhile; --from uses the earlier number.",
)
@count_option(
    "--counted-builds",
    default=1,
    help="Builds of each kind that also count instructions, which hardly vary.",
)
@click.option("--gate", "gates", type=click.Choice(GATES), multiple=True, default=GATES)
@click.option("-o", "--output", type=FILE, help="Where to write the proof.")
@click.option(
    "--from",
    "earlier",
    type=FILE,
    help="Draw builds from an earlier proof and its folder; with --builds or --planted-builds "
    "run its missing builds first.",
)
@signals_option
@add_fleet_options
@click.pass_obj
def prove(
    launcher: Launcher,
    /,
    *,
    earlier: Path | None,
    output: Path | None,
    fleet: FleetChoice | None,
    **options: Any,
) -> int:
    """Test the gate on itself, on this machine: its false alarms, and what it detects.

    Real builds run the code of 'check' and 'compare'. Rates too small for them are estimated from
    builds that are drawn from their workers. Exit code 1 if a healthy real build failed, or one
    with planted slowdowns did not. --from continues after an interruption.
    """
    chosen = self_tests.SelfTestOptions(**options)
    if fleet:
        return _prove_on_fleet(fleet, launcher, chosen, earlier, output)
    path = output or (earlier if chosen.runs_builds else None) or build_output_path("prove")
    console = make_progress_console()
    self_test = self_tests.prepare_self_test(launcher, chosen, earlier, path, console)
    try:
        _run(self_test, console)
    except KeyboardInterrupt:
        self_test.write()
        click.echo(f"interrupted; {self_test.explain_how_to_resume()}", err=True)
        raise click.Abort from None
    _print(self_test.rates, self_test.proof, make_console())
    for floor in self_test.noise_floors:
        click.echo(describe_noise_floor(floor))
    click.echo(f"proof: {path}")
    return _choose_exit_code(self_test.proof)


def _choose_exit_code(proof: Proof) -> int:
    return int(any(build.has_false_alarm or build.missed for build in proof.builds))


def _prove_on_fleet(
    choice: FleetChoice,
    launcher: Launcher,
    options: self_tests.SelfTestOptions,
    earlier: Path | None,
    output: Path | None,
) -> int:
    from resilience_bench.selftest import fleet as fleets  # noqa: PLC0415 - few want it

    if earlier:
        raise UserError(
            "--from continues a proof of this machine alone, which has its measurements in a "
            "folder; a fleet goes on by itself: leave out --from, or --fleet"
        )
    path = output or build_output_path("prove")
    atomic.ensure_writable(path)
    journal = path.with_name(path.name + ENDING)
    signals = self_tests.select_signals(options.signals)
    wanted = Proof(neighbours=options.neighbours, sizes=options.percents or self_tests.SIZES)
    steps = self_tests.find_missing_steps(options, wanted)
    cases = self_tests.select_cases(launcher, options.selectors)
    try:
        with open_fleet(choice, cases, signals, journal) as (job, show):
            found = fleets.prove(job, replace(options, signals=signals), steps, show)
    except KeyboardInterrupt:
        click.echo(explain_how_to_go_on(journal, path), err=True)
        raise click.Abort from None
    rates = [*estimate_real_rates(found.proof.builds), *found.drawn]
    findings = proof_file.Findings(rates, found.cases, environment=found.environment)
    proof_file.write(found.proof, findings, path)
    journal.unlink()
    _print(rates, found.proof, make_console())
    hosts = format_amount(len(found.hosts), "host")
    click.echo(f"proof: {path}, by {hosts}: {', '.join(found.hosts)}")
    return _choose_exit_code(found.proof)


def _run(self_test: self_tests.SelfTest, console: Console) -> None:
    calibration = self_test.calibration
    if self_test.steps or calibration is None:
        title = f"testing the gate with {format_amount(len(self_test.steps), 'build')}"
        with (
            keep_cores_busy(self_test.proof.neighbours),
            show_progress(console, title, {"": None}) as self_test.runner.show,
        ):
            calibration = self_test.measure()
    self_test.simulate(calibration)


def _print(rates: Sequence[Rate], proof: Proof, console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for position, name in enumerate(HEADERS):
        table.add_column(name, justify="left" if position < WORDS else "right")
    for rate in rates:
        table.add_row(*format_cells(rate))
    console.print(table)
    seconds = defaultdict[tuple[str, str], list[float]](list)
    for build in proof.builds:
        seconds[build.gate, "planted" if build.planted_percent else "healthy"].append(build.seconds)
    for (gate, kind), durations_s in sorted(seconds.items()):
        text = f"{gate}, {kind}: {min(durations_s):.0f} to {max(durations_s):.0f} s a build"
        console.print(text, highlight=False)
