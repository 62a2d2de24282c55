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
    Counted,
    Declared,
    Loaded,
    Message,
    Plan,
    Problem,
    Sampled,
    Starting,
    Status,
    Tallied,
    Weighed,
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
        said += [Starting(name), Status(name, "ready", control=CONTROL)]
    said.append(Sampled("reference", "reference", samples(500)))
    said.append(Sampled("control", CONTROL, samples(100)))
    said += [Sampled("operation", name, samples(call_ns)) for name in names]
    return said


def counted(names: Iterable[str]) -> list[Message]:
    """What a worker says that counted these cases: 1000 instructions each, control 100."""
    said: list[Message] = [Starting(""), Counted("control", CONTROL, CONTROL_COUNTS)]
    for name in names:
        said += [Starting(name), Status(name, "ready", control=CONTROL)]
        said.append(Counted("operation", name, COUNTS))
    return said


def weighed(names: Iterable[str]) -> list[Message]:
    """What a worker says that weighed these cases: nothing kept, and results of 128 bytes."""
    said: list[Message] = []
    for name in names:
        said += [Starting(name), Status(name, "ready", control=CONTROL), Weighed(name, WEIGHT)]
    return said


def loaded(names: Iterable[str]) -> list[Message]:
    """What a worker says that measured these cases under load: as fast as their control."""
    said: list[Message] = []
    for name in names:
        said += [Starting(name), Status(name, "ready", control=CONTROL)]
    said.append(Loaded("control", CONTROL, LOADED))
    for name in names:
        said += [Starting(name), Loaded("operation", name, LOADED), Tallied(name, TALLY)]
    return said


def suite(infos: Iterable[CaseInfo], problems: Iterable[str] = ()) -> Script:
    """A worker for which everything goes well."""
    declared = list(infos)

    def script(plan: Plan, hash_seed: int) -> list[Message]:
        del hash_seed
        if plan.action == "discover":
            return [*map(Problem, problems), *map(Declared, declared)]
        if plan.action == "inspect":
            return [Status(name, "ready", control=CONTROL) for name in plan.cases]
        answers = {"measure": sampled, "count": counted, "weigh": weighed, "load": loaded}
        return answers[plan.action](plan.cases)

    return script
