"""The command that tests the gate on itself: real builds, and builds drawn from their workers."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.table import Table

from resilience_bench import proof, results
from resilience_bench._model import Signal
from resilience_bench.cli_options import default_output, signals_option
from resilience_bench.compare import COMPARED, TOLERANCES
from resilience_bench.environment import current_environment, load_average
from resilience_bench.errors import UserError
from resilience_bench.gate import Policy
from resilience_bench.launcher import Launcher
from resilience_bench.prover import QUANTITY, Build, Prover, busy_neighbours
from resilience_bench.selection import select
from resilience_bench.signals import SIGNALS, not_available

GATES: Final = ("check", "compare")
HEALTHY_TIMES: Final = 5


@click.command()
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@click.option(
    "--plant",
    "percents",
    type=click.FloatRange(min=0.1),
    multiple=True,
    help="Per cent by which cases are made slower; may be given several times.",
)
@click.option(
    "--builds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Healthy real builds of each gate.",
)
@click.option(
    "--planted-builds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Real builds of each gate with each size planted.",
)
@click.option(
    "--planted-cases",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="How many cases are planted in each of them.",
)
@click.option(
    "--drawn",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Builds drawn from recorded workers, of each kind.",
)
@click.option(
    "--neighbours",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Processes that burn a core each meanwhile.",
)
@click.option(
    "--counted-builds",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Builds of each kind that count instructions too; these hardly vary.",
)
@click.option("--gate", "gates", type=click.Choice(GATES), multiple=True, default=GATES)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write the proof.")
@click.option(
    "--from",
    "earlier",
    type=click.Path(path_type=Path),
    help="Draw builds from this earlier proof and the folder of the same name; measure nothing.",
)
@signals_option
@click.pass_obj
def prove(  # noqa: PLR0913 - one argument an option
    launcher: Launcher,
    /,
    *,
    selectors: tuple[str, ...],
    percents: tuple[float, ...],
    builds: int,
    planted_builds: int,
    planted_cases: int,
    drawn: int,
    counted_builds: int,
    neighbours: int,
    gates: tuple[str, ...],
    output: Path | None,
    earlier: Path | None,
    signals: tuple[Signal, ...] | None,
) -> int:
    """Test the gate on itself, on this machine: false alarms, and what it finds.

    Real builds go through the code of 'check' and 'compare'. Builds for rates that are too small to
    wait for are drawn from the workers of the real ones. Exit code 1 if a healthy real build
    failed, or if a real build with something planted did not.
    """
    path = output or default_output("prove")
    results.ensure_writable(path)
    folder = path.with_suffix("")
    if earlier is None:
        folder.mkdir(parents=True, exist_ok=True)
    missing = not_available()
    wanted = tuple(each for each in signals or SIGNALS if each in QUANTITY and each not in missing)
    cases = select(launcher, selectors).cases
    if proof.PROBE not in {info.case.name for info in cases}:
        cases += select(launcher, [proof.PROBE]).cases
    sizes = percents or (5.0, 10.0, 20.0)
    prover = Prover(launcher, cases, folder, sizes)
    plan = _plan(gates, builds, sizes, planted_builds)
    if earlier is not None:
        neighbours, plan = _taken_up(prover, earlier, wanted), []
    console = Console(stderr=True)
    with contextlib.suppress(KeyboardInterrupt), busy_neighbours(neighbours if plan else 0):
        if earlier is None:
            prover.learn(wanted)
        for number, (gate, size) in enumerate(plan, start=1):
            before = sum(
                (each.gate, each.planted_percent) == (gate, size) for each in prover.builds
            )
            timed = [each for each in wanted if each == "latency" or before < counted_builds]
            done = prover.build(gate, timed or wanted, size, planted_cases)
            red = {name for each in done.red.values() for name in each}
            console.print(
                f"{number} of {len(plan)}: {gate}, {size:g} % planted in {len(done.planted)}: "
                f"{len(red & set(done.planted))} found, {len(red - set(done.planted))} others red, "
                f"{done.inconclusive} inconclusive, {done.seconds:.0f} s",
                highlight=False,
            )
            _write(path, prover, _real_rates(prover, wanted, gates, sizes), neighbours)
    rates = _real_rates(prover, wanted, gates, sizes)
    prover.pool_counts()
    for gate in gates:
        for signal in wanted:
            for size in (0.0, *sizes):
                # A rate that should be far below one in a hundred takes more builds to show.
                trials = drawn if size else HEALTHY_TIMES * drawn
                with console.status(f"drawing builds: {gate}, {signal}, {size:g} %"):
                    found = prover.drawn(gate, signal, size, trials, planted_cases)
                rates += [found] if found else []
                _write(path, prover, rates, neighbours)
    _print(rates, prover.builds, Console())
    click.echo(f"proof: {path}")
    alarms = any(each.red_for_nothing for each in map(_Told, prover.builds))
    missed = any(each.missed for each in map(_Told, prover.builds))
    return 1 if alarms or missed else 0


def _plan(
    gates: Sequence[str], builds: int, sizes: Sequence[float], planted_builds: int
) -> list[tuple[str, float]]:
    """Gates and sizes in the order of the builds; what is planted comes early, among the others."""
    plan = [(gate, 0.0) for _ in range(builds) for gate in gates]
    for number in range(planted_builds):
        for place, size in enumerate(sizes):
            spot = (number * len(sizes) + place + 1) * len(gates) * 2
            plan[spot:spot] = [(gate, size) for gate in gates]
    return plan


def _taken_up(prover: Prover, earlier: Path, signals: Sequence[Signal]) -> int:
    """Load an earlier proof; returns how many neighbours it had."""
    try:
        stored = msgspec.json.decode(earlier.read_bytes())
        builds = msgspec.convert(stored["builds"], list[Build])
        prover.folder = earlier.with_suffix("")
        prover.load(builds, signals)
    except (OSError, KeyError, IndexError, TypeError, msgspec.MsgspecError) as error:
        message = (
            f"{earlier}: expected what 'resilience-bench prove' wrote, with the folder "
            f"{earlier.with_suffix('')} beside it; found {error}; type 'resilience-bench prove'"
        )
        raise UserError(message) from error
    return int(stored["neighbours"])


@dataclass(frozen=True, slots=True)
class _Told:
    build: Build

    @property
    def red_for_nothing(self) -> bool:
        red = {name for each in self.build.red.values() for name in each}
        return bool(red - set(self.build.planted))

    @property
    def missed(self) -> bool:
        return bool(self.build.planted) and not any(self.build.red.values())


def _real_rates(
    prover: Prover, signals: Sequence[str], gates: Sequence[str], sizes: Sequence[float]
) -> list[proof.Rate]:
    every = [
        prover.real(gate, signal, size)
        for gate in gates
        for signal in signals
        for size in (0.0, *sizes)
    ]
    return [each for each in every if each.trials]


def _write(path: Path, prover: Prover, rates: Sequence[proof.Rate], neighbours: int) -> None:
    stored = {
        "schema": 1,
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "environment": dataclasses.asdict(current_environment()),
        "neighbours": neighbours,
        "load_average": load_average(),
        "cases": len(prover.cases),
        "policies": {
            "check": dataclasses.asdict(Policy()),
            "compare": dataclasses.asdict(COMPARED),
            "tolerances": dict(TOLERANCES),
        },
        "rates": [dataclasses.asdict(each) for each in rates],
        "builds": [dataclasses.asdict(each) for each in prover.builds],
    }
    results.write_text(json.dumps(stored, indent=1) + "\n", path)


def _print(rates: Sequence[proof.Rate], builds: Sequence[Build], console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("gate", "signal", "builds", "planted", "outcome"):
        table.add_column(name)
    for name in ("seen", "rate", "95 % interval"):
        table.add_column(name, justify="right")
    for each in rates:
        table.add_row(
            each.gate,
            each.signal,
            each.builds,
            f"{each.planted_percent:g} %" if each.planted_percent else "nothing",
            each.outcome,
            f"{each.hits} of {each.trials}",
            f"{each.hits / each.trials:.2%}",
            f"{each.low:.2%} - {each.high:.2%}",
        )
    console.print(table)
    for gate in GATES:
        for healthy in (True, False):
            took = [
                each.seconds
                for each in builds
                if each.gate == gate and (not each.planted_percent) is healthy
            ]
            if took:
                kind = "healthy" if healthy else "planted"
                console.print(
                    f"{gate}, {kind}: {min(took):.0f} to {max(took):.0f} s a build",
                    highlight=False,
                )
