"""The self-test of the gate: what is left to do for a proof, and the doing of it."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from rich.console import Console

from resilience_bench._model import CaseInfo, Signal
from resilience_bench.errors import UnknownSelectorError, UserError, format_amount, format_names
from resilience_bench.files import atomic
from resilience_bench.files.checked_json import format_path
from resilience_bench.measure.counting import find_measurable_signals
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.selection import select
from resilience_bench.selftest import builds, proof_file
from resilience_bench.selftest.builds import QUANTITY, Build, Step
from resilience_bench.selftest.calibration import PROBE, Calibration, read_calibration
from resilience_bench.selftest.proof_file import Proof
from resilience_bench.selftest.runner import BuildRunner
from resilience_bench.selftest.simulation import (
    Pool,
    estimate_noise_floor,
    read_pools,
    simulate_outcomes,
)

HEALTHY_FACTOR: Final = 5
"""How many times more healthy builds are drawn: their rate should be far below one per cent."""
BUILDS: Final = 3
PLANTED_BUILDS: Final = 1
SIZES: Final = (2.0, 5.0, 10.0, 20.0)


@dataclass(frozen=True, slots=True)
class SelfTestOptions:
    """The options of ``prove``; ``builds`` and ``planted_builds`` are None unless typed."""

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

    @property
    def runs_builds(self) -> bool:
        """Whether an earlier proof gets the builds that it lacks."""
        return bool(self.builds or self.planted_builds)


@dataclass(slots=True)
class SelfTest:
    """A self-test in progress: builds done and steps left; written after every build and rate."""

    runner: BuildRunner
    options: SelfTestOptions
    proof: Proof
    path: Path
    steps: Sequence[Step]
    calibration: Calibration | None
    console: Console
    simulated: list[builds.Rate] = field(default_factory=list)
    noise_floors: list[builds.NoiseFloor] = field(default_factory=list)

    @property
    def rates(self) -> list[builds.Rate]:
        """The rates over real builds, then those over drawn ones."""
        return builds.estimate_real_rates(self.proof.builds) + self.simulated

    def write(self) -> None:
        """Write the proof so far."""
        found = proof_file.Findings(self.rates, len(self.runner.cases), self.noise_floors)
        proof_file.write(self.proof, found, self.path)

    def measure(self) -> Calibration:
        """Learn, unless that is done, and run the builds that are left."""
        if self.calibration is None:
            self.calibration = self.runner.learn(self.proof.signals)
            self.proof = replace(self.proof, is_learned=True)
        for number, step in enumerate(self.steps, start=1):
            build = self._run_build(step, self.calibration)
            self.proof = replace(self.proof, builds=(*self.proof.builds, build))
            line = f"{number} of {len(self.steps)}: {describe_build(build)}"
            self.console.print(line, highlight=False)
            self.write()
        return self.calibration

    def _run_build(self, step: Step, calibration: Calibration) -> Build:
        done, signals = self.proof.builds, self.proof.signals
        alike = sum(build.step == step for build in done)
        _, percent, kind = step
        if "latency" in signals and (alike >= self.options.counted_builds or kind == "wait"):
            signals = ("latency",)
        planted = self._choose_cases(signals[0], calibration) if percent else []
        return self.runner.run_build(len(done) + 1, step, signals, planted, calibration)

    def _choose_cases(self, signal: Signal, calibration: Calibration) -> list[str]:
        names = [info.case.name for info in self.runner.cases]
        least_percent = min(self.proof.sizes)
        return calibration.choose_cases(names, signal, least_percent, self.options.planted_cases)

    def simulate(self, calibration: Calibration) -> None:
        """Estimate rates over builds that are drawn from the workers of the healthy real ones."""
        names = {info.case.name for info in self.runner.cases}
        pools = read_pools(self.runner.folder, self.proof.builds, names)
        latencies = {gate: pools.get((gate, "latency"), Pool({})) for gate in self.options.gates}
        floors = (estimate_noise_floor(gate, pool) for gate, pool in latencies.items())
        self.noise_floors = list(filter(None, floors))
        sizes = (0.0, *self.proof.sizes)
        for gate, signal, size in itertools.product(self.options.gates, self.proof.signals, sizes):
            criteria = self.runner.make_criteria(gate, [signal], calibration)
            pool = pools.get((gate, signal), Pool({}))
            known = [criterion for criterion in criteria if criterion.key in pool.numbers]
            if known and self.options.drawn:
                with self.console.status(f"drawing builds: {gate}, {signal}, {size:g} %"):
                    outcomes = simulate_outcomes(
                        known,
                        pool,
                        builds.POLICIES[gate],
                        percent=size,
                        cases=self._choose_cases(signal, calibration) or [""],
                        trials=self.options.drawn * (1 if size else HEALTHY_FACTOR),
                    )
                rate = builds.estimate_rate((gate, size, "work"), signal, "drawn", outcomes)
                self.simulated.append(rate)
            self.write()

    def explain_how_to_resume(self) -> str:
        """Say where the proof so far is, and how to continue it."""
        path = format_path(self.path)
        if self.calibration is None:
            return f"not everything was learned, so begin anew; what was measured is beside {path}"
        again = f"the same with --from {path}" if self.steps else "the same command again"
        return f"what was proven is in {path}; to continue, type {again}"


def prepare_self_test(
    launcher: Launcher,
    options: SelfTestOptions,
    earlier: Path | None,
    output: Path,
    console: Console,
) -> SelfTest:
    """Find out what is left to do for a new proof, or to continue an ``earlier`` one.

    What was not typed is as in that. The console gets a line for each build, and for cases that are
    left out. UserError if the earlier proof cannot be used, or there is nothing to measure.
    """
    proof = Proof(neighbours=options.neighbours, is_learned=False)
    if earlier:
        proof = proof_file.read(earlier)
        _refuse_unlearned_signals(proof, options.signals or (), earlier)
    atomic.ensure_writable(output)
    proof = replace(
        proof,
        selectors=options.selectors or proof.selectors,
        signals=select_signals(options.signals or proof.signals or None),
        sizes=options.percents or proof.sizes or SIZES,
    )
    cases: Sequence[CaseInfo] = select_cases(launcher, proof.selectors)
    steps = find_missing_steps(options, proof) if options.runs_builds or not earlier else []
    folder, calibration = output.with_suffix(""), None
    if earlier:
        calibration = read_calibration(earlier.with_suffix(""), proof.signals)
        cases = _leave_out_cases(cases, calibration.names, console)
        if not steps:
            folder = earlier.with_suffix("")
        elif output.resolve() != earlier.resolve():  # the earlier proof stays as it is
            shutil.copytree(earlier.with_suffix(""), folder, dirs_exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    runner = BuildRunner(launcher, cases, folder)
    return SelfTest(runner, options, proof, output, steps, calibration, console)


def find_missing_steps(options: SelfTestOptions, proof: Proof) -> list[Step]:
    """Return the builds that a proof lacks."""
    sizes: list[builds.Size] = [(percent, "work") for percent in proof.sizes]
    sizes += [(percent, "wait") for percent in options.waits]
    numbers = (options.builds or BUILDS, sizes, options.planted_builds or PLANTED_BUILDS)
    return builds.find_missing_steps(builds.plan_builds(options.gates, *numbers), proof.builds)


def _refuse_unlearned_signals(proof: Proof, signals: Sequence[Signal], path: Path) -> None:
    if unknown := set(signals) & set(QUANTITY) - set(proof.signals):
        remedy = f"leave it out with --signals {','.join(proof.signals)}"
        raise UserError(
            f"{format_path(path)}: {', '.join(sorted(unknown))} was not learned; {remedy}"
        )


def select_signals(signals: Sequence[Signal] | None) -> tuple[Signal, ...]:
    """Return those of the signals that the self-test covers, and that can be measured here."""
    available, lacking = find_measurable_signals(signals)
    chosen = tuple(signal for signal in available if signal in QUANTITY)
    if not chosen:
        reason = "; ".join(lacking.values())
        raise UserError(reason or f"expected --signals with one of {', '.join(QUANTITY)}")
    return chosen


def select_cases(launcher: Launcher, selectors: Sequence[str]) -> tuple[CaseInfo, ...]:
    """Return the selected cases, and the one that shows what planting costs."""
    cases = select(launcher, selectors).cases
    if PROBE not in {info.case.name for info in cases}:
        try:
            cases += select(launcher, [PROBE]).cases
        except UnknownSelectorError:
            family, _, name = PROBE.partition(".")
            raise UserError(
                f"expected the case {PROBE}, the bare payload, which shows what planting costs; "
                f"found none here; write '@scenario def {name}(payload): return payload' into "
                f"benchmarks/{family}.py"
            ) from None
    return cases


def _leave_out_cases(
    cases: Sequence[CaseInfo], learned: frozenset[str], console: Console
) -> list[CaseInfo]:
    """Leave out the cases that are not both learned and selected, and name them."""
    selected = {info.case.name for info in cases}
    for reason, names in (
        ("learned, but not selected", learned - selected),
        ("selected, but not learned by the earlier proof", selected - learned),
    ):
        if names:
            text = f"{format_amount(len(names), 'case')} ({format_names(sorted(names))})"
            line = f"left out, because {reason}: {text}"
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    return [info for info in cases if info.case.name in learned]


def describe_build(build: Build) -> str:
    """Say in a line what was planted in a build, and what was found."""
    size = f"{build.planted_percent:g} % {build.kind} " if build.planted_percent else "0 % "
    found = len(build.every_red & set(build.planted))
    return (
        f"{build.gate}, {size}planted in {len(build.planted)}: "
        f"{found} found, {len(build.every_red) - found} others red, "
        f"{build.inconclusive} inconclusive, {build.seconds:.0f} s"
    )
