"""Scripts for the fake worker: what a worker says, without one, and without a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from resilience_bench._model import Case, CaseInfo, Samples
from resilience_bench.worker.protocol import (
    Declared,
    Message,
    Plan,
    Problem,
    Sampled,
    Starting,
    Status,
)

FILE = "/scenarios/breaker.py"
CONTROL = "1xreturns"
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


def suite(infos: Iterable[CaseInfo], problems: Iterable[str] = ()) -> Script:
    """A worker for which everything goes well."""
    declared = list(infos)

    def script(plan: Plan, hash_seed: int) -> list[Message]:
        del hash_seed
        if plan.action == "discover":
            return [*map(Problem, problems), *map(Declared, declared)]
        if plan.action == "inspect":
            return [Status(name, "ready", control=CONTROL) for name in plan.cases]
        return sampled(plan.cases)

    return script
