"""Scripts for the fake worker: what a worker says, without one, and without a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from resilience_bench._model import (
    Case,
    CaseInfo,
    Counts,
    LoadSamples,
    Samples,
    Tally,
    Weight,
)
from resilience_bench.worker.protocol import (
    CountsMessage,
    DeclarationMessage,
    LoadMessage,
    Message,
    Plan,
    ProblemMessage,
    SamplesMessage,
    StartMessage,
    StatusMessage,
    TallyMessage,
    WeightMessage,
)

FILE = "/scenarios/breaker.py"
CONTROL = "1xreturns"
COUNTS = Counts((10, 40), (11_000, 41_000))
CONTROL_COUNTS = Counts((10, 40), (2_000, 5_000))
WEIGHT = Weight(64, 0.0, 0.0, 2.0, 128.0, 512.0)
LOADED = LoadSamples(4, (400, 400), (1_000_000, 1_000_000), (90, 90), (110, 110))
TALLY = Tally(400, 400, 400)
Script = Callable[[Plan, int], Iterable[Message]]


def info(scenario: str, library: str = "", family: str = "breaker", path: str = FILE) -> CaseInfo:
    """A declared case."""
    return CaseInfo(Case(family, scenario, library), path, f"What {scenario} does.")


def samples(call_ns: int, calls: int = 10, count: int = 4) -> Samples:
    """Samples that all say the same."""
    return Samples(calls, (call_ns * calls,) * count)


def sampled(names: Iterable[str], call_ns: int = 1000) -> list[Message]:
    """What a worker says that measured these cases: 1000 ns each, control 100, reference 500."""
    said: list[Message] = []
    for name in names:
        said += [StartMessage(name), StatusMessage(name, "ready", control=CONTROL)]
    said.append(SamplesMessage("reference", "reference", samples(500)))
    said.append(SamplesMessage("control", CONTROL, samples(100)))
    said += [SamplesMessage("operation", name, samples(call_ns)) for name in names]
    return said


def counted(names: Iterable[str]) -> list[Message]:
    """What a worker says that counted these cases: 1000 instructions each, control 100."""
    said: list[Message] = [StartMessage(""), CountsMessage("control", CONTROL, CONTROL_COUNTS)]
    for name in names:
        said += [StartMessage(name), StatusMessage(name, "ready", control=CONTROL)]
        said.append(CountsMessage("operation", name, COUNTS))
    return said


def weighed(names: Iterable[str]) -> list[Message]:
    """What a worker says that weighed these cases: nothing kept, and results of 128 bytes."""
    said: list[Message] = []
    for name in names:
        said += [
            StartMessage(name),
            StatusMessage(name, "ready", control=CONTROL),
            WeightMessage(name, WEIGHT),
        ]
    return said


def loaded(names: Iterable[str]) -> list[Message]:
    """What a worker says that measured these cases under load: as fast as their control."""
    said: list[Message] = []
    for name in names:
        said += [StartMessage(name), StatusMessage(name, "ready", control=CONTROL)]
    said.append(LoadMessage("control", CONTROL, LOADED))
    for name in names:
        said += [
            StartMessage(name),
            LoadMessage("operation", name, LOADED),
            TallyMessage(name, TALLY),
        ]
    return said


def suite(infos: Iterable[CaseInfo], problems: Iterable[str] = ()) -> Script:
    """A worker for which everything goes well."""
    declared = list(infos)

    def script(plan: Plan, hash_seed: int) -> list[Message]:
        del hash_seed
        if plan.action == "discover":
            return [*map(ProblemMessage, problems), *map(DeclarationMessage, declared)]
        if plan.action == "inspect":
            return [StatusMessage(name, "ready", control=CONTROL) for name in plan.cases]
        answers = {"measure": sampled, "count": counted, "weigh": weighed, "load": loaded}
        return answers[plan.action](plan.cases)

    return script
