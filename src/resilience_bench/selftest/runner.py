"""Runs real builds through the code of ``check`` and ``compare``, and measures the calibration."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from resilience_bench._model import CaseInfo, Signal
from resilience_bench.gate.comparison import SECONDS, TOLERANCES
from resilience_bench.gate.criteria import judge, make_baseline_criteria, make_comparison_criteria
from resilience_bench.gate.live import LiveSource, Show
from resilience_bench.gate.trial import Criterion
from resilience_bench.measure.interleave import MeasuredVariant
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.session import PROFILES, Session
from resilience_bench.selftest import calibration as calibrations
from resilience_bench.selftest.builds import POLICIES, Build, Step, name_files
from resilience_bench.selftest.calibration import NOTHING, PROBE, Calibration, PlantedSlowdowns
from resilience_bench.selftest.simulation import find_regressed_cases

EXTRA_PASSES: Final = 6
"""More counting processes of the first run: each has its own hash seed and memory layout."""


@dataclass(slots=True)
class BuildRunner:
    """A runner of real builds, which records what they measure in ``folder``."""

    launcher: Launcher
    cases: Sequence[CaseInfo]
    folder: Path
    show: Show = lambda _: None

    def learn(self, signals: Sequence[Signal]) -> Calibration:
        """Measure what builds are judged by, and what planting costs."""
        for number in range(calibrations.LEARNING_RUNS):
            # Counts hardly vary, so the first run has all of them.
            timed: list[Signal] = ["latency"] if number and "latency" in signals else []
            self.measure(f"learn-{number + 1}", timed or signals, NOTHING, 1 + EXTRA_PASSES)
        probe = replace(self, cases=[info for info in self.cases if info.case.name == PROBE])
        for signal in signals:
            for number, turns in enumerate(calibrations.PROBE_TURNS):
                planted = {} if turns is None else {PROBE: turns}
                plants = PlantedSlowdowns(planted, counted_turns=planted)
                probe.measure(f"price-{signal}-{number}", [signal], plants, 1)
        return calibrations.read_calibration(self.folder, signals)

    def measure(
        self, name: str, signals: Sequence[Signal], plants: PlantedSlowdowns, processes: int
    ) -> None:
        """Measure all cases as often as a quick run does, and write the file of this name."""
        variant = self._make_variant(name, signals, plants)
        source = LiveSource(variant, self.show, tuple(signals), {})
        if "latency" in signals:
            source.draw_latencies(PROFILES["quick"].workers, variant.session.records)
        if "instructions" in signals:
            source.draw_counts(processes, variant.session.records)
        variant.recording.write(complete=True)

    def _make_variant(
        self, name: str, signals: Sequence[Signal], plants: PlantedSlowdowns = NOTHING
    ) -> MeasuredVariant:
        planted = (plants.turns, plants.waits_ns, plants.counted_turns)
        session = Session(self.launcher, self.cases, PROFILES["quick"], *planted)
        file = self.folder / f"{name}.json"
        return MeasuredVariant(session, Recording(session.records, "prove", file, signals=signals))

    def make_criteria(
        self, gate: str, signals: Sequence[Signal], calibration: Calibration
    ) -> list[Criterion]:
        """Make the criteria by which a gate judges the cases."""
        if gate == "check":
            names = {info.case.name for info in self.cases}
            return make_baseline_criteria(calibration.baseline, signals, names.__contains__)
        records = Session(self.launcher, self.cases, PROFILES["quick"]).records
        return make_comparison_criteria(records, signals, TOLERANCES)

    def run_build(
        self,
        number: int,
        step: Step,
        signals: Sequence[Signal],
        names: Sequence[str],
        calibration: Calibration,
    ) -> Build:
        """Run the build of this number, with a slowdown in the named cases where possible."""
        gate, percent, kind = step
        plants = calibration.plan_slowdowns(names, percent, kind)
        criteria = self.make_criteria(gate, signals, calibration)
        started = time.monotonic()
        source = self._make_source(gate, number, signals, plants)
        verdicts = judge(criteria, source, POLICIES[gate])
        seconds = round(time.monotonic() - started, 1)
        undecided = sum(
            verdict.outcome == "inconclusive" and not criterion.is_null
            for criterion, verdict in zip(criteria, verdicts, strict=True)
        )
        red: dict[str, tuple[str, ...]] = {
            signal: tuple(sorted(find_regressed_cases(criteria, verdicts, signal)))
            for signal in signals
        }
        planted = tuple(name for name in names if name in plants)
        return Build(gate, tuple(signals), percent, planted, red, undecided, seconds, kind)

    def _make_source(
        self, gate: str, number: int, signals: Sequence[Signal], plants: PlantedSlowdowns
    ) -> LiveSource:
        files = name_files(gate, number)
        if gate == "check":
            head = self._make_variant(files[0], signals, plants)
            return LiveSource(head, self.show, tuple(signals), {})
        base, head, null = (
            self._make_variant(file, signals, planted)
            for file, planted in zip(files, (NOTHING, plants, NOTHING), strict=True)
        )
        deadline = time.monotonic() + SECONDS
        return LiveSource(head, self.show, tuple(signals), {}, base, null, deadline)
