"""Counts of a comparison, pair by pair, and the files of its variants."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from resilience_bench._model import Counts, Weight
from resilience_bench.files import results
from resilience_bench.gate.trial import Observations
from resilience_bench.measure.session import (
    FinishedBlock,
)
from resilience_bench.quantities import JUDGED
from resilience_bench.worker.protocol import (
    CountsMessage,
    Message,
    Plan,
    StatusMessage,
    WeightMessage,
)
from tests.gate.comparison_factories import ARMS, BOTH, CASES, EVEN, ODD, A, B, Made
from tests.scripted import Script, sampled, suite

COUNTED_EVEN, COUNTED_ODD = list(ARMS), list(reversed(ARMS))

SLACK = JUDGED["allocated_bytes"].slack


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
    ("kept", "reported"),
    [
        (0.0, 100.0),
        (SLACK, 100.0),
        (-SLACK, 100.0),
        (SLACK + 1, 100.0 + SLACK + 1),
        (-SLACK - 1, 100.0 - SLACK - 1),
    ],
)
def test_one_small_block_is_no_difference(made: Made, kept: float, reported: float) -> None:
    """A few bytes more or less count as none, for what is kept and for what is returned."""
    head = weighing(10, 100.0 + kept, 100.0 + kept)
    pair, _ = made(("allocations",), HEAD=head, BASE=weighing(10, 100.0, 100.0))
    found = pair.draw_counts(1, BOTH)
    assert found[A, "allocated_bytes", False] == Observations((reported,), (100.0,))
    assert found[A, "object_bytes", False] == Observations((reported,), (100.0,))


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
    assert pair.cases[B].missing == {"instructions": "its process reported nothing about it"}
