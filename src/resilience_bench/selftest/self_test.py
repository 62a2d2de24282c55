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
from resilience_bench.errors import UserError
from resilience_bench.files import atomic
from resilience_bench.files.checked_json import format_names, format_path
from resilience_bench.measure.counting import find_measurable_signals
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.selection import select
from resilience_bench.selftest import proof_file
from resilience_bench.selftest.builds import (
    POLICIES,
    QUANTITY,
    Build,
    Rate,
    Size,
    Step,
    estimate_rate,
    estimate_real_rates,
    find_missing_steps,
    plan_builds,
)
from resilience_bench.selftest.calibration import Calibration, read_calibration
from resilience_bench.selftest.planting import PROBE
from resilience_bench.selftest.proof_file import Proof
from resilience_bench.selftest.runner import BuildRunner
from resilience_bench.selftest.simulation import Pool, read_pools, simulate_outcomes

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


@dataclass(slots=True)
class SelfTest:
    """A self-test in progress; its file is written after every build and every rate.

    ``proof`` holds the builds that are done, ``steps`` those that are left; without a
    ``calibration`` this is left too.
    """

    runner: BuildRunner
    options: SelfTestOptions
    proof: Proof
    path: Path
    steps: Sequence[Step]
    calibration: Calibration | None
    console: Console
    simulated: list[Rate] = field(default_factory=list)

    @property
    def rates(self) -> list[Rate]:
        """The rates over real builds, then those over drawn ones."""
        return estimate_real_rates(self.proof.builds) + self.simulated

    def write(self) -> None:
        """Write the proof so far."""
        proof_file.write(self.proof, self.rates, len(self.runner.cases), self.path)

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
        builds, signals = self.proof.builds, self.proof.signals
        earlier = sum(build.step == step for build in builds)
        _, percent, kind = step
        if earlier >= self.options.counted_builds or kind == "wait":
            signals = tuple(signal for signal in signals if signal == "latency") or signals
        planted = self._choose_cases(signals[0], calibration) if percent else []
        return self.runner.run_build(len(builds) + 1, step, signals, planted, calibration)

    def _choose_cases(self, signal: Signal, calibration: Calibration) -> list[str]:
        names = [info.case.name for info in self.runner.cases]
        least_percent = min(self.proof.sizes)
        return calibration.choose_cases(names, signal, least_percent, self.options.planted_cases)

    def simulate(self, calibration: Calibration) -> None:
        """Estimate rates over builds that are drawn from the workers of the healthy real ones."""
        names = {info.case.name for info in self.runner.cases}
        pools = read_pools(self.runner.folder, self.proof.builds, names)
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
                        POLICIES[gate],
                        percent=size,
                        cases=self._choose_cases(signal, calibration) or [""],
                        trials=self.options.drawn * (1 if size else HEALTHY_FACTOR),
                    )
                rate = estimate_rate((gate, size, "work"), signal, "drawn", outcomes)
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
    """Find out what is left to do for a proof.

    Args:
        launcher: Starts the workers.
        options: What was typed; what was not is as in the earlier proof.
        earlier: The file of a proof to continue or to draw builds from; None for a new one.
        output: The file to write.
        console: Gets a line for each build, and for cases that are left out.

    Raises:
        UserError: If the earlier proof cannot be used, or there is nothing to measure.
    """
    proof = Proof(neighbours=options.neighbours, is_learned=False)
    if earlier:
        proof = proof_file.read(earlier)
        _refuse_unlearned_signals(proof, options.signals or (), earlier)
    atomic.ensure_writable(output)
    proof = replace(
        proof,
        selectors=options.selectors or proof.selectors,
        signals=_select_signals(options.signals or proof.signals or None),
        sizes=options.percents or proof.sizes or SIZES,
    )
    cases: Sequence[CaseInfo] = _select_cases(launcher, proof.selectors)
    folder, calibration = output.with_suffix(""), None
    steps: list[Step] = []
    if not earlier or options.builds or options.planted_builds:
        steps = find_missing_steps(_plan(options, proof.sizes), proof.builds)
    if earlier:
        calibration = read_calibration(earlier.with_suffix(""), proof.signals)
        cases = _leave_out_cases(cases, calibration.names, console)
        if steps and output.resolve() != earlier.resolve():  # the earlier proof stays as it is
            shutil.copytree(earlier.with_suffix(""), folder, dirs_exist_ok=True)
        elif not steps:
            folder = earlier.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    runner = BuildRunner(launcher, cases, folder)
    return SelfTest(runner, options, proof, output, steps, calibration, console)


def _plan(options: SelfTestOptions, percents: Sequence[float]) -> list[Step]:
    sizes: list[Size] = [(percent, "work") for percent in percents]
    sizes += [(percent, "wait") for percent in options.waits]
    planted_builds = options.planted_builds or PLANTED_BUILDS
    return plan_builds(options.gates, options.builds or BUILDS, sizes, planted_builds)


def _refuse_unlearned_signals(proof: Proof, signals: Sequence[Signal], path: Path) -> None:
    if unknown := set(signals) & set(QUANTITY) - set(proof.signals):
        remedy = f"leave it out with --signals {','.join(proof.signals)}"
        message = f"{format_path(path)}: {', '.join(sorted(unknown))} was not learned; {remedy}"
        raise UserError(message)


def _select_signals(signals: Sequence[Signal] | None) -> tuple[Signal, ...]:
    """Return those of the signals that the self-test covers, and that can be measured here."""
    available, lacking = find_measurable_signals(signals)
    chosen = tuple(signal for signal in available if signal in QUANTITY)
    if not chosen:
        reason = "; ".join(lacking.values())
        raise UserError(reason or f"expected --signals with one of {', '.join(QUANTITY)}")
    return chosen


def _select_cases(launcher: Launcher, selectors: Sequence[str]) -> tuple[CaseInfo, ...]:
    """Return the selected cases, and the one that shows what planting costs."""
    cases = select(launcher, selectors).cases
    if PROBE not in {info.case.name for info in cases}:
        cases += select(launcher, [PROBE]).cases
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
            text = f"{len(names)} cases ({format_names(sorted(names))})"
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
