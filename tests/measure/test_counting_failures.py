"""Workers that fail while they count: who is given up, what goes on."""

from __future__ import annotations

import threading

import pytest

from resilience_bench._model import (
    AllocationRecord,
    InstructionRecord,
)
from resilience_bench.measure import counting as signals
from resilience_bench.measure.callgrind import ValgrindFailedError
from resilience_bench.measure.launcher import WorkerFailedError
from resilience_bench.worker.protocol import (
    Message,
    Plan,
)
from tests.measure.counting_factories import CASES, A, B, C, Launcher, made, names
from tests.scripted import (
    counted,
    suite,
    weighed,
)

pytestmark = pytest.mark.usefixtures("_two_processors")


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
    assert passes.session.records[B].missing == {"instructions": "its worker was ended by SIGSEGV"}
    assert passes.session.records[B].status == "measured"
    assert not passes.session.records[A].missing


def test_every_case_is_reported_as_done_once_a_signal() -> None:
    """Progress adds up also when a case is given up and the rest is tried again."""

    def script(plan: Plan, seed: int) -> list[Message]:
        if B in plan.cases:
            raise WorkerFailedError("was ended by SIGSEGV", suspect=B)
        return counted(plan.cases)

    reported = [
        name for done in made(Launcher(script)).run(["instructions"]) for name in names(done)
    ]
    assert sorted(reported) == [A, B, C]


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
    for record in passes.session.records.values():
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
    assert {record.status for record in passes.session.records.values()} == {"measured"}


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
    assert not any(record.missing for record in passes.session.records.values())
