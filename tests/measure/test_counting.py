"""Instructions and allocations, with a scripted worker: blocks, failures, interruptions."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from resilience_bench._model import (
    AllocationRecord,
    CaseInfo,
    CaseRecord,
    CaseStatus,
    InstructionRecord,
    WorkerRecord,
)
from resilience_bench.measure import counting as signals
from resilience_bench.measure.callgrind import ValgrindFailedError
from resilience_bench.measure.counting import (
    MINIMUM_CASES,
    SIGNALS,
    CountingSession,
    find_measurable_signals,
    measure_signals,
    prepare_counting_session,
)
from resilience_bench.measure.launcher import ScriptedLauncher, WorkerFailedError
from resilience_bench.measure.session import SLOW_CALL_NS, FinishedBlock, Profile, Session
from resilience_bench.worker.protocol import (
    Message,
    Plan,
    SamplesMessage,
    StatusMessage,
    WeightMessage,
)
from tests.scripted import (
    CONTROL,
    CONTROL_COUNTS,
    COUNTS,
    WEIGHT,
    counted,
    info,
    sampled,
    samples,
    suite,
    weighed,
)

CASES = [info("a", "x"), info("b", "x"), info("c", "x")]
A, B, C = (each.case.name for each in CASES)


@dataclass(slots=True)
class Launcher(ScriptedLauncher):
    """A scripted launcher that notes how often it was told to stop."""

    stops: int = 0

    def stop(self) -> None:
        """Note it."""
        self.stops += 1


@pytest.fixture(autouse=True)
def _working(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processors, and a valgrind that works."""
    monkeypatch.setattr(signals.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(signals.callgrind, "ensure_working", lambda: None)


def records(cases: Iterable[CaseInfo], status: CaseStatus = "measured") -> dict[str, CaseRecord]:
    """What is known of cases before they are counted."""
    return {each.case.name: CaseRecord(each.case, status, "", CONTROL) for each in cases}


def made(launcher: Launcher, status: CaseStatus = "measured", **more: object) -> CountingSession:
    """Passes over the three cases."""
    return CountingSession(launcher, CASES, records(CASES, status), **more)  # type: ignore[arg-type]


def names(done: FinishedBlock) -> list[str]:
    """The names of the cases of a block."""
    return [each.case.name for each in done.cases]


def test_each_signal_makes_records_of_its_own() -> None:
    """One process counts, one weighs, both with the pass as hash seed; no case lacks anything."""
    launcher = Launcher(suite(CASES))
    passes = made(launcher)
    done = {each.signal: each for each in passes.run(["instructions", "allocations"], 3)}
    counting, weighing = done["instructions"].record, done["allocations"].record
    assert isinstance(counting, InstructionRecord)
    assert isinstance(weighing, AllocationRecord)
    assert counting.controls == {CONTROL: CONTROL_COUNTS}
    assert counting.operations == dict.fromkeys((A, B, C), COUNTS)
    assert weighing.operations == dict.fromkeys((A, B, C), WEIGHT)
    assert {(each.index, each.hash_seed) for each in (counting, weighing)} == {(3, 3)}
    assert {seed for _, seed in launcher.plans} == {3}
    assert {plan.action for plan, _ in launcher.plans} == {"count", "weigh"}
    assert all(not each.missing for each in passes.records.values())
    assert launcher.stops == 0


def test_what_nobody_has_visited_yet_is_visited_before_it_is_counted() -> None:
    """One worker checks the cases and finds the slow ones; once that is done it is not repeated."""

    def script(plan: Plan, seed: int) -> list[Message]:
        slow = [SamplesMessage("operation", C, samples(2 * SLOW_CALL_NS))]
        return [*suite(CASES)(plan, seed), *(slow if plan.action == "measure" else [])]

    launcher = Launcher(script)
    session = Session(launcher, CASES, Profile("tiny", workers=2, samples=4))
    list(prepare_counting_session(session).run(["instructions"]))
    list(prepare_counting_session(session).run(["allocations"], 1))
    told = [(plan.action, plan.check, seed) for plan, seed in launcher.plans]
    assert told == [("measure", True, 0), ("count", False, 0), ("weigh", False, 1)]
    assert [plan.heavy for plan, _ in launcher.plans[1:]] == [(C,), (C,)]
    assert {each.status for each in session.records.values()} == {"measured"}


def test_what_the_visit_finds_broken_is_not_counted() -> None:
    """A case that does not do what it says costs no time under valgrind."""

    def script(plan: Plan, seed: int) -> list[Message]:
        if plan.action != "measure":
            return list(suite(CASES)(plan, seed))
        return [*sampled([B, C]), StatusMessage(A, "broken", "ran twice")]

    launcher = Launcher(script)
    session = Session(launcher, CASES, Profile("tiny", workers=2, samples=4))
    told = list(prepare_counting_session(session).run(["instructions"]))
    assert [names(done) for done in told] == [[B, C]]
    assert session.records[A].status == "broken"


def test_what_cannot_be_measured_is_not_tried() -> None:
    """Broken, failed and missing cases are left out; with none left no process starts."""
    launcher = Launcher(suite(CASES))
    passes = made(launcher)
    passes.records |= records(CASES[:1], "broken") | records(CASES[1:2], "not installed")
    list(passes.run(["instructions", "allocations"]))
    assert [plan.cases for plan, _ in launcher.plans] == [(C,), (C,)]
    assert list(made(launcher, "failed").run(["instructions"])) == []


@pytest.mark.parametrize(
    ("before", "told", "status", "missing"),
    [
        ("interrupted", StatusMessage(B, "broken", "ran twice"), "broken", {}),
        ("interrupted", StatusMessage(B, "not installed", "pip"), "not installed", {}),
        (
            "interrupted",
            StatusMessage(B, "failed", "crashed"),
            "failed",
            {"instructions": "crashed"},
        ),
        (
            "measured",
            StatusMessage(B, "broken", "ran twice"),
            "measured",
            {"instructions": "ran twice"},
        ),
        (
            "measured",
            StatusMessage(B, "failed", "crashed"),
            "measured",
            {"instructions": "crashed"},
        ),
    ],
)
def test_what_a_worker_says_of_a_case_is_noted(
    before: CaseStatus, told: StatusMessage, status: CaseStatus, missing: dict[str, str]
) -> None:
    """What the latency has measured stays measured, and only lacks the signal."""

    def script(plan: Plan, seed: int) -> list[Message]:
        return [*counted([A]), told, *counted([C])]

    passes = made(Launcher(script), before)
    [done] = passes.run(["instructions"])
    record = passes.records[B]
    assert (record.status, record.missing) == (status, missing)
    assert passes.records[A].status == passes.records[C].status == "measured"
    assert isinstance(done.record, InstructionRecord)
    assert set(done.record.operations) == {A, C}


def test_a_case_of_which_nothing_is_said_lacks_the_signal() -> None:
    """A process that is killed from outside says nothing, which is not passed over in silence."""
    passes = made(Launcher(lambda plan, seed: weighed([A, C])))
    list(passes.run(["allocations"]))
    assert passes.records[B].missing == {"allocations": "its process said nothing of it"}
    assert passes.records[B].status == "measured"


def test_only_the_wanted_cases_are_measured() -> None:
    """Whoever needs more of a few cases gets a pass over those."""
    launcher = Launcher(suite(CASES))
    [done] = made(launcher).run(["instructions"], 2, {A, C})
    assert [(plan.cases, seed) for plan, seed in launcher.plans] == [((A, C), 2)]
    assert names(done) == [A, C]


def test_plants_are_passed_on_with_the_cases_of_a_block() -> None:
    """A case that is to be slower is so under every signal; other plants are left out."""
    launcher = Launcher(suite(CASES))
    list(made(launcher, plants={B: 7, "other": 1}).run(["instructions", "allocations"], 0, {B, C}))
    assert [plan.plants for plan, _ in launcher.plans] == [((B, 7),)] * 2


def test_a_suspect_is_given_up_and_the_rest_is_counted() -> None:
    """Only the case that the worker names lacks its instructions."""

    def script(plan: Plan, seed: int) -> list[Message]:
        if plan.action == "count" and B in plan.cases:
            raise WorkerFailedError("was ended by SIGSEGV", suspect=B)
        return list(suite(CASES)(plan, seed))

    launcher = Launcher(script)
    passes = made(launcher)
    done = {each.signal: each for each in passes.run(["instructions", "allocations"])}
    counting, weighing = done["instructions"].record, done["allocations"].record
    assert isinstance(counting, InstructionRecord)
    assert isinstance(weighing, AllocationRecord)
    assert set(counting.operations) == {A, C}
    assert set(weighing.operations) == {A, B, C}
    assert passes.records[B].missing == {"instructions": "its worker was ended by SIGSEGV"}
    assert passes.records[B].status == "measured"
    assert not passes.records[A].missing


def test_every_case_is_told_as_done_once_a_signal() -> None:
    """Progress adds up also when a case is given up and the rest is tried again."""

    def script(plan: Plan, seed: int) -> list[Message]:
        if B in plan.cases:
            raise WorkerFailedError("was ended by SIGSEGV", suspect=B)
        return counted(plan.cases)

    told = [name for done in made(Launcher(script)).run(["instructions"]) for name in names(done)]
    assert sorted(told) == [A, B, C]


def test_a_worker_that_names_nobody_gives_up_its_block_for_that_signal_only() -> None:
    """Without a suspect nothing is tried again; what else is measured of the cases stays."""

    def script(plan: Plan, seed: int) -> list[Message]:
        if plan.action == "count":
            raise WorkerFailedError("ended with exit code 1")
        return weighed(plan.cases)

    launcher = Launcher(script)
    passes = made(launcher)
    done = {each.signal: each for each in passes.run(["instructions", "allocations"])}
    assert done["instructions"].record is None
    assert names(done["instructions"]) == [A, B, C]
    assert isinstance(done["allocations"].record, AllocationRecord)
    assert sum(plan.action == "count" for plan, _ in launcher.plans) == 1
    for record in passes.records.values():
        assert record.status == "measured"
        assert record.missing == {"instructions": "its worker ended with exit code 1"}


def test_what_one_signal_gives_up_the_other_may_still_measure() -> None:
    """Whichever process ends first, a case that one of them has measured is measured."""
    weighing = threading.Event()

    def script(plan: Plan, seed: int) -> list[Message]:
        if plan.action == "count":
            raise WorkerFailedError("ended with exit code 1")
        weighing.wait()
        return weighed(plan.cases)

    passes = made(Launcher(script), "interrupted")
    for done in passes.run(["instructions", "allocations"]):
        assert done.signal == ("allocations" if weighing.is_set() else "instructions")
        weighing.set()
    assert {each.status for each in passes.records.values()} == {"measured"}


def test_when_valgrind_does_not_work_nothing_is_blamed_on_the_cases(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Valgrind's own failure ends the run, and the other processes with it."""

    def broken() -> None:
        raise ValgrindFailedError("valgrind failed")

    def script(plan: Plan, seed: int) -> list[Message]:
        raise WorkerFailedError("ended with exit code 1", suspect=A)

    monkeypatch.setattr(signals.callgrind, "ensure_working", broken)
    launcher = Launcher(script)
    passes = made(launcher)
    with pytest.raises(ValgrindFailedError):
        list(passes.run(["instructions"]))
    assert launcher.stops == 1
    assert not any(each.missing for each in passes.records.values())


@pytest.mark.parametrize(
    ("cases", "processors", "blocks"),
    [
        (1, 2, 1),
        (2 * MINIMUM_CASES - 1, 2, 1),
        (2 * MINIMUM_CASES, 2, 2),
        (48, 2, 2),
        (48, 1, 1),
        (48, 8, 2),
    ],
)
def test_many_cases_are_counted_by_two_processes(
    monkeypatch: pytest.MonkeyPatch, cases: int, processors: int, blocks: int
) -> None:
    """From so many cases on a second process pays off, where there is a processor for it."""
    monkeypatch.setattr(signals.os, "cpu_count", lambda: processors)
    infos = [info(f"s{number}") for number in range(cases)]
    launcher = Launcher(suite(infos))
    passes = CountingSession(launcher, infos, records(infos))
    done = list(passes.run(["instructions", "allocations"]))
    sizes = [len(plan.cases) for plan, _ in launcher.plans if plan.action == "count"]
    assert len(sizes) == blocks
    assert sum(sizes) == cases
    assert max(sizes) - min(sizes) <= 1
    assert [len(plan.cases) for plan, _ in launcher.plans if plan.action == "weigh"] == [cases]
    assert sum(len(each.cases) for each in done) == 2 * cases
    assert not any(each.missing for each in passes.records.values())


def test_slow_cases_are_passed_as_heavy_and_weigh_more() -> None:
    """The slow cases come first, and the process that has them gets fewer of the others."""
    infos = [info(f"s{number:02}") for number in range(2 * MINIMUM_CASES)]
    slow = [each.case.name for each in infos[-2:]]
    launcher = Launcher(suite(infos))
    list(CountingSession(launcher, infos, records(infos), lambda: slow).run(["instructions"]))
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
    told = list(measure_signals(session, SIGNALS))
    kinds = [type(each.record) for each in told if each.record]
    assert kinds[:2] == [WorkerRecord, WorkerRecord]
    assert set(kinds[2:]) == {InstructionRecord, AllocationRecord}
    others = [(plan, seed) for plan, seed in launcher.plans if plan.action != "measure"]
    assert len(launcher.plans) - len(others) == 2
    for plan, seed in others:
        assert seed == 0
        assert plan.cases == (B, C)
        assert plan.heavy == (C,)


@pytest.mark.parametrize("signal", [each for each in SIGNALS if each != "scaling"])
def test_only_what_is_asked_for_is_measured(signal: signals.Signal) -> None:
    """One signal starts one kind of process, after one worker that visits the cases."""
    launcher = Launcher(suite(CASES))
    session = Session(launcher, CASES, Profile("tiny", workers=1, samples=4))
    assert {each.signal for each in measure_signals(session, [signal])} == {signal}
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
    """Whoever wants latency alone is not told of valgrind; the order is always the same."""
    monkeypatch.setattr(signals.callgrind, "explain_unavailability", lambda: "no valgrind")
    assert find_measurable_signals(["latency"]) == (("latency",), {})
    assert find_measurable_signals(["allocations", "latency"]) == (("latency", "allocations"), {})


def test_a_weight_is_all_that_a_worker_need_say() -> None:
    """A case that is weighed counts as measured by the pass, whatever its status says."""
    passes = made(Launcher(lambda plan, seed: [WeightMessage(name, WEIGHT) for name in plan.cases]))
    list(passes.run(["allocations"]))
    assert not any(each.missing for each in passes.records.values())
