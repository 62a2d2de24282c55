"""Carries out builds through the code of ``check`` and ``compare``, and keeps what they told."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from resilience_bench._model import Baseline, CaseInfo, InstructionRecord, Result, Signal
from resilience_bench.errors import UserError
from resilience_bench.files import results
from resilience_bench.files.checked_json import listed
from resilience_bench.gate import learning
from resilience_bench.gate.comparison import (
    COMPARED,
    SECONDS,
    TOLERANCES,
    Arm,
    Comparison,
    paired_evidence,
)
from resilience_bench.gate.criteria import judged, questions_of_baseline, questions_of_comparison
from resilience_bench.gate.decide import Evidence, Key, Numbers, Policy, Question, join
from resilience_bench.gate.evidence import Live, Source, latency_evidence
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.session import PROFILES, Session
from resilience_bench.selftest import simulation
from resilience_bench.selftest.simulation import Build, Kind
from resilience_bench.stats.latency import measure

LEARNING_RUNS: Final = 4
ARMS: Final = ("base", "head", "null")
PROBED: Final = (None, 0, simulation.TURNS)
"""What is planted in the probe: nothing, an empty loop, a long one."""
QUANTITY: Final[Mapping[Signal, str]] = {"latency": "ratio", "instructions": "instructions"}
MARGIN: Final = 1.5
"""A case is planted if what is planted costs so many times as much as planting nothing."""
DEAREST: Final[Mapping[str, float]] = {"latency": 10.0, "instructions": 400_000.0}
"""Dearer cases are not planted: they are measured with fewer calls, and there are few of them."""
EXTRA_PASSES: Final = 6
"""Beside the first: each has another hash seed and memory layout, and all are drawn from."""
ANEW: Final = "type 'resilience-bench prove' without --from to begin anew"


@dataclass(frozen=True, slots=True)
class Plants:
    """What is planted in a build, by case: turns while timed, turns while counted, waits in ns."""

    turns: Mapping[str, int] = field(default_factory=dict)
    counted_turns: Mapping[str, int] = field(default_factory=dict)
    waits_ns: Mapping[str, int] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return any(name in each for each in (self.turns, self.counted_turns, self.waits_ns))


NOTHING: Final = Plants()


@dataclass(slots=True)
class Prover:
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
    prices: dict[str, simulation.Price] = field(default_factory=dict)
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
            live = self._live(f"learn-{number + 1}", timed or signals, NOTHING)
            if "latency" in live.signals:
                live.latencies(PROFILES["quick"].workers, self.names)
            if "instructions" in live.signals:
                live.counts(1 + EXTRA_PASSES, self.names)
            live.recording.write(complete=True)
        for signal in signals:
            self._price(signal)
        self._take_up(signals)

    def _price(self, signal: Signal) -> None:
        """Measure the probe as it is, and with something planted."""
        for number, turns in enumerate(PROBED):
            turns_of = {} if turns is None else {simulation.PROBE: turns}
            probe = [info for info in self.cases if info.case.name == simulation.PROBE]
            plants = Plants(turns_of, turns_of)
            live = self._live(f"price-{signal}-{number}", [signal], plants, probe)
            if signal == "latency":
                live.latencies(PROFILES["quick"].workers, {simulation.PROBE})
            else:
                live.counts(1, {simulation.PROBE})
            live.recording.write(complete=True)

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
        learned = self._take_up(signals)
        for name, build in self._healthy():
            for path in self._files(build.gate, name):
                if not path.exists():
                    message = f"{path}: expected what build {name} measured, found no file; {ANEW}"
                    raise UserError(message)
        selected = self.names
        self.cases = [info for info in self.cases if info.case.name in learned]
        reasons = {
            "learned, but not selected": learned - selected,
            "selected, but not learned by the earlier proof": selected - learned,
        }
        return [
            f"left out, because {reason}: {len(names)} cases ({listed(sorted(names))})"
            for reason, names in reasons.items()
            if names
        ]

    def _take_up(self, signals: Sequence[Signal]) -> set[str]:
        """Read what was learned; returns the names of its cases."""
        runs = [self._learned(f"learn-{number + 1}") for number in range(LEARNING_RUNS)]
        measured = [(each, measure(each)) for each in runs]
        self.baseline = learning.learn(measured, "proof")
        self.latencies_ns = simulation.values_of(measured[0][1], "latency_ns")
        for signal in signals:
            self.expected[signal] = simulation.values_of(measured[0][1], QUANTITY[signal])
            self.prices[signal] = simulation.price(
                *(self._cost(signal, number) for number in range(len(PROBED)))
            )
        return {record.case.name for record in runs[0].cases}

    def _learned(self, name: str) -> Result:
        path = self.folder / f"{name}.json"
        result = results.read(path) if path.exists() else None
        if result is None or not result.complete:
            found = "cut short" if result else "missing"
            message = (
                f"{self.folder}: the earlier proof was interrupted before it had learned what is "
                f"acceptable: {path.name} is {found}; {ANEW}"
            )
            raise UserError(message)
        return result

    def _cost(self, signal: Signal, number: int) -> float:
        """What the probe cost, with so much planted."""
        result = self._learned(f"price-{signal}-{number}")
        costs = simulation.values_of(measure(result), QUANTITY[signal])
        if simulation.PROBE not in costs:
            message = (
                f"{simulation.PROBE} was not measured, so nobody knows what planting costs; "
                f"type 'resilience-bench run {simulation.PROBE}' to see why"
            )
            raise UserError(message)
        return costs[simulation.PROBE]

    def _live(
        self,
        name: str,
        signals: Sequence[Signal],
        plants: Plants,
        cases: Sequence[CaseInfo] | None = None,
    ) -> Live:
        session = self._session(plants, cases)
        recording = self._recording(name, session, signals)
        return Live(session, recording, lambda _: None, tuple(signals), {})

    def _session(self, plants: Plants, cases: Sequence[CaseInfo] | None = None) -> Session:
        return Session(
            self.launcher,
            cases or self.cases,
            PROFILES["quick"],
            plants.turns,
            plants.waits_ns,
            plants.counted_turns,
        )

    def _recording(self, name: str, session: Session, signals: Sequence[Signal]) -> Recording:
        path = self.folder / f"{name}.json"
        return Recording(session.records, "prove", path, (), (), signals)

    def build(
        self,
        gate: str,
        signals: Sequence[Signal],
        percent: float,
        count: int,
        kind: Kind = "work",
    ) -> Build:
        """One real build; with more than 0 per cent, so many cases are planted."""
        chosen = self._chosen(signals, count) if percent else []
        plants = self._plants(chosen, percent, kind)
        started = time.monotonic()
        name = f"{gate}-{len(self.builds) + 1}"
        source, questions, policy = self._source(gate, name, signals, plants)
        verdicts = judged(questions, source, policy)
        seconds = time.monotonic() - started
        red: dict[str, tuple[str, ...]] = {
            signal: tuple(sorted(simulation.failing(*_of_signal(questions, verdicts, signal))))
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

    def _plants(self, chosen: Sequence[str], percent: float, kind: Kind) -> Plants:
        """What makes the cases dearer by so much in every signal; a wait is no instructions."""
        percents = dict.fromkeys(chosen, percent)
        if kind == "wait":
            costs_ns = {name: self.latencies_ns[name] for name in chosen}
            return Plants(
                waits_ns={name: round(cost * percent / 100) for name, cost in costs_ns.items()}
            )
        turns = {
            signal: simulation.planted(percents, self.expected[signal], self.prices[signal])
            for signal in self.prices
        }
        return Plants(turns.get("latency", {}), turns.get("instructions", {}))

    def _source(
        self,
        gate: str,
        name: str,
        signals: Sequence[Signal],
        plants: Plants,
    ) -> tuple[Source, list[Question], Policy]:
        questions = self._questions(gate, signals)
        if gate == "check":
            return self._live(name, signals, plants), questions, Policy()
        sessions = [self._session(plants if arm == "head" else NOTHING) for arm in ARMS]
        base, head, null = (
            Arm(session, self._recording(f"{name}-{arm}", session, signals))
            for arm, session in zip(ARMS, sessions, strict=True)
        )
        deadline = time.monotonic() + SECONDS
        pair = Comparison(base, head, null, lambda _: None, tuple(signals), {}, deadline)
        return pair, questions, COMPARED

    def _questions(self, gate: str, signals: Sequence[Signal]) -> list[Question]:
        if gate == "check":
            assert self.baseline is not None
            return questions_of_baseline(self.baseline, signals, self.names.__contains__)
        return questions_of_comparison(self._session(NOTHING).records, signals, TOLERANCES)

    def _chosen(self, signals: Sequence[Signal], count: int) -> list[str]:
        """The same cases for every size, so that sizes can be compared."""
        least = {
            each: MARGIN * price.fixed / (min(self.sizes) / 100)
            for each, price in self.prices.items()
        }
        fitting = [
            info
            for info in self.cases
            if all(
                least[each] <= self.expected[each].get(info.case.name, 0.0) <= DEAREST[each]
                for each in self.prices
            )
        ]
        return simulation.chosen_cases(fitting, self.expected[signals[0]], count)

    def fill_pools(self) -> None:
        """Collect what workers and processes of the healthy real builds told, to draw from."""
        self.pools.clear()
        counted: list[InstructionRecord] = []
        for name, build in self._healthy():
            read = [results.read(path) for path in self._files(build.gate, name)]
            if told := _screening(build.gate, read, self.names):
                self.pools.setdefault((build.gate, "latency"), []).append(told)
            counted += [record for each in read for record in each.instructions]
        for path in sorted(self.folder.glob("learn-*.json")):
            counted += results.read(path).instructions
        if counted:
            for gate in ("check", "compare"):
                self.pools[gate, "instructions"] = [simulation.of_all_layouts(counted, self.names)]

    def _healthy(self) -> Iterator[tuple[str, Build]]:
        """The real builds in which nothing was planted, each with its name."""
        for number, build in enumerate(self.builds, start=1):
            if not build.planted_percent:
                yield f"{build.gate}-{number}", build

    def _files(self, gate: str, name: str) -> list[Path]:
        """Where a build has recorded what it measured."""
        names = [name] if gate == "check" else [f"{name}-{arm}" for arm in ARMS]
        return [self.folder / f"{each}.json" for each in names]

    def drawn(
        self, gate: str, signal: Signal, percent: float, trials: int, count: int
    ) -> simulation.Rate | None:
        """A rate over builds that are drawn from the workers of the healthy real ones."""
        recorded = self.pools.get((gate, signal), [])
        if not recorded or trials == 0:
            return None
        known = {key for each in recorded for key in each}
        questions = [
            each
            for each in self._questions(gate, [signal])
            if (each.case, each.quantity, each.is_null) in known
        ]
        outcomes = simulation.drawn_outcomes(
            questions,
            _pool(gate, signal, recorded),
            Policy() if gate == "check" else COMPARED,
            percent=percent,
            cases=self._chosen([signal], count) or [""],
            trials=trials,
        )
        return simulation.rate(gate, signal, "drawn", percent, outcomes)

    def real(self, gate: str, signal: str, percent: float, kind: Kind = "work") -> simulation.Rate:
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
        return simulation.rate(gate, signal, "real", percent, outcomes, kind=kind)


def _screening(gate: str, read: Sequence[Result], names: Collection[str]) -> Evidence:
    """The numbers of the first stage of a recorded build, of which these are the files."""
    screen = Policy().screen if gate == "check" else COMPARED.screen
    first = [[each for each in result.workers if each.index < screen] for result in read]
    records = [each for each in read[0].cases if each.case.name in names]
    if gate == "check":
        return latency_evidence(records, first[0], names)
    measured = [each for each in records if each.status == "measured"]
    return paired_evidence(measured, [part for arm in first for part in ((), arm)])


def _pool(gate: str, signal: Signal, recorded: Sequence[Evidence]) -> simulation.Pool:
    together: dict[Key, Numbers] = {}
    for each in recorded:
        join(together, each)
    if signal == "instructions":
        # HEAD and BASE are drawn independently, although a gate gives both the same seed: another
        # version of the code has another layout, and that may pass for a difference.
        paired = {key: Numbers(each.heads, each.heads) for key, each in together.items()}
        return simulation.Pool(paired if gate == "compare" else together)
    if gate == "check":
        return simulation.Pool(together, simulation.drifts_of(recorded))
    return simulation.Pool(simulation.of_one_variant(together))


def _of_signal(
    questions: Sequence[Question], verdicts: Sequence[Any], signal: str
) -> tuple[list[Question], list[Any]]:
    pairs = [
        (question, verdict)
        for question, verdict in zip(questions, verdicts, strict=True)
        if question.signal == signal
    ]
    return [question for question, _ in pairs], [verdict for _, verdict in pairs]
