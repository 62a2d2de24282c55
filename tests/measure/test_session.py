"""The session, with a scripted worker: blocks, retries, and what is left when cases fail."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from resilience_bench._model import WorkerRecord
from resilience_bench.measure.launcher import ScriptedLauncher, WorkerFailedError
from resilience_bench.measure.session import (
    FEW_CASES,
    MORE_SAMPLES,
    SLOW_CALL_NS,
    SLOW_WORKERS,
    FinishedBlock,
    Profile,
    Session,
)
from resilience_bench.worker.protocol import Message, Plan, SamplesMessage, StatusMessage
from tests.scripted import info, sampled, samples, suite

PROFILE = Profile("tiny", workers=2, samples=4, block_cases=2)
CASES = [info("a", "x"), info("b", "x"), info("c", "x")]
A, B, C = (each.case.name for each in CASES)


def run(launcher: ScriptedLauncher) -> tuple[Session, list[FinishedBlock]]:
    """Run a session to its end."""
    session = Session(launcher, CASES, PROFILE)
    return session, list(session.run())


def measured_names(blocks: Iterable[FinishedBlock]) -> list[tuple[int, list[str]]]:
    """Worker index and measured cases, block by block."""
    return [
        (done.record.index, list(done.record.operations))
        for done in blocks
        if isinstance(done.record, WorkerRecord)
    ]


def test_every_block_is_visited_before_any_is_visited_again() -> None:
    """Workers of a case are spread over the run; seeds count from 0; one check is enough."""
    launcher = ScriptedLauncher(suite(CASES))
    _, blocks = run(launcher)
    assert measured_names(blocks) == [(0, [A, B]), (0, [C]), (1, [A, B]), (1, [C])]
    assert [seed for _, seed in launcher.plans] == [0, 0, 1, 1]
    assert [plan.check for plan, _ in launcher.plans] == [True, True, False, False]


@pytest.mark.parametrize(
    ("cases", "sizes"), [(0, []), (1, [1]), (2, [2]), (3, [2, 1]), (5, [2, 2, 1]), (6, [2, 2, 2])]
)
def test_blocks_are_of_about_the_same_size(cases: int, sizes: list[int]) -> None:
    """No block is larger than the profile says, and the cases keep their order."""
    infos = [info(str(number)) for number in range(cases)]
    blocks = Session(ScriptedLauncher(suite(infos)), infos, PROFILE).blocks(infos)
    assert [len(block) for block in blocks] == sizes
    assert [each for block in blocks for each in block] == infos


def test_a_slow_case_is_left_to_the_first_workers() -> None:
    """A case that would use up everybody's time is measured by fewer workers, and says so."""
    profile = Profile("tiny", workers=SLOW_WORKERS + 2, samples=4)

    def script(plan: Plan, seed: int) -> list[Message]:
        del seed
        said = sampled(plan.cases)
        return [
            SamplesMessage("operation", B, samples(2 * SLOW_CALL_NS))
            if isinstance(each, SamplesMessage) and each.name == B
            else each
            for each in said
        ]

    session = Session(ScriptedLauncher(script), CASES, profile)
    blocks = list(session.run())
    measured = measured_names(blocks)
    assert [index for index, names in measured if B in names] == list(range(SLOW_WORKERS))
    assert len(measured) == profile.workers
    assert sum(len(done.cases) for done in blocks) == len(CASES) * profile.workers


def test_a_visit_measures_what_is_wanted_with_one_worker_a_block() -> None:
    """A visit has the index that it is given, and only the wanted cases, in their order."""
    launcher = ScriptedLauncher(suite(CASES))
    session = Session(launcher, CASES, PROFILE)
    assert measured_names(session.visit(7, {C, A})) == [(7, [A, C])]
    assert [(plan.cases, seed) for plan, seed in launcher.plans] == [((A, C), 7)]


@pytest.mark.parametrize("wanted", [None, {A}], ids=["screening", "confirmation"])
def test_a_slow_case_is_left_out_after_some_workers(wanted: set[str] | None) -> None:
    """What counts is how many workers have measured it, whatever they were started for."""

    def script(plan: Plan, seed: int) -> list[Message]:
        return sampled(plan.cases, 2 * SLOW_CALL_NS)

    session = Session(ScriptedLauncher(script), CASES[:1], PROFILE)
    visits = [session.visit(index, wanted) for index in range(10, 12 + SLOW_WORKERS)]
    reported = [measured_names(visit) for visit in visits]
    assert reported == [[(10 + index, [A])] for index in range(SLOW_WORKERS)] + [[], []]
    assert session.slow == {A}


@pytest.mark.parametrize(
    ("wanted", "times"),
    [(None, 1), (1, MORE_SAMPLES), (FEW_CASES, MORE_SAMPLES), (FEW_CASES + 1, 1)],
)
def test_a_few_wanted_cases_are_measured_with_more_samples(wanted: int | None, times: int) -> None:
    """Where the start of a worker outlasts the samples there are more of them, and time for it."""
    infos = [info(f"s{number}", "x") for number in range(FEW_CASES + 2)]
    launcher = ScriptedLauncher(suite(infos))
    names = None if wanted is None else {each.case.name for each in infos[:wanted]}
    list(Session(launcher, infos, PROFILE).visit(0, names))
    reported = {(plan.samples, plan.case_ns, plan.sample_ns) for plan, _ in launcher.plans}
    assert reported == {(times * PROFILE.samples, times * PROFILE.case_ns, PROFILE.sample_ns)}


def test_a_suite_of_few_cases_is_measured_as_the_profile_says() -> None:
    """A run wants all its cases, however few there are."""
    launcher = ScriptedLauncher(suite(CASES))
    run(launcher)
    assert {plan.samples for plan, _ in launcher.plans} == {PROFILE.samples}


def test_plants_are_passed_on_with_the_cases_of_a_block() -> None:
    """A worker gets the names of those of its cases that are to be slower, and of no others."""
    launcher = ScriptedLauncher(suite(CASES))
    list(Session(launcher, CASES, PROFILE, {B: 3, "other": 1}).visit(0))
    assert [plan.plants for plan, _ in launcher.plans] == [((B, 3),), ()]


def test_a_worker_that_fails_once_costs_a_retry_only() -> None:
    """After one failure the block is measured again, and nothing is lost."""
    failures = iter([WorkerFailedError("was ended by SIGKILL")])

    def script(plan: Plan, seed: int) -> list[Message]:
        if seed == 1 and (failure := next(failures, None)):
            raise failure
        return sampled(plan.cases)

    session, blocks = run(ScriptedLauncher(script))
    assert measured_names(blocks) == [(0, [A, B]), (0, [C]), (1, [A, B]), (1, [C])]
    assert {record.status for record in session.records.values()} == {"measured"}


@pytest.mark.parametrize("named", [True, False], ids=["worker names it", "nobody knows"])
def test_a_case_that_kills_its_worker_is_failed_and_the_others_are_measured(*, named: bool) -> None:
    """Whether or not the worker says which case it was at, only that case is given up."""

    def script(plan: Plan, seed: int) -> list[Message]:
        del seed
        if B in plan.cases:
            raise WorkerFailedError("was ended by SIGSEGV", suspect=B if named else "")
        return sampled(plan.cases)

    launcher = ScriptedLauncher(script)
    session, blocks = run(launcher)
    assert measured_names(blocks) == [(0, [A]), (0, [C]), (1, [A]), (1, [C])]
    assert session.records[B].status == "failed"
    assert session.records[B].reason == "its worker was ended by SIGSEGV"
    assert session.records[A].status == session.records[C].status == "measured"
    assert sum(B in plan.cases for plan, _ in launcher.plans) <= 4


def test_a_broken_case_is_not_measured_again() -> None:
    """What the first worker finds broken or not available is left out of later workers."""

    def script(plan: Plan, seed: int) -> list[Message]:
        del seed
        others = [name for name in plan.cases if name != A]
        refused = [StatusMessage(A, "broken", "ran twice")] if A in plan.cases else []
        return [*refused, *sampled(others)]

    launcher = ScriptedLauncher(script)
    session, _ = run(launcher)
    assert (session.records[A].status, session.records[A].reason) == ("broken", "ran twice")
    assert [plan.cases for plan, _ in launcher.plans] == [(A, B), (C,), (B,), (C,)]


def test_a_worker_without_reference_has_failed() -> None:
    """A worker that says it is done, but sampled no reference, measured nothing."""

    def script(plan: Plan, seed: int) -> list[Message]:
        del seed
        return [m for m in sampled(plan.cases) if not isinstance(m, SamplesMessage)]

    session, blocks = run(ScriptedLauncher(script))
    assert measured_names(blocks) == []
    assert {record.status for record in session.records.values()} == {"failed"}


def test_what_was_not_reached_is_interrupted() -> None:
    """When the caller stops early, the records say what was measured and what was not."""
    session = Session(ScriptedLauncher(suite(CASES)), CASES, PROFILE)
    next(session.run())
    statuses = {name: record.status for name, record in session.records.items()}
    assert statuses == {A: "measured", B: "measured", C: "interrupted"}


def test_every_case_is_reported_as_done_once_a_worker() -> None:
    """Progress adds up to cases times workers, also when cases fail and blocks are split."""

    def script(plan: Plan, seed: int) -> list[Message]:
        del seed
        if B in plan.cases:
            raise WorkerFailedError("crashed")
        return sampled(plan.cases)

    _, blocks = run(ScriptedLauncher(script))
    assert sum(len(done.cases) for done in blocks) == len(CASES) * PROFILE.workers
