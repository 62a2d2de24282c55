"""Three arms that take turns: in which order, with which seeds, until when, and what is told."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from resilience_bench._model import CaseRecord, Counts, Signal, Weight
from resilience_bench.files import results
from resilience_bench.gate import live
from resilience_bench.gate.decide import Observations
from resilience_bench.gate.live import BLOCK, LiveSource
from resilience_bench.measure.counting import SIGNALS
from resilience_bench.measure.launcher import ScriptedLauncher, WorkerFailedError
from resilience_bench.measure.measured_variant import MeasuredVariant
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.session import (
    SLOW_CALL_NS,
    SLOW_WORKERS,
    FinishedBlock,
    Profile,
    Session,
)
from resilience_bench.quantities import JUDGED
from resilience_bench.stats.trimmed_t import FEWEST
from resilience_bench.worker.protocol import (
    CountsMessage,
    Message,
    Plan,
    SamplesMessage,
    StatusMessage,
    WeightMessage,
)
from tests.scripted import Script, info, sampled, samples, suite

CASES = [info("a", "x"), info("b", "x")]
A, B = (each.case.name for each in CASES)
BOTH = {A, B}
ARMS = ("BASE", "HEAD", "NULL")
EVEN = list(ARMS)
ODD = ["HEAD", "BASE"]
COUNTED_EVEN, COUNTED_ODD = list(ARMS), list(reversed(ARMS))
Log = list[tuple[str, str, int, tuple[str, ...]]]
Made = Callable[..., tuple[LiveSource, Log]]

SLACK = JUDGED["allocated_bytes"].slack


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Makes a comparison of three scripted arms, and the log that they share."""

    def making(
        signals: tuple[Signal, ...] = SIGNALS,
        deadline: float = float("inf"),
        show: Callable[[FinishedBlock], object] = lambda done: None,
        **scripts: Script,
    ) -> tuple[LiveSource, Log]:
        log: Log = []

        def arm(name: str) -> MeasuredVariant:
            answer = scripts.get(name, suite(CASES))

            def script(plan: Plan, seed: int) -> Iterable[Message]:
                log.append((name, plan.action, seed, plan.cases))
                return answer(plan, seed)

            session = Session(ScriptedLauncher(script), CASES, Profile("tiny", 3, 4))
            path = tmp_path / f"{name}.json"
            return MeasuredVariant(
                session, Recording(session.records, "compare", path, signals=signals)
            )

        base, head, null = map(arm, ARMS)
        return LiveSource(head, show, signals, {}, base, null, deadline), log

    return making


def timed(call_ns: int) -> Script:
    """A worker in which every case takes so long."""
    return lambda plan, seed: sampled(plan.cases, call_ns)


def test_the_arms_take_turns_in_the_order_a_b_b_a(made: Made) -> None:
    """Every second round runs backwards, so that a drift of the machine hits both arms alike."""
    pair, log = made()
    pair.draw_latencies(4, BOTH)
    assert [name for name, _, _, _ in log] == [*EVEN, *ODD, *EVEN, *ODD]
    assert [seed for _, _, seed, _ in log] == [0] * 3 + [1] * 2 + [2] * 3 + [3] * 2


def test_a_worker_has_the_same_seed_in_all_arms_also_later(made: Made) -> None:
    """A confirmation goes on where the screening stopped, with the doubtful cases only."""
    pair, log = made()
    pair.draw_latencies(3, BOTH)
    pair.draw_latencies(2, {B})
    assert log[8:] == [
        *((name, "measure", 3, (B,)) for name in ODD),
        *((name, "measure", 4, (B,)) for name in EVEN),
    ]


def test_numbers_are_those_of_head_and_of_base_twice(made: Made) -> None:
    """HEAD is held against BASE, and so is BASE measured once more."""
    pair, _ = made(HEAD=timed(1300), BASE=timed(1000), NULL=timed(1100))
    found = pair.draw_latencies(3, BOTH)
    assert {case for case, _, _ in found} == BOTH
    assert found[A, "ratio", False] == Observations((2.6,) * 3, (2.0,) * 3)
    assert found[A, "ratio", True] == Observations((2.2,) * 2, (2.0,) * 3)


def test_what_one_arm_cannot_do_is_no_work_for_the_others(made: Made) -> None:
    """From the second worker on all measure the same cases: company moves what a case costs."""

    def without_b(plan: Plan, seed: int) -> Iterable[Message]:
        lacking = StatusMessage(B, "not available", "this release has no b")
        return [lacking, *sampled([name for name in plan.cases if name != B])]

    pair, log = made(BASE=without_b)
    found = pair.draw_latencies(3, BOTH)
    assert {cases for _, _, seed, cases in log if seed} == {(A,)}
    assert {case for case, _, _ in found} == {A}


def test_the_null_control_has_half_as_many_workers(made: Made) -> None:
    """It is measured in every second round only, also in a confirmation; BASE is all of BASE."""
    pair, _ = made()
    first = pair.draw_latencies(5, BOTH)
    later = pair.draw_latencies(6, {A})
    for found, nulls, bases in ((first, 3, 5), (later, 3, 6)):
        assert len(found[A, "ratio", False].heads) == bases
        assert len(found[A, "ratio", True].heads) == nulls
        assert len(found[A, "ratio", True].bases) == bases


def test_a_draw_tells_the_numbers_of_its_own_workers_only(made: Made) -> None:
    """What the screening measured is not told again."""

    def script(plan: Plan, seed: int) -> list[Message]:
        return sampled(plan.cases, call_ns=1000 + 10 * seed)

    pair, _ = made(HEAD=script)
    pair.draw_latencies(2, BOTH)
    found = pair.draw_latencies(2, {A})
    assert found[A, "latency_ns", False].heads == (1020.0, 1030.0)
    assert {case for case, _, _ in found} == {A}


def test_the_deadline_stops_a_confirmation_between_blocks(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is looked at every few workers; what was measured until then is told."""
    clock = itertools.count()
    monkeypatch.setattr(live, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    pair, log = made(deadline=1.5)
    pair.draw_latencies(3, BOTH)
    assert len(log) == 3 + 2 + 3  # the screening asks no clock
    found = pair.draw_latencies(30, {A})
    assert len(found[A, "ratio", False].heads) == 2 * BLOCK
    assert len(log) == 3 + 2 + 3 + BLOCK * (2 + 3)
    assert pair.draw_latencies(30, {A}) == {}


def test_a_deadline_that_has_passed_leaves_the_screening(made: Made) -> None:
    """Whatever time is allowed, all cases are seen once."""
    pair, _ = made(deadline=float("-inf"))
    assert len(pair.draw_latencies(5, BOTH)[A, "ratio", False].heads) == 5
    assert pair.draw_latencies(5, BOTH) == {}


def test_slow_cases_are_left_out_after_some_workers(made: Made) -> None:
    """They take part in the screening with a few workers, and have none for a confirmation."""
    slow = timed(2 * SLOW_CALL_NS)
    pair, _ = made(BASE=slow, HEAD=slow, NULL=slow)
    first = pair.draw_latencies(SLOW_WORKERS + 2, BOTH)
    second = pair.draw_latencies(2 * SLOW_WORKERS, {A})
    assert len(first[A, "ratio", False].heads) == SLOW_WORKERS
    assert second == {}


def rarely_fast(fast: int, call_ns: int = 1000) -> Script:
    """A worker of a machine that slows down after so many; samples say what they lay beside."""

    def told(message: Message, seed: int) -> Message:
        if not isinstance(message, SamplesMessage):
            return message
        times = 1 if seed < fast else 2
        if message.kind == "reference":
            return replace(message, samples=samples(500 * times))
        return replace(message, samples=replace(samples(call_ns * times), beside=(0, 1, 2, 3)))

    return lambda plan, seed: [told(each, seed) for each in sampled(plan.cases)]


@pytest.mark.parametrize("fast", [FEWEST - 1, FEWEST, FEWEST + 2])
def test_what_met_the_best_speed_too_rarely_is_compared_with_all_numbers(
    made: Made, fast: int
) -> None:
    """Both arms have enough numbers at the best speed, or all of them are taken of either."""
    workers = FEWEST + 4
    pair, _ = made(BASE=rarely_fast(2 * workers), HEAD=rarely_fast(fast), NULL=suite(CASES))
    found = pair.draw_latencies(workers, BOTH)[A, "ratio", False]
    assert len(found.heads) == (workers if fast < FEWEST else fast)
    assert len(found.bases) == workers


def lacking(name: str, reason: str) -> Script:
    """A worker that finds a case broken."""

    def script(plan: Plan, seed: int) -> list[Message]:
        said = sampled([each for each in plan.cases if each != name])
        return [*said, StatusMessage(name, "broken", reason)]

    return script


@pytest.mark.parametrize("arm", ["BASE", "HEAD"])
def test_what_an_arm_cannot_do_cannot_be_compared(made: Made, arm: str) -> None:
    """The case has the record of the arm that lacks it, and no numbers."""
    pair, _ = made(**{arm: lacking(B, f"not in {arm}")})
    found = pair.draw_latencies(2, BOTH)
    assert {case for case, _, is_null in found if not is_null} == {A}
    assert (pair.cases[B].status, pair.cases[B].reason) == ("broken", f"not in {arm}")
    assert pair.cases[A].status == "measured"


@pytest.mark.parametrize("arm", ["BASE", "HEAD"])
def test_a_case_that_was_given_up_has_no_numbers(made: Made, arm: str) -> None:
    """HEAD that crashes from the sixth worker on is not within its range: it failed."""

    def script(plan: Plan, seed: int) -> list[Message]:
        if B in plan.cases and seed >= 5:
            raise WorkerFailedError("was ended by SIGSEGV", suspect=B)
        return sampled(plan.cases)

    pair, _ = made(**{arm: script})
    found = pair.draw_latencies(7, BOTH)
    assert pair.cases[B].status == "failed"
    assert {case for case, _, _ in found} == {A}


def test_a_signal_that_base_lacks_is_missing(made: Made) -> None:
    """What is compared needs both sides."""
    pair, _ = made()
    pair.draw_latencies(1, BOTH)
    assert pair.base
    record = pair.base.session.records[A]
    missing = {"instructions": "SIGSEGV"}
    pair.base.session.records[A] = CaseRecord(record.case, "measured", missing=missing)
    assert pair.cases[A].missing == missing


def test_every_arm_has_its_file(made: Made, tmp_path: Path) -> None:
    """All workers and processes of an arm are in its own file, and every block is shown."""
    shown: list[FinishedBlock] = []
    pair, _ = made(show=shown.append)
    pair.draw_latencies(2, BOTH)
    pair.draw_counts(1, BOTH)
    pair.draw_counts(1, {A})
    held = {name: results.read(tmp_path / f"{name}.json") for name in ARMS}
    assert [len(held[name].workers) for name in ARMS] == [2, 2, 1]
    assert [len(held[name].instructions) for name in ARMS] == [2, 2, 1]
    assert [len(held[name].allocations) for name in ARMS] == [2, 2, 1]
    assert len(shown) == 3 + 2 + 2 * 5


# Counts


def weighing(per_call: int, kept: float = 0.0, result: float = 0.0) -> Script:
    """A worker that counts so many instructions a call, and weighs so many bytes."""

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        ready = [StatusMessage(name, "ready") for name in plan.cases]
        if plan.action == "count":
            counts = Counts((0, 10), (0, 10 * per_call))
            return [*ready, *(CountsMessage("operation", name, counts) for name in plan.cases)]
        if plan.action == "weigh":
            weight = Weight(64, 0.0, kept, 0.0, result, 0.0)
            return [*ready, *(WeightMessage(name, weight) for name in plan.cases)]
        return sampled(plan.cases)

    return script


def test_the_null_control_joins_from_the_second_process_on(made: Made) -> None:
    """Counting BASE twice would double the time of a build in which nothing is doubtful."""
    pair, log = made(("instructions",))
    pair.draw_latencies(1, BOTH)
    del log[:]
    first = pair.draw_counts(1, BOTH)
    assert log == [(name, "count", 0, (A, B)) for name in ("BASE", "HEAD")]
    assert {is_null for _, _, is_null in first} == {False}
    del log[:]
    later = pair.draw_counts(2, {B})
    assert log == [
        *((name, "count", 1, (B,)) for name in COUNTED_ODD),
        *((name, "count", 2, (B,)) for name in COUNTED_EVEN),
    ]
    assert later == {
        (B, "instructions", False): Observations((1000.0,) * 2, (1000.0,) * 2),
        (B, "instructions", True): Observations((1000.0,) * 2, (1000.0,) * 2),
    }


def test_after_counting_the_latency_begins_at_worker_0(made: Made) -> None:
    """A worker of each arm looked at the cases before they were counted; it is not held against."""
    pair, log = made(("latency", "instructions"))
    pair.draw_counts(1, BOTH)
    assert [(name, action, seed) for name, action, seed, _ in log] == [
        (name, action, 0) for name in ("BASE", "HEAD") for action in ("measure", "count")
    ]
    del log[:]
    found = pair.draw_latencies(2, BOTH)
    assert [(name, seed) for name, _, seed, _ in log] == [
        *((name, 0) for name in EVEN),
        *((name, 1) for name in ODD),
    ]
    assert found[A, "ratio", False] == Observations((2.0,) * 2, (2.0,) * 2)


def test_counts_are_paired_process_by_process(made: Made) -> None:
    """HEAD's against BASE's, and those of BASE against its own."""
    pair, _ = made(HEAD=weighing(1100), BASE=weighing(1000), NULL=weighing(1001))
    pair.draw_latencies(1, BOTH)
    pair.draw_counts(1, BOTH)
    found = pair.draw_counts(1, {A})
    assert found[A, "instructions", False] == Observations((1100.0,), (1000.0,))
    assert found[A, "instructions", True] == Observations((1001.0,), (1000.0,))


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        (0.0, 100.0),
        (SLACK, 100.0),
        (-SLACK, 100.0),
        (SLACK + 1, 100.0 + SLACK + 1),
        (-SLACK - 1, 100.0 - SLACK - 1),
    ],
)
def test_one_small_block_is_no_difference(made: Made, kept: float, told: float) -> None:
    """A few bytes more or less count as none, for what is kept and for what is returned."""
    head = weighing(10, 100.0 + kept, 100.0 + kept)
    pair, _ = made(("allocations",), HEAD=head, BASE=weighing(10, 100.0, 100.0))
    found = pair.draw_counts(1, BOTH)
    assert found[A, "allocated_bytes", False] == Observations((told,), (100.0,))
    assert found[A, "object_bytes", False] == Observations((told,), (100.0,))


def test_instructions_have_no_slack(made: Made) -> None:
    """Ten instructions more are ten more."""
    pair, _ = made(("instructions",), HEAD=weighing(20), BASE=weighing(10))
    assert pair.draw_counts(1, BOTH)[A, "instructions", False] == Observations((20.0,), (10.0,))


def test_a_case_that_an_arm_did_not_count_has_no_pair(made: Made) -> None:
    """Half a comparison is none."""

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        if plan.action != "count":
            return suite(CASES)(plan, seed)
        return [each for each in weighing(10)(plan, seed) if getattr(each, "name", A) == A]

    pair, _ = made(("instructions",), BASE=script, HEAD=weighing(10))
    assert set(pair.draw_counts(1, BOTH)) == {(A, "instructions", False)}
    assert pair.cases[B].missing == {"instructions": "its process said nothing of it"}
