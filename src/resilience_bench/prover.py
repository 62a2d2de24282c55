"""Carries out builds through the code of ``check`` and ``compare``, and keeps what they told."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from resilience_bench import baseline as baselines
from resilience_bench import proof, results
from resilience_bench._model import Baseline, CaseInfo, Measurement, Result, Signal
from resilience_bench.compare import COMPARED, TOLERANCES, Arm, Comparison, paired_evidence
from resilience_bench.gate import Evidence, Key, Policy, Question
from resilience_bench.launcher import Launcher
from resilience_bench.questions import judged, questions_of_baseline, questions_of_comparison
from resilience_bench.recording import Recording
from resilience_bench.session import PROFILES, Session
from resilience_bench.sources import Live, Source, count_evidence, join, latency_evidence
from resilience_bench.statistics import measure

LEARNING_RUNS: Final = 4
ARMS: Final = ("base", "head", "null")
PROBED: Final = (None, 0, proof.TURNS)
"""What is planted in the probe: nothing, an empty loop, a long one."""
QUANTITY: Final[Mapping[str, str]] = {"latency": "ratio", "instructions": "instructions"}
MARGIN: Final = 1.5
"""A case is planted if what is planted costs so many times as much as planting nothing."""
DEAREST: Final[Mapping[str, float]] = {"latency": 10.0, "instructions": 400_000.0}
"""Dearer cases are not planted: they are measured with fewer calls, and there are few of them."""
EXTRA_PASSES: Final = 2


@contextlib.contextmanager
def busy_neighbours(count: int) -> Iterator[None]:
    """So many processes that burn a core each, for as long as the context lasts."""
    context = multiprocessing.get_context("spawn")
    burners = [
        context.Process(target=_burn, args=(os.getpid(),), daemon=True) for _ in range(count)
    ]
    for burner in burners:
        burner.start()
    time.sleep(1 if burners else 0)
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.join()


def _burn(parent: int) -> None:
    while os.getppid() == parent:
        sum(range(10_000))


@dataclass(slots=True)
class _Remembering:
    """A source that keeps what it told first, to draw builds from."""

    source: Source
    latency: Evidence = field(default_factory=dict)
    count: Evidence = field(default_factory=dict)

    @property
    def cases(self) -> Mapping[str, Any]:
        return self.source.cases

    @property
    def signals(self) -> Collection[str]:
        return self.source.signals

    @property
    def not_available(self) -> Mapping[str, str]:
        return self.source.not_available

    def latencies(self, workers: int, cases: Collection[str]) -> Evidence:
        told = self.source.latencies(workers, cases)
        self.latency = self.latency or told
        return told

    def counts(self, processes: int, cases: Collection[str]) -> Evidence:
        told = self.source.counts(processes, cases)
        self.count = self.count or told
        return told


@dataclass(frozen=True, slots=True)
class Build:
    """One real build: what was planted, what the gate was red for, and how long it took."""

    gate: str
    signals: tuple[str, ...]
    planted_percent: float
    planted: tuple[str, ...]
    red: dict[str, tuple[str, ...]]
    inconclusive: int
    seconds: float


@dataclass(slots=True)
class Prover:
    """Carries out builds through the code of ``check`` and ``compare``, and keeps their numbers."""

    launcher: Launcher
    cases: Sequence[CaseInfo]
    folder: Path
    sizes: Sequence[float]
    builds: list[Build] = field(default_factory=list)
    pools: dict[tuple[str, str], list[Evidence]] = field(default_factory=dict)
    baseline: Baseline | None = None
    prices: dict[str, proof.Price] = field(default_factory=dict)
    expected: dict[str, dict[str, float]] = field(default_factory=dict)

    def learn(self, signals: Sequence[Signal]) -> None:
        """Learn a baseline, and what planting costs."""
        measured = []
        for number in range(LEARNING_RUNS):
            signals_now = (
                signals if number == 0 else [each for each in signals if each == "latency"]
            )
            live = self._live(f"learn-{number + 1}", signals_now or signals, {}, {})
            names = {info.case.name for info in self.cases}
            if "latency" in live.signals:
                live.latencies(PROFILES["quick"].workers, names)
            if "instructions" in live.signals:
                live.counts(1 + EXTRA_PASSES, names)
            result = live.recording.write(complete=True)
            measured.append((result, measure(result)))
        for signal in signals:
            self._price(signal)
        self._learned(measured, signals)

    def _learned(
        self, measured: Sequence[tuple[Result, Sequence[Measurement]]], signals: Sequence[Signal]
    ) -> None:
        self.baseline = baselines.learn(measured, "proof")
        for signal in signals:
            quantity = QUANTITY[signal]
            self.expected[signal] = proof.values_of(measured[0][1], quantity)
            probes = [
                proof.values_of(measure(results.read(self._probe(signal, number))), quantity)
                for number in range(len(PROBED))
            ]
            self.prices[signal] = proof.price(*(each[proof.PROBE] for each in probes))

    def _probe(self, signal: Signal, number: int) -> Path:
        return self.folder / f"price-{signal}-{number}.json"

    def _price(self, signal: Signal) -> None:
        """Measure the probe as it is, and with something planted."""
        for number, turns in enumerate(PROBED):
            plants = {} if turns is None else {proof.PROBE: turns}
            probe = [info for info in self.cases if info.case.name == proof.PROBE]
            live = self._live(self._probe(signal, number).stem, [signal], plants, plants, probe)
            if signal == "latency":
                live.latencies(PROFILES["quick"].workers, {proof.PROBE})
            else:
                live.counts(1, {proof.PROBE})
            live.recording.write(complete=True)

    def load(self, builds: Sequence[Build], signals: Sequence[Signal]) -> None:
        """Take up what an earlier proof left in the folder, so that builds can be drawn from it.

        Args:
            builds: Its real builds, in their order.
            signals: What it measured.
        """
        self.builds = list(builds)
        learned = [results.read(path) for path in sorted(self.folder.glob("learn-*.json"))]
        self._learned([(each, measure(each)) for each in learned], signals)
        names = {info.case.name for info in self.cases}
        for number, build in enumerate(builds, start=1):
            if not build.planted_percent:
                told = self._screening(build.gate, f"{build.gate}-{number}", names)
                self.pools.setdefault((build.gate, "latency"), []).append(told)

    def pool_counts(self) -> None:
        """Collect, by hash seed, what the processes of all healthy builds counted."""
        by_seed: list[dict[Key, Any]] = [{} for _ in range(1 + EXTRA_PASSES)]
        names = {info.case.name for info in self.cases}
        healthy = [
            f"{build.gate}-{number}"
            for number, build in enumerate(self.builds, start=1)
            if not build.planted_percent
        ]
        for path in sorted(self.folder.glob("*.json")):
            recorded_by = {path.stem, path.stem.rpartition("-")[0]}
            if path.stem.startswith("learn") or recorded_by & set(healthy):
                self._pool(path, by_seed, names)
        if all(by_seed):
            self.pools["check", "instructions"] = list(by_seed)
            self.pools["compare", "instructions"] = list(by_seed)

    def _pool(self, path: Path, by_seed: Sequence[dict[Key, Any]], names: Collection[str]) -> None:
        for record in results.read(path).instructions:
            if record.hash_seed < len(by_seed):
                join(by_seed[record.hash_seed], count_evidence([record], (), names))

    def _screening(self, gate: str, name: str, names: Collection[str]) -> Evidence:
        """The numbers of the first stage of a recorded build."""
        if gate == "check":
            result = results.read(self.folder / f"{name}.json")
            first = [each for each in result.workers if each.index < Policy().screen]
            return latency_evidence(result.cases, first, names)
        arms = [results.read(self.folder / f"{name}-{arm}.json") for arm in ARMS]
        slices = [
            part
            for arm in arms
            for part in ((), [each for each in arm.workers if each.index < COMPARED.screen])
        ]
        measured = [each for each in arms[0].cases if each.status == "measured"]
        return paired_evidence(measured, slices)

    def _live(
        self,
        name: str,
        signals: Sequence[Signal],
        plants: Mapping[str, int],
        count_plants: Mapping[str, int],
        cases: Sequence[CaseInfo] | None = None,
    ) -> Live:
        session = self._session(plants, count_plants, cases)
        recording = self._recording(name, session, signals)
        return Live(session, recording, lambda _: None, tuple(signals), {})

    def _session(
        self,
        plants: Mapping[str, int],
        count_plants: Mapping[str, int],
        cases: Sequence[CaseInfo] | None = None,
    ) -> Session:
        return Session(self.launcher, cases or self.cases, PROFILES["quick"], plants, count_plants)

    def _recording(self, name: str, session: Session, signals: Sequence[Signal]) -> Recording:
        path = self.folder / f"{name}.json"
        return Recording(session.records, "prove", path, (), (), signals)

    def build(self, gate: str, signals: Sequence[Signal], percent: float, count: int) -> Build:
        """One real build; with more than 0 per cent, so many cases are planted."""
        chosen = self._chosen(signals, count) if percent else []
        percents = dict.fromkeys(chosen, percent)
        plants = {
            signal: proof.planted(percents, self.expected[signal], self.prices[signal])
            for signal in signals
        }
        started = time.monotonic()
        name = f"{gate}-{len(self.builds) + 1}"
        source, questions, policy = self._source(
            gate, name, signals, plants.get("latency", {}), plants.get("instructions", {})
        )
        remembering = _Remembering(source)
        verdicts = judged(questions, remembering, policy)
        seconds = time.monotonic() - started
        if not percent:
            self._remember(gate, remembering)
        red: dict[str, tuple[str, ...]] = {
            signal: tuple(sorted(proof.failing(*_of_signal(questions, verdicts, signal))))
            for signal in signals
        }
        undecided = sum(
            each.outcome == "inconclusive" and not question.is_null
            for question, each in zip(questions, verdicts, strict=True)
        )
        done = Build(
            gate, tuple(signals), percent, tuple(chosen), red, undecided, round(seconds, 1)
        )
        self.builds.append(done)
        return done

    def _source(
        self,
        gate: str,
        name: str,
        signals: Sequence[Signal],
        plants: Mapping[str, int],
        count_plants: Mapping[str, int],
    ) -> tuple[Source, list[Question], Policy]:
        if gate == "check":
            assert self.baseline is not None
            questions = questions_of_baseline(self.baseline, signals, lambda _: True)
            return self._live(name, signals, plants, count_plants), questions, Policy()
        sessions = [
            self._session(plants if arm == "head" else {}, count_plants if arm == "head" else {})
            for arm in ARMS
        ]
        base, head, null = (
            Arm(session, self._recording(f"{name}-{arm}", session, signals))
            for arm, session in zip(ARMS, sessions, strict=True)
        )
        # No deadline: what more workers would have found is what is asked.
        pair = Comparison(base, head, null, lambda _: None, tuple(signals), {}, float("inf"))
        questions = questions_of_comparison(head.session.records, signals, TOLERANCES)
        return pair, questions, COMPARED

    def _chosen(self, signals: Sequence[Signal], count: int) -> list[str]:
        """The same cases for every size, so that sizes can be compared."""
        signal = signals[0]
        least = MARGIN * self.prices[signal].fixed / (min(self.sizes) / 100)
        costs = self.expected[signal]
        return proof.chosen_cases(self.cases, costs, least, DEAREST[signal], count)

    def _remember(self, gate: str, told: _Remembering) -> None:
        if told.latency:
            self.pools.setdefault((gate, "latency"), []).append(told.latency)

    def drawn(
        self, gate: str, signal: Signal, percent: float, trials: int, count: int
    ) -> proof.Rate | None:
        """A rate over builds that are drawn from the workers of the healthy real ones."""
        recorded = self.pools.get((gate, signal), [])
        if not recorded or trials == 0:
            return None
        if gate == "check":
            assert self.baseline is not None
            questions = questions_of_baseline(self.baseline, [signal], lambda _: True)
        else:
            records = self._session({}, {}).records
            questions = questions_of_comparison(records, [signal], TOLERANCES)
        known = {key for each in recorded for key in each}
        questions = [
            each for each in questions if (each.case, each.quantity, each.is_null) in known
        ]
        pool: proof.Pool | proof.CountPool
        if signal == "instructions":
            pool = proof.CountPool(recorded, compares=gate == "compare")
        else:
            together: dict[Key, Any] = {}
            for each in recorded:
                join(together, each)
            drifts = proof.drifts_of(recorded) if gate == "check" else [{}]
            pool = proof.Pool(together, drifts)
        outcomes = proof.drawn_outcomes(
            questions,
            pool,
            Policy() if gate == "check" else COMPARED,
            percent=percent,
            cases=self._chosen([signal], count) or [""],
            trials=trials,
        )
        return proof.rate(gate, signal, "drawn", percent, outcomes)

    def real(self, gate: str, signal: str, percent: float) -> proof.Rate:
        """A rate over the real builds so far."""
        outcomes = []
        for each in self.builds:
            if each.gate == gate and each.planted_percent == percent and signal in each.signals:
                red = set(each.red[signal])
                if percent:
                    outcomes += [name in red for name in each.planted]
                else:
                    outcomes.append(bool(red))
        return proof.rate(gate, signal, "real", percent, outcomes)


def _of_signal(
    questions: Sequence[Question], verdicts: Sequence[Any], signal: str
) -> tuple[list[Question], list[Any]]:
    pairs = [
        (question, verdict)
        for question, verdict in zip(questions, verdicts, strict=True)
        if question.signal == signal
    ]
    return [question for question, _ in pairs], [verdict for _, verdict in pairs]
