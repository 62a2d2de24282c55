"""Counting instructions and allocations: visits, records, what cannot be counted."""

from __future__ import annotations

import pytest

from resilience_bench._model import (
    AllocationRecord,
    CaseStatus,
    InstructionRecord,
)
from resilience_bench.measure.counting import (
    prepare_counting_session,
)
from resilience_bench.measure.session import SLOW_CALL_NS, Profile, Session
from resilience_bench.worker.protocol import (
    Message,
    Plan,
    SamplesMessage,
    StatusMessage,
)
from tests.measure.counting_factories import CASES, A, B, C, Launcher, made, names, records
from tests.scripted import (
    CONTROL,
    CONTROL_COUNTS,
    COUNTS,
    WEIGHT,
    counted,
    sampled,
    samples,
    suite,
    weighed,
)

pytestmark = pytest.mark.usefixtures("_two_processors")


def test_each_signal_makes_records_of_its_own() -> None:
    """One process counts, one weighs, both with the pass as hash seed; no case lacks anything."""
    launcher = Launcher(suite(CASES))
    passes = made(launcher)
    done = {each.signal: each for each in passes.run(["instructions", "allocations"], [3])}
    counting, weighing = done["instructions"].record, done["allocations"].record
    assert isinstance(counting, InstructionRecord)
    assert isinstance(weighing, AllocationRecord)
    assert counting.controls == {CONTROL: CONTROL_COUNTS}
    assert counting.operations == dict.fromkeys((A, B, C), COUNTS)
    assert weighing.operations == dict.fromkeys((A, B, C), WEIGHT)
    assert {(value.index, value.hash_seed) for value in (counting, weighing)} == {(3, 3)}
    assert {seed for _, seed in launcher.plans} == {3}
    assert {plan.action for plan, _ in launcher.plans} == {"count", "weigh"}
    assert all(not record.missing for record in passes.session.records.values())
    assert launcher.stops == 0


def test_what_nobody_has_visited_yet_is_visited_before_it_is_counted() -> None:
    """One worker checks the cases and finds the slow ones; once that is done it is not repeated."""

    def script(plan: Plan, seed: int) -> list[Message]:
        slow = [SamplesMessage("operation", C, samples(2 * SLOW_CALL_NS))]
        return [*suite(CASES)(plan, seed), *(slow if plan.action == "measure" else [])]

    launcher = Launcher(script)
    session = Session(launcher, CASES, Profile("tiny", workers=2, samples=4))
    list(prepare_counting_session(session).run(["instructions"]))
    list(prepare_counting_session(session).run(["allocations"], [1]))
    reported = [(plan.action, plan.check, seed) for plan, seed in launcher.plans]
    assert reported == [("measure", True, 0), ("count", False, 0), ("weigh", False, 1)]
    assert [plan.heavy for plan, _ in launcher.plans[1:]] == [(C,), (C,)]
    assert {record.status for record in session.records.values()} == {"measured"}


def test_what_the_visit_finds_broken_is_not_counted() -> None:
    """A case that does not do what it says costs no time under valgrind."""

    def script(plan: Plan, seed: int) -> list[Message]:
        if plan.action != "measure":
            return list(suite(CASES)(plan, seed))
        return [*sampled([B, C]), StatusMessage(A, "broken", "ran twice")]

    launcher = Launcher(script)
    session = Session(launcher, CASES, Profile("tiny", workers=2, samples=4))
    reported = list(prepare_counting_session(session).run(["instructions"]))
    assert [names(done) for done in reported] == [[B, C]]
    assert session.records[A].status == "broken"


def test_what_cannot_be_measured_is_not_tried() -> None:
    """Broken, failed and missing cases are left out; with none left no process starts."""
    launcher = Launcher(suite(CASES))
    passes = made(launcher)
    passes.session.records |= records(CASES[:1], "broken") | records(CASES[1:2], "not installed")
    list(passes.run(["instructions", "allocations"]))
    assert [plan.cases for plan, _ in launcher.plans] == [(C,), (C,)]
    assert list(made(launcher, "failed").run(["instructions"])) == []


@pytest.mark.parametrize(
    ("before", "reported", "status", "missing"),
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
    before: CaseStatus, reported: StatusMessage, status: CaseStatus, missing: dict[str, str]
) -> None:
    """What the latency has measured stays measured, and only lacks the signal."""

    def script(plan: Plan, seed: int) -> list[Message]:
        return [*counted([A]), reported, *counted([C])]

    passes = made(Launcher(script), before)
    [done] = passes.run(["instructions"])
    record = passes.session.records[B]
    assert (record.status, record.missing) == (status, missing)
    assert passes.session.records[A].status == passes.session.records[C].status == "measured"
    assert isinstance(done.record, InstructionRecord)
    assert set(done.record.operations) == {A, C}


def test_a_case_of_which_nothing_is_said_lacks_the_signal() -> None:
    """A process that is killed from outside says nothing, which is not passed over in silence."""
    passes = made(Launcher(lambda plan, seed: weighed([A, C])))
    list(passes.run(["allocations"]))
    assert passes.session.records[B].missing == {
        "allocations": "its process reported nothing about it"
    }
    assert passes.session.records[B].status == "measured"


def test_only_the_wanted_cases_are_measured() -> None:
    """Whoever needs more of a few cases gets a pass over those."""
    launcher = Launcher(suite(CASES))
    [done] = made(launcher).run(["instructions"], [2], {A, C})
    assert [(plan.cases, seed) for plan, seed in launcher.plans] == [((A, C), 2)]
    assert names(done) == [A, C]


def test_plants_are_passed_on_with_the_cases_of_a_block() -> None:
    """A case that is to be slower is so under every signal; other plants are left out."""
    launcher = Launcher(suite(CASES))
    list(
        made(launcher, count_plants={B: 7, "other": 1}).run(
            ["instructions", "allocations"], [0], {B, C}
        )
    )
    assert [plan.plants for plan, _ in launcher.plans] == [((B, 7),)] * 2
