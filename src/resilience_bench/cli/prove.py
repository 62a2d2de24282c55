"""The command that tests the gate on itself: real builds, and builds drawn from their workers."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from resilience_bench._model import CaseInfo, Signal
from resilience_bench.cli.console import make_console, make_progress_console
from resilience_bench.cli.options import FILE, build_output_path, signals_option
from resilience_bench.errors import UserError
from resilience_bench.files import atomic
from resilience_bench.files.checked_json import format_path
from resilience_bench.measure.counting import find_measurable_signals
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.selection import select
from resilience_bench.selftest import planting, proof_file
from resilience_bench.selftest.builds import (
    HEADERS,
    WORDS,
    Build,
    Kind,
    Rate,
    Size,
    Step,
    count_builds,
    find_missing_steps,
    format_cells,
    plan_builds,
)
from resilience_bench.selftest.calibration import QUANTITY
from resilience_bench.selftest.noise import keep_cores_busy
from resilience_bench.selftest.proof_file import Proof
from resilience_bench.selftest.runner import BuildRunner

GATES: Final = ("check", "compare")
HEALTHY_FACTOR: Final = 5
"""A rate that should be far below one in a hundred takes more builds to show."""
BUILDS: Final = 3
PLANTED_BUILDS: Final = 1
SIZES: Final = (2.0, 5.0, 10.0, 20.0)


@dataclass(frozen=True, slots=True)
class _Options:
    """What the command line asks for; ``builds`` and ``planted_builds`` if they were typed."""

    selectors: tuple[str, ...]
    signals: tuple[Signal, ...] | None
    gates: tuple[str, ...]
    percents: tuple[float, ...]
    waits: tuple[float, ...]
    builds: int | None
    planted_builds: int | None
    planted_cases: int
    counted_builds: int
    drawn: int
    neighbours: int
    output: Path | None

    @property
    def builds_are_asked_for(self) -> bool:
        """Whether an earlier proof goes on, and is not only drawn from."""
        return self.builds is not None or self.planted_builds is not None

    def plan(self, sizes: Sequence[float]) -> list[Step]:
        """The builds that are asked for."""
        planted: list[Size] = [(each, "work") for each in sizes]
        planted += [(each, "wait") for each in self.waits]
        builds, planted_builds = self.builds or BUILDS, self.planted_builds or PLANTED_BUILDS
        return plan_builds(self.gates, builds, planted, planted_builds)


@click.command()
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@click.option(
    "--plant",
    "percents",
    type=click.FloatRange(min=0.1),
    multiple=True,
    help="Per cent by which cases are made slower, by work; may be given several times.",
)
@click.option(
    "--wait",
    "waits",
    type=click.FloatRange(min=0.1),
    multiple=True,
    help="Per cent by which cases are made slower by waiting, which only latency sees.",
)
@click.option(
    "--builds",
    type=click.IntRange(min=1),
    show_default=str(BUILDS),
    help="Healthy real builds of each gate.",
)
@click.option(
    "--planted-builds",
    type=click.IntRange(min=1),
    show_default=str(PLANTED_BUILDS),
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
    help="Processes that burn a core each meanwhile; with --from as many as before.",
)
@click.option(
    "--counted-builds",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Builds of each kind that count instructions too; these hardly vary.",
)
@click.option("--gate", "gates", type=click.Choice(GATES), multiple=True, default=GATES)
@click.option("-o", "--output", type=FILE, help="Where to write the proof.")
@click.option(
    "--from",
    "earlier",
    type=FILE,
    help="Draw builds from this earlier proof and the folder of the same name; with --builds or "
    "--planted-builds go on with it: make the builds that are still missing, then draw.",
)
@signals_option
@click.pass_obj
def prove(launcher: Launcher, /, *, earlier: Path | None, **options: Any) -> int:
    """Test the gate on itself, on this machine: false alarms, and what it finds.

    Real builds go through the code of 'check' and 'compare'. Builds for rates that are too small to
    wait for are drawn from the workers of the real ones. Exit code 1 if a healthy real build
    failed, or if a real build with something planted did not. After an interruption --from goes on.
    """
    asked = _Options(**options)
    proving = (
        _resume_self_test(launcher, asked, earlier)
        if earlier
        else _start_self_test(launcher, asked)
    )
    try:
        proving.build()
        proving.draw()
    except KeyboardInterrupt:
        proving.write()
        click.echo(f"interrupted; {proving.explain_how_to_resume()}", err=True)
        raise
    _print(proving.rates, proving.prover.builds, make_console())
    click.echo(f"proof: {proving.path}")
    wrong = any(each.has_false_alarm or each.missed for each in proving.prover.builds)
    return 1 if wrong else 0


@dataclass(slots=True)
class _SelfTest:
    """A proof in the making: its file is brought up to date after every build and every rate."""

    prover: BuildRunner
    asked: _Options
    how: Proof
    path: Path
    plan: Sequence[Step]
    console: Console
    drawn: list[Rate] = field(default_factory=list)

    @property
    def rates(self) -> list[Rate]:
        """Those over real builds, then those over drawn ones."""
        return _estimate_real_rates(self.prover) + self.drawn

    def write(self) -> None:
        """Write what there is."""
        is_learned = self.prover.baseline is not None
        builds = tuple(self.prover.builds)
        held = dataclasses.replace(self.how, is_learned=is_learned, builds=builds)
        proof_file.write(held, self.rates, len(self.prover.cases), self.path)

    def explain_how_to_resume(self) -> str:
        """Where there is what, and how to go on with it."""
        path = format_path(self.path)
        if self.prover.baseline is None:
            return f"not everything was learned, so begin anew; what was measured is beside {path}"
        again = f"the same with --from {path}" if self.plan else "the same command again"
        return f"what was proven is in {path}; to go on, type {again}"

    def build(self) -> None:
        """Learn, unless that was done before, and make the builds of the plan."""
        is_learned = self.prover.baseline is not None
        with keep_cores_busy(self.how.neighbours if self.plan else 0):
            if not is_learned:
                self.prover.learn(self.how.signals)
            for number, step in enumerate(self.plan, start=1):
                self._build(number, *step)
                self.write()

    def _build(self, number: int, gate: str, size: float, kind: Kind) -> None:
        before = count_builds(self.prover.builds)[gate, size, kind]
        signals = self.how.signals
        timed = [each for each in signals if each == "latency"]
        counts = before < self.asked.counted_builds and kind == "work"
        chosen = signals if counts else timed or signals
        done = self.prover.run_build(gate, chosen, size, self.asked.planted_cases, kind)
        found = len(done.every_red & set(done.planted))
        self.console.print(
            f"{number} of {len(self.plan)}: {gate}, {size:g} % {kind if size else ''}"
            f"{' ' if size else ''}planted in {len(done.planted)}: "
            f"{found} found, {len(done.every_red) - found} others red, "
            f"{done.inconclusive} inconclusive, {done.seconds:.0f} s",
            highlight=False,
        )

    def draw(self) -> None:
        """Draw builds from what the healthy real ones have recorded."""
        self.prover.fill_pools()
        sizes = (0.0, *self.how.sizes)
        for gate, signal, size in itertools.product(self.asked.gates, self.how.signals, sizes):
            trials = self.asked.drawn if size else HEALTHY_FACTOR * self.asked.drawn
            with self.console.status(f"drawing builds: {gate}, {signal}, {size:g} %"):
                found = self.prover.estimate_simulated_rate(
                    gate, signal, size, trials, self.asked.planted_cases
                )
            self.drawn += [found] if found else []
            self.write()


def _start_self_test(launcher: Launcher, asked: _Options) -> _SelfTest:
    """A proof that learns first."""
    path = asked.output or build_output_path("prove")
    atomic.ensure_writable(path)
    signals, sizes = _select_signals(asked.signals), asked.percents or SIZES
    how = Proof(asked.neighbours, asked.selectors, signals, sizes)
    prover = BuildRunner(
        launcher, _select_cases(launcher, asked.selectors), path.with_suffix(""), sizes
    )
    prover.folder.mkdir(parents=True, exist_ok=True)
    return _SelfTest(prover, asked, how, path, asked.plan(sizes), make_progress_console())


def _resume_self_test(launcher: Launcher, asked: _Options, earlier: Path) -> _SelfTest:
    """A proof that goes on with an earlier one, or only draws from it."""
    before = proof_file.read(earlier)
    _ensure_learned(before, asked.signals or (), earlier)
    goes_on = asked.builds_are_asked_for
    path = asked.output or (earlier if goes_on else build_output_path("prove"))
    atomic.ensure_writable(path)
    how = dataclasses.replace(
        before,
        selectors=asked.selectors or before.selectors,
        signals=_select_signals(asked.signals or before.signals or None),
        sizes=asked.percents or before.sizes or SIZES,
    )
    prover = BuildRunner(
        launcher, _select_cases(launcher, how.selectors), earlier.with_suffix(""), how.sizes
    )
    console = make_progress_console()
    for note in prover.load(before.builds, how.signals):
        console.print(note, highlight=False, markup=False, soft_wrap=True)
    plan = find_missing_steps(asked.plan(how.sizes), before.builds) if goes_on else []
    if plan and path.resolve() != earlier.resolve():
        # The earlier proof stays as it is.
        prover.folder = path.with_suffix("")
        shutil.copytree(earlier.with_suffix(""), prover.folder, dirs_exist_ok=True)
    return _SelfTest(prover, asked, how, path, plan, console)


def _ensure_learned(before: Proof, signals: Sequence[Signal], earlier: Path) -> None:
    if not before.is_learned:
        message = (
            f"{format_path(earlier)}: it was interrupted before it had learned what is "
            "acceptable, so "
            "there is nothing to go on from; type 'resilience-bench prove' without --from"
        )
        raise UserError(message)
    if unknown := set(signals) & set(QUANTITY) - set(before.signals):
        left = f"leave it out with --signals {','.join(before.signals)}"
        message = f"{format_path(earlier)}: {', '.join(sorted(unknown))} was not learned; {left}"
        raise UserError(message)


def _select_signals(signals: Sequence[Signal] | None) -> tuple[Signal, ...]:
    """Those of the signals that are proven, and can be measured here."""
    available, lacking = find_measurable_signals(signals)
    chosen = tuple(each for each in available if each in QUANTITY)
    if not chosen:
        reason = "; ".join(lacking.values())
        raise UserError(reason or f"expected --signals with one of {', '.join(QUANTITY)}")
    return chosen


def _select_cases(launcher: Launcher, selectors: Sequence[str]) -> tuple[CaseInfo, ...]:
    """The selected cases, and the one that shows what planting costs."""
    cases = select(launcher, selectors).cases
    if planting.PROBE not in {info.case.name for info in cases}:
        cases += select(launcher, [planting.PROBE]).cases
    return cases


def _estimate_real_rates(prover: BuildRunner) -> list[Rate]:
    sizes = sorted({(each.planted_percent, each.kind) for each in prover.builds})
    every = [
        prover.estimate_real_rate(gate, signal, percent, kind)
        for gate, signal, (percent, kind) in itertools.product(GATES, QUANTITY, sizes)
    ]
    return [each for each in every if each.trials]


def _print(rates: Sequence[Rate], builds: Sequence[Build], console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for position, name in enumerate(HEADERS):
        table.add_column(name, justify="left" if position < WORDS else "right")
    for each in rates:
        table.add_row(*format_cells(each))
    console.print(table)
    for gate, healthy in itertools.product(GATES, (True, False)):
        took = [
            each.seconds
            for each in builds
            if each.gate == gate and (not each.planted_percent) is healthy
        ]
        if took:
            kind = "healthy" if healthy else "planted"
            seconds = f"{min(took):.0f} to {max(took):.0f} s a build"
            console.print(f"{gate}, {kind}: {seconds}", highlight=False)
