"""Counting by several processes, interruptions, and which signals are measured."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from resilience_bench._model import (
    AllocationRecord,
    InstructionRecord,
    WorkerRecord,
)
from resilience_bench.measure import counting as signals
from resilience_bench.measure.counting import (
    MINIMUM_CASES,
    SIGNALS,
    find_measurable_signals,
)
from resilience_bench.measure.interleave import MeasuredVariant, measure_interleaved
from resilience_bench.measure.launcher import WorkerFailedError
from resilience_bench.measure.session import SLOW_CALL_NS, FinishedBlock, Profile, Session
from resilience_bench.quantities import LOAD_SIGNALS
from resilience_bench.worker.protocol import (
    Message,
    Plan,
    SamplesMessage,
    StatusMessage,
    WeightMessage,
)
from tests.measure.counting_factories import CASES, A, B, C, Launcher, made
from tests.scripted import (
    WEIGHT,
    info,
    sampled,
    samples,
    suite,
    weighed,
)

pytestmark = pytest.mark.usefixtures("_two_processors")


@pytest.mark.parametrize(
    ("cases", "processors", "blocks", "children"),
    [
        (1, 2, 1, 2),
        (2 * MINIMUM_CASES - 1, 2, 1, 2),
        (2 * MINIMUM_CASES, 2, 2, 1),
        (48, 2, 2, 1),
        (48, 1, 1, 1),
        (48, 8, 2, 4),
        (48, 64, 2, 8),
        (10, 64, 1, 8),
    ],
)
def test_many_cases_are_counted_by_two_processes(
    monkeypatch: pytest.MonkeyPatch, cases: int, processors: int, blocks: int, children: int
) -> None:
    """From so many cases on a second process pays off; the processors are divided among both."""
    monkeypatch.setattr(signals.os, "cpu_count", lambda: processors)
    infos = [info(f"s{number}") for number in range(cases)]
    launcher = Launcher(suite(infos))
    passes = made(launcher, cases=infos)
    done = list(passes.run(["instructions", "allocations"]))
    sizes = [len(plan.cases) for plan, _ in launcher.plans if plan.action == "count"]
    assert len(sizes) == blocks
    assert {plan.children for plan, _ in launcher.plans if plan.action == "count"} == {children}
    assert sum(sizes) == cases
    assert max(sizes) - min(sizes) <= 1
    assert [len(plan.cases) for plan, _ in launcher.plans if plan.action == "weigh"] == [cases]
    assert sum(len(each.cases) for each in done) == 2 * cases
    assert not any(record.missing for record in passes.session.records.values())


def test_slow_cases_are_passed_as_heavy_and_weigh_more() -> None:
    """The slow cases come first, and the process that has them gets fewer of the others."""
    infos = [info(f"s{number:02}") for number in range(2 * MINIMUM_CASES)]
    slow = [each.case.name for each in infos[-2:]]
    launcher = Launcher(suite(infos))
    list(made(launcher, cases=infos, slow=set(slow)).run(["instructions"]))
    first, second = sorted((plan for plan, _ in launcher.plans), key=lambda plan: len(plan.cases))
    assert first.heavy == (slow[0],)
    assert first.cases == first.heavy
    assert second.cases[0] == slow[1]
    assert len(first.cases) + len(second.cases) == len(infos)


def test_an_interruption_in_a_workers_thread_stops_the_others() -> None:
    """Ctrl-C reaches the caller, and no process is left to finish."""

    def script(plan: Plan, seed: int) -> list[Message]:
        raise KeyboardInterrupt

    launcher = Launcher(script)
    with pytest.raises(KeyboardInterrupt):
        list(made(launcher).run(["instructions"]))
    assert launcher.stops == 1


@pytest.mark.parametrize("thrown", [True, False], ids=["thrown in", "closed"])
def test_an_interruption_of_the_caller_stops_the_workers(*, thrown: bool) -> None:
    """Whoever stops listening ends the processes that are still at work."""
    stopped = threading.Event()

    class Waiting(Launcher):
        def stop(self) -> None:
            stopped.set()

    def script(plan: Plan, seed: int) -> list[Message]:
        if plan.action == "count":
            stopped.wait()
            raise WorkerFailedError("was ended by SIGKILL")
        return weighed(plan.cases)

    running = made(Waiting(script)).run(["instructions", "allocations"])
    assert next(running).signal == "allocations"
    if thrown:
        with pytest.raises(KeyboardInterrupt):
            running.throw(KeyboardInterrupt)  # type: ignore[attr-defined]
    else:
        running.close()  # type: ignore[attr-defined]
    assert stopped.is_set()


def measure(session: Session, wanted: Sequence[signals.Signal]) -> Iterator[FinishedBlock]:
    """Measure signals of a session that nobody records."""
    unused: Any = None
    for _, done in measure_interleaved([MeasuredVariant(session, unused)], wanted):
        yield done


def test_latency_is_measured_first_and_alone() -> None:
    """No process counts or weighs before the last worker has timed; its findings hold for all."""

    def script(plan: Plan, seed: int) -> list[Message]:
        if plan.action != "measure":
            return list(suite(CASES)(plan, seed))
        said = sampled([name for name in plan.cases if name != A])
        said.append(StatusMessage(A, "broken", "ran twice"))
        said.append(SamplesMessage("operation", C, samples(2 * SLOW_CALL_NS)))
        return said

    launcher = Launcher(script)
    session = Session(launcher, CASES, Profile("tiny", workers=2, samples=4))
    reported = list(measure(session, SIGNALS))
    kinds = [type(message.record) for message in reported if message.record]
    assert kinds[:2] == [WorkerRecord, WorkerRecord]
    assert set(kinds[2:]) == {InstructionRecord, AllocationRecord}
    others = [(plan, seed) for plan, seed in launcher.plans if plan.action != "measure"]
    assert len(launcher.plans) - len(others) == 2
    for plan, seed in others:
        assert seed == 0
        assert plan.cases == (B, C)
        assert plan.heavy == (C,)


@pytest.mark.parametrize("signal", [each for each in SIGNALS if each not in LOAD_SIGNALS])
def test_only_what_is_asked_for_is_measured(signal: signals.Signal) -> None:
    """One signal starts one kind of process, after one worker that visits the cases."""
    launcher = Launcher(suite(CASES))
    session = Session(launcher, CASES, Profile("tiny", workers=1, samples=4))
    assert {each.signal for each in measure(session, [signal])} == {signal}
    then = {"latency": [], "instructions": ["count"], "allocations": ["weigh"]}[signal]
    assert [plan.action for plan, _ in launcher.plans] == ["measure", *then]


def test_a_signal_that_is_not_available_has_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only instructions need a program; where it is there, nothing is missing."""
    monkeypatch.setattr(signals.callgrind, "explain_unavailability", lambda: "no valgrind")
    rest = tuple(each for each in SIGNALS if each != "instructions")
    assert find_measurable_signals() == (rest, {"instructions": "no valgrind"})
    assert find_measurable_signals(["instructions"]) == ((), {"instructions": "no valgrind"})
    monkeypatch.setattr(signals.callgrind, "explain_unavailability", lambda: "")
    assert find_measurable_signals() == (SIGNALS, {})


def test_a_signal_that_nobody_asked_for_is_not_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    """For latency alone nothing is said of valgrind; the order is always the same."""
    monkeypatch.setattr(signals.callgrind, "explain_unavailability", lambda: "no valgrind")
    assert find_measurable_signals(["latency"]) == (("latency",), {})
    assert find_measurable_signals(["allocations", "latency"]) == (("latency", "allocations"), {})


def test_a_weight_is_all_that_a_worker_need_say() -> None:
    """A case that is weighed counts as measured by the pass, whatever its status says."""
    passes = made(Launcher(lambda plan, seed: [WeightMessage(name, WEIGHT) for name in plan.cases]))
    list(passes.run(["allocations"]))
    assert not any(record.missing for record in passes.session.records.values())
