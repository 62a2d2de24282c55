"""Carries out builds through the code of ``check`` and ``compare``, and keeps what they told."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from resilience_bench import baseline as baselines
from resilience_bench import proof
from resilience_bench._model import Baseline, CaseInfo, Signal
from resilience_bench.compare import COMPARED, TOLERANCES, Arm, Comparison
from resilience_bench.gate import Evidence, Key, Policy, Question
from resilience_bench.launcher import Launcher
from resilience_bench.questions import judged, questions_of_baseline, questions_of_comparison
from resilience_bench.recording import Recording
from resilience_bench.session import PROFILES, Session
from resilience_bench.sources import Live, Source, join
from resilience_bench.statistics import measure

LEARNING_RUNS: Final = 4
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
                collected = dict(live.counts(1 + EXTRA_PASSES, names))
                self.pools.setdefault(("check", "instructions"), []).append(collected)
            result = live.recording.write(complete=True)
            measured.append((result, measure(result)))
        self.baseline = baselines.learn(measured, "proof")
        for signal in signals:
            quantity = QUANTITY[signal]
            self.expected[signal] = proof.values_of(measured[0][1], quantity)
            self.prices[signal] = self._price(signal, quantity)

    def _price(self, signal: Signal, quantity: str) -> proof.Price:
        values = []
        for number, turns in enumerate((None, 0, proof.TURNS)):
            plants = {} if turns is None else {proof.PROBE: turns}
            probe = [info for info in self.cases if info.case.name == proof.PROBE]
            live = self._live(f"price-{signal}-{number}", [signal], plants, plants, probe)
            if signal == "latency":
                live.latencies(PROFILES["quick"].workers, {proof.PROBE})
            else:
                live.counts(1, {proof.PROBE})
            found = proof.values_of(measure(live.recording.write(complete=True)), quantity)
            values.append(found[proof.PROBE])
        return proof.price(*values)

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
            for arm in ("base", "head", "null")
        ]
        base, head, null = (
            Arm(session, self._recording(f"{name}-{arm}", session, signals))
            for arm, session in zip(("base", "head", "null"), sessions, strict=True)
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
        recorded = self.pools.get((gate if signal == "latency" else "check", signal), [])
        if not recorded or trials == 0:
            return None
        together: dict[Key, Any] = {}
        for each in recorded:
            join(together, each)
        drifts = proof.drifts_of(recorded) if (gate, signal) == ("check", "latency") else [{}]
        if gate == "check":
            assert self.baseline is not None
            questions = questions_of_baseline(self.baseline, [signal], lambda _: True)
        else:
            if signal == "instructions":
                together = {
                    key: dataclasses.replace(each, bases=each.heads)
                    for key, each in together.items()
                }
            names = {info.case.name for info in self.cases}
            records = {
                name: record
                for name, record in self._session({}, {}).records.items()
                if name in names
            }
            questions = questions_of_comparison(records, [signal], TOLERANCES)
        known = {(key[0], key[1], key[2]) for key in together}
        questions = [
            each for each in questions if (each.case, each.quantity, each.is_null) in known
        ]
        outcomes = proof.drawn_outcomes(
            questions,
            proof.Pool(together, drifts),
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
