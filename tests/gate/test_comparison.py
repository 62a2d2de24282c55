"""The order of a comparison, its null control, and what a variant cannot do."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from resilience_bench._model import CaseRecord
from resilience_bench.gate import live
from resilience_bench.gate.live import BLOCK
from resilience_bench.gate.trial import Observations
from resilience_bench.measure.launcher import WorkerFailedError
from resilience_bench.measure.session import (
    SLOW_CALL_NS,
    SLOW_WORKERS,
)
from resilience_bench.stats.trimmed_t import FEWEST
from resilience_bench.worker.protocol import (
    Message,
    Plan,
    SamplesMessage,
    StatusMessage,
)
from tests.gate.comparison_factories import BOTH, CASES, EVEN, ODD, A, B, Made
from tests.scripted import Script, sampled, samples, suite


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
    """What the screening measured is not reported again."""

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
    """The clock is looked at every few workers; what was measured until then is reported."""
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

    def reported(message: Message, seed: int) -> Message:
        if not isinstance(message, SamplesMessage):
            return message
        times = 1 if seed < fast else 2
        if message.kind == "reference":
            return replace(message, samples=samples(500 * times))
        return replace(message, samples=replace(samples(call_ns * times), beside=(0, 1, 2, 3)))

    return lambda plan, seed: [reported(each, seed) for each in sampled(plan.cases)]


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
        said = sampled([case for case in plan.cases if case != name])
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
