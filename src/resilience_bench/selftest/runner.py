"""Carries out builds through the code of ``check`` and ``compare``, and keeps what they told."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from resilience_bench._model import CaseInfo, InstructionRecord, Signal
from resilience_bench._verdicts import Baseline
from resilience_bench.errors import UserError
from resilience_bench.files import results
from resilience_bench.files.checked_json import format_names
from resilience_bench.gate import learning
from resilience_bench.gate.comparison import (
    COMPARISON_POLICY,
    SECONDS,
    TOLERANCES,
)
from resilience_bench.gate.criteria import judge, make_baseline_criteria, make_comparison_criteria
from resilience_bench.gate.decide import (
    Criterion,
    Evidence,
    Policy,
)
from resilience_bench.gate.evidence import EvidenceSource
from resilience_bench.gate.live import LiveSource
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.measured_variant import MeasuredVariant
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.session import PROFILES, Session
from resilience_bench.selftest import planting, simulation
from resilience_bench.selftest.builds import Build, Kind, Rate, estimate_rate
from resilience_bench.selftest.calibration import QUANTITY, RESTART_HINT, read_probe_cost, read_run
from resilience_bench.selftest.simulation import collect_screening, make_pool
from resilience_bench.stats.latency import estimate

LEARNING_RUNS: Final = 4
ARMS: Final = ("base", "head", "null")
PROBED: Final = (None, 0, planting.TURNS)
"""What is planted in the probe: nothing, an empty loop, a long one."""
MARGIN: Final = 1.5
"""A case is planted if what is planted costs so many times as much as planting nothing."""
COST_LIMIT: Final[Mapping[str, float]] = {"latency": 10.0, "instructions": 400_000.0}
"""Dearer cases are not planted: they are measured with fewer calls, and there are few of them."""
EXTRA_PASSES: Final = 6
"""Beside the first: each has another hash seed and memory layout, and all are drawn from."""


@dataclass(frozen=True, slots=True)
class PlantedSlowdowns:
    """What is planted in a build, by case: turns while timed, turns while counted, waits in ns."""

    turns: Mapping[str, int] = field(default_factory=dict)
    counted_turns: Mapping[str, int] = field(default_factory=dict)
    waits_ns: Mapping[str, int] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return any(name in each for each in (self.turns, self.counted_turns, self.waits_ns))


NOTHING: Final = PlantedSlowdowns()


@dataclass(slots=True)
class BuildRunner:
    """Carries out builds through the code of ``check`` and ``compare``.

    What was learned, and what the builds measured, lies in ``folder``.
    """

    launcher: Launcher
    cases: Sequence[CaseInfo]
    folder: Path
    sizes: Sequence[float]
    builds: list[Build] = field(default_factory=list)
    pools: dict[tuple[str, str], list[Evidence]] = field(default_factory=dict)
    baseline: Baseline | None = None
    prices: dict[str, planting.PlantingCost] = field(default_factory=dict)
    expected: dict[str, dict[str, float]] = field(default_factory=dict)
    latencies_ns: dict[str, float] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """The names of the cases."""
        return {info.case.name for info in self.cases}

    def learn(self, signals: Sequence[Signal]) -> None:
        """Learn a baseline, and what planting costs."""
        for number in range(LEARNING_RUNS):
            # Counts hardly vary, so the first run has all of them.
            timed: list[Signal] = [each for each in signals if each == "latency" and number]
            live = self._make_live_source(f"learn-{number + 1}", timed or signals, NOTHING)
            if "latency" in live.signals:
                live.draw_latencies(PROFILES["quick"].workers, self.names)
            if "instructions" in live.signals:
                live.draw_counts(1 + EXTRA_PASSES, self.names)
            live.head.recording.write(complete=True)
        for signal in signals:
            self._measure_planting_cost(signal)
        self._read_learned(signals)

    def _measure_planting_cost(self, signal: Signal) -> None:
        """Measure the probe as it is, and with something planted."""
        for number, turns in enumerate(PROBED):
            turns_of = {} if turns is None else {planting.PROBE: turns}
            probe = [info for info in self.cases if info.case.name == planting.PROBE]
            plants = PlantedSlowdowns(turns_of, turns_of)
            live = self._make_live_source(f"price-{signal}-{number}", [signal], plants, probe)
            if signal == "latency":
                live.draw_latencies(PROFILES["quick"].workers, {planting.PROBE})
            else:
                live.draw_counts(1, {planting.PROBE})
            live.head.recording.write(complete=True)

    def load(self, builds: Sequence[Build], signals: Sequence[Signal]) -> list[str]:
        """Take up what an earlier proof left in the folder, so that it can go on.

        Args:
            builds: Its real builds, in their order.
            signals: What it measured.

        Returns:
            What is left out: cases that are not both learned and selected.

        Raises:
            UserError: If it had not learned all, or if a file of a build is missing.
        """
        self.builds = list(builds)
        learned = self._read_learned(signals)
        for name, build in self._iterate_healthy():
            for path in self._list_files(build.gate, name):
                if not path.exists():
                    message = (
                        f"{path}: expected the measurements of build {name}, found no file; "
                        f"{RESTART_HINT}"
                    )
                    raise UserError(message)
        selected = self.names
        self.cases = [info for info in self.cases if info.case.name in learned]
        reasons = {
            "learned, but not selected": learned - selected,
            "selected, but not learned by the earlier proof": selected - learned,
        }
        return [
            f"left out, because {reason}: {len(names)} cases ({format_names(sorted(names))})"
            for reason, names in reasons.items()
            if names
        ]

    def _read_learned(self, signals: Sequence[Signal]) -> set[str]:
        """Read what was learned; returns the names of its cases."""
        runs = [read_run(self.folder, f"learn-{number + 1}") for number in range(LEARNING_RUNS)]
        measured = [(each, estimate(each)) for each in runs]
        self.baseline = learning.learn(measured, "proof")
        self.latencies_ns = planting.extract_values(measured[0][1], "latency_ns")
        for signal in signals:
            self.expected[signal] = planting.extract_values(measured[0][1], QUANTITY[signal])
            self.prices[signal] = planting.estimate_planting_cost(
                *(read_probe_cost(self.folder, signal, number) for number in range(len(PROBED)))
            )
        return {record.case.name for record in runs[0].cases}

    def _make_live_source(
        self,
        name: str,
        signals: Sequence[Signal],
        plants: PlantedSlowdowns,
        cases: Sequence[CaseInfo] | None = None,
    ) -> LiveSource:
        session = self._make_session(plants, cases)
        recording = self._make_recording(name, session, signals)
        variant = MeasuredVariant(session, recording)
        return LiveSource(variant, lambda _: None, tuple(signals), {})

    def _make_session(
        self, plants: PlantedSlowdowns, cases: Sequence[CaseInfo] | None = None
    ) -> Session:
        return Session(
            self.launcher,
            cases or self.cases,
            PROFILES["quick"],
            plants.turns,
            plants.waits_ns,
            plants.counted_turns,
        )

    def _make_recording(self, name: str, session: Session, signals: Sequence[Signal]) -> Recording:
        path = self.folder / f"{name}.json"
        return Recording(session.records, "prove", path, (), (), signals)

    def run_build(
        self,
        gate: str,
        signals: Sequence[Signal],
        percent: float,
        count: int,
        kind: Kind = "work",
    ) -> Build:
        """One real build; with more than 0 per cent, so many cases are planted."""
        chosen = self._choose_cases(signals, count) if percent else []
        plants = self._plan_slowdowns(chosen, percent, kind)
        started = time.monotonic()
        name = f"{gate}-{len(self.builds) + 1}"
        source, questions, policy = self._make_source(gate, name, signals, plants)
        verdicts = judge(questions, source, policy)
        seconds = time.monotonic() - started
        red: dict[str, tuple[str, ...]] = {
            signal: tuple(sorted(simulation.find_regressed_cases(questions, verdicts, signal)))
            for signal in signals
        }
        undecided = sum(
            each.outcome == "inconclusive" and not question.is_null
            for question, each in zip(questions, verdicts, strict=True)
        )
        planted = tuple(name for name in chosen if name in plants)
        took_s = round(seconds, 1)
        done = Build(gate, tuple(signals), percent, planted, red, undecided, took_s, kind)
        self.builds.append(done)
        return done

    def _plan_slowdowns(
        self, chosen: Sequence[str], percent: float, kind: Kind
    ) -> PlantedSlowdowns:
        """What makes the cases dearer by so much in every signal; a wait is no instructions."""
        percents = dict.fromkeys(chosen, percent)
        if kind == "wait":
            costs_ns = {name: self.latencies_ns[name] for name in chosen}
            return PlantedSlowdowns(
                waits_ns={name: round(cost * percent / 100) for name, cost in costs_ns.items()}
            )
        turns = {
            signal: planting.compute_turns(percents, self.expected[signal], self.prices[signal])
            for signal in self.prices
        }
        return PlantedSlowdowns(turns.get("latency", {}), turns.get("instructions", {}))

    def _make_source(
        self,
        gate: str,
        name: str,
        signals: Sequence[Signal],
        plants: PlantedSlowdowns,
    ) -> tuple[EvidenceSource, list[Criterion], Policy]:
        questions = self._make_criteria(gate, signals)
        if gate == "check":
            return self._make_live_source(name, signals, plants), questions, Policy()
        sessions = [self._make_session(plants if arm == "head" else NOTHING) for arm in ARMS]
        base, head, null = (
            MeasuredVariant(session, self._make_recording(f"{name}-{arm}", session, signals))
            for arm, session in zip(ARMS, sessions, strict=True)
        )
        deadline = time.monotonic() + SECONDS
        pair = LiveSource(head, lambda _: None, tuple(signals), {}, base, null, deadline)
        return pair, questions, COMPARISON_POLICY

    def _make_criteria(self, gate: str, signals: Sequence[Signal]) -> list[Criterion]:
        if gate == "check":
            assert self.baseline is not None
            return make_baseline_criteria(self.baseline, signals, self.names.__contains__)
        return make_comparison_criteria(self._make_session(NOTHING).records, signals, TOLERANCES)

    def _choose_cases(self, signals: Sequence[Signal], count: int) -> list[str]:
        """The same cases for every size, so that sizes can be compared."""
        least = {
            each: MARGIN * price.fixed / (min(self.sizes) / 100)
            for each, price in self.prices.items()
        }
        fitting = [
            info
            for info in self.cases
            if all(
                least[each] <= self.expected[each].get(info.case.name, 0.0) <= COST_LIMIT[each]
                for each in self.prices
            )
        ]
        return planting.choose_cases(fitting, self.expected[signals[0]], count)

    def fill_pools(self) -> None:
        """Collect what workers and processes of the healthy real builds told, to draw from."""
        self.pools.clear()
        counted: list[InstructionRecord] = []
        for name, build in self._iterate_healthy():
            read = [results.read(path) for path in self._list_files(build.gate, name)]
            if told := collect_screening(build.gate, read, self.names):
                self.pools.setdefault((build.gate, "latency"), []).append(told)
            counted += [record for each in read for record in each.instructions]
        for path in sorted(self.folder.glob("learn-*.json")):
            counted += results.read(path).instructions
        if counted:
            for gate in ("check", "compare"):
                self.pools[gate, "instructions"] = [
                    simulation.collect_distinct_counts(counted, self.names)
                ]

    def _iterate_healthy(self) -> Iterator[tuple[str, Build]]:
        """The real builds in which nothing was planted, each with its name."""
        for number, build in enumerate(self.builds, start=1):
            if not build.planted_percent:
                yield f"{build.gate}-{number}", build

    def _list_files(self, gate: str, name: str) -> list[Path]:
        """Where a build has recorded what it measured."""
        names = [name] if gate == "check" else [f"{name}-{arm}" for arm in ARMS]
        return [self.folder / f"{each}.json" for each in names]

    def estimate_simulated_rate(
        self, gate: str, signal: Signal, percent: float, trials: int, count: int
    ) -> Rate | None:
        """A rate over builds that are drawn from the workers of the healthy real ones."""
        recorded = self.pools.get((gate, signal), [])
        if not recorded or trials == 0:
            return None
        known = {key for each in recorded for key in each}
        questions = [
            each
            for each in self._make_criteria(gate, [signal])
            if (each.case, each.quantity, each.is_null) in known
        ]
        outcomes = simulation.simulate_outcomes(
            questions,
            make_pool(gate, signal, recorded),
            Policy() if gate == "check" else COMPARISON_POLICY,
            percent=percent,
            cases=self._choose_cases([signal], count) or [""],
            trials=trials,
        )
        return estimate_rate(gate, signal, "drawn", percent, outcomes)

    def estimate_real_rate(
        self, gate: str, signal: str, percent: float, kind: Kind = "work"
    ) -> Rate:
        """A rate over the real builds so far."""
        outcomes = []
        for each in self.builds:
            made = (each.gate, each.planted_percent, each.kind)
            if made == (gate, percent, kind) and signal in each.signals:
                red = set(each.red[signal])
                if percent:
                    outcomes += [name in red for name in each.planted]
                else:
                    outcomes.append(bool(red))
        return estimate_rate(gate, signal, "real", percent, outcomes, kind=kind)
