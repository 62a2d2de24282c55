"""Where the gate's numbers come from: a file tells once, a session goes on measuring."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from resilience_bench._model import Counts, InstructionRecord, Result, Signal
from resilience_bench.files import results
from resilience_bench.gate.evidence import Records, StoredSource, collect_evidence
from resilience_bench.gate.live import LiveSource
from resilience_bench.gate.trial import Observations
from resilience_bench.measure.counting import SIGNALS
from resilience_bench.measure.interleave import MeasuredVariant
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.session import (
    SLOW_CALL_NS,
    SLOW_WORKERS,
    FinishedBlock,
    Profile,
    Session,
)
from resilience_bench.stats.trimmed_t import FEWEST
from resilience_bench.worker.protocol import Message, Plan, StatusMessage
from tests.factories import (
    make_allocations,
    make_case,
    make_instructions,
    make_record,
    make_samples,
    make_weight,
    make_worker,
    measured_result,
)
from tests.scripted import Script, info, sampled, suite

ONE, TWO = make_case("one"), make_case("two")
BOTH = {ONE.name, TWO.name}
CASES = [info("a", "x"), info("b", "x"), info("c", "x")]
A, B, C = (each.case.name for each in CASES)
ALL = {A, B, C}
PROFILE = Profile("tiny", workers=3, samples=4)


# A results file


def stored() -> Result:
    """A file with four workers, two counting processes and one that weighed."""
    return replace(
        measured_result({ONE: 1000.0, TWO: 2000.0}, workers=4),
        signals=SIGNALS,
        instructions=(
            make_instructions({ONE: 5000, TWO: 6000}, 0),
            make_instructions({ONE: 5001, TWO: 6001}, 1),
        ),
        allocations=(make_allocations({ONE: make_weight(kept_bytes=8.0, result_bytes=64.0)}),),
    )


def test_a_file_tells_its_latencies_once() -> None:
    """All workers of the wanted cases at once, however many are asked for; then no more."""
    source = StoredSource(stored())
    found = source.draw_latencies(99, {ONE.name})
    assert {case for case, _, _ in found} == {ONE.name}
    assert found[ONE.name, "ratio", False] == Observations((2.0,) * 4)
    assert found[ONE.name, "overhead_ns", False] == Observations((950.0,) * 4)
    assert source.draw_latencies(1, BOTH) == {}


def test_a_file_tells_its_counts_once() -> None:
    """Instructions and weights of every process, independently of the latencies."""
    source = StoredSource(stored())
    source.draw_latencies(1, BOTH)
    assert source.draw_counts(1, BOTH) == {
        (ONE.name, "instructions", False): Observations((5000.0, 5001.0)),
        (TWO.name, "instructions", False): Observations((6000.0, 6001.0)),
        (ONE.name, "allocated_bytes", False): Observations((8.0,)),
        (ONE.name, "object_bytes", False): Observations((64.0,)),
    }
    assert source.draw_counts(2, BOTH) == {}


def test_a_file_says_what_it_holds() -> None:
    """Its cases by name, its signals, and what it could not measure."""
    source = StoredSource(replace(stored(), not_available={"instructions": "no valgrind"}))
    assert set(source.cases) == BOTH
    assert source.signals == SIGNALS
    assert source.not_available == {"instructions": "no valgrind"}


@pytest.mark.parametrize("status", ["broken", "failed", "interrupted"])
def test_cases_that_were_not_measured_have_no_latencies(status: str) -> None:
    """Numbers of a case that did not do what it says are no evidence."""
    result = stored()
    broken = replace(result, cases=(make_record(ONE, status), make_record(TWO)))
    assert {case for case, _, _ in StoredSource(broken).draw_latencies(1, BOTH)} == {TWO.name}


@pytest.mark.parametrize(
    ("fast", "reported"), [(0, 14), (1, 14), (2, 14), (FEWEST - 1, 0), (FEWEST, FEWEST), (14, 14)]
)
def test_only_numbers_at_the_best_speed_are_held_against_a_range(fast: int, reported: int) -> None:
    """Too few of them are none; one or two fast workers are no best speed of a machine."""
    names = {ONE.name: 2000.0}
    reference = make_samples(1000.0, 200)
    beside = tuple(range(12))
    workers = []
    for index in range(14):
        worker = make_worker(index, names)
        if index >= fast:
            worker = replace(worker, reference=reference)
        timed = {name: replace(each, beside=beside) for name, each in worker.operations.items()}
        workers.append(replace(worker, operations=timed))
    source = StoredSource(replace(stored(), workers=tuple(workers)))
    found = source.draw_latencies(14, {ONE.name})
    assert len(found[ONE.name, "ratio", False].heads) == reported


# A session


@pytest.fixture
def live(tmp_path: Path) -> Callable[..., tuple[LiveSource, ScriptedLauncher, list[FinishedBlock]]]:
    """Makes a live source with a scripted launcher, and a list of what it showed."""

    def made(
        script: Script | None = None, signals: tuple[Signal, ...] = SIGNALS
    ) -> tuple[LiveSource, ScriptedLauncher, list[FinishedBlock]]:
        launcher = ScriptedLauncher(script or suite(CASES))
        session = Session(launcher, CASES, PROFILE)
        recording = Recording(session.records, "check", tmp_path / "out.json", signals=signals)
        shown: list[FinishedBlock] = []
        variant = MeasuredVariant(session, recording)
        return LiveSource(variant, shown.append, signals, {}), launcher, shown

    return made


Made = Callable[..., tuple[LiveSource, ScriptedLauncher, list[FinishedBlock]]]


def test_the_first_draw_measures_all_and_later_ones_what_is_asked(live: Made) -> None:
    """Hash seeds go on counting up, so that no worker is measured twice."""
    source, launcher, _ = live()
    first = source.draw_latencies(3, ALL)
    second = source.draw_latencies(2, {B})
    assert [seed for _, seed in launcher.plans] == [0, 1, 2, 3, 4]
    assert [plan.cases for plan, _ in launcher.plans] == [(A, B, C)] * 3 + [(B,)] * 2
    assert {case for case, _, _ in first} == ALL
    assert first[A, "ratio", False] == Observations((2.0,) * 3)
    assert {case for case, _, _ in second} == {B}
    assert second[B, "ratio", False] == Observations((2.0,) * 2)


def test_the_first_draw_measures_also_what_nobody_asked_about(live: Made) -> None:
    """The results file of a check holds every selected case; only the wanted ones are judged."""
    source, launcher, _ = live()
    found = source.draw_latencies(1, {A})
    assert launcher.plans[0][0].cases == (A, B, C)
    assert {case for case, _, _ in found} == {A}


def test_a_draw_tells_the_numbers_of_its_own_workers_only(live: Made) -> None:
    """What fresh workers measure is not mixed with what is known."""

    def script(plan: Plan, seed: int) -> list[Message]:
        return sampled(plan.cases, call_ns=1000 + 100 * seed)

    source, _, _ = live(script)
    assert source.draw_latencies(2, {A})[A, "latency_ns", False] == Observations((1000.0, 1100.0))
    assert source.draw_latencies(2, {A})[A, "latency_ns", False] == Observations((1200.0, 1300.0))


def test_passes_go_on_counting_up_as_well(live: Made) -> None:
    """The first pass is over all cases, later ones over those that are asked for."""
    source, launcher, _ = live(signals=("instructions",))
    first = source.draw_counts(1, ALL)
    second = source.draw_counts(2, {B})
    counting = [(plan.cases, seed) for plan, seed in launcher.plans if plan.action == "count"]
    assert counting == [((A, B, C), 0), ((B,), 1), ((B,), 2)]
    assert first[A, "instructions", False] == Observations((1000.0,))
    assert second == {(B, "instructions", False): Observations((1000.0, 1000.0))}


def test_counting_first_takes_no_worker_from_the_latency(live: Made, tmp_path: Path) -> None:
    """Who looked for slow cases is not kept; these have as many workers as ever, from 0 on."""

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        if plan.action != "measure":
            return suite(CASES)(plan, seed)
        return sampled(plan.cases, call_ns=2 * SLOW_CALL_NS)

    source, launcher, _ = live(script, signals=("latency", "instructions"))
    source.draw_counts(1, ALL)
    assert [(plan.action, seed) for plan, seed in launcher.plans] == [("measure", 0), ("count", 0)]
    assert launcher.plans[1][0].heavy == (A, B, C)
    found = source.draw_latencies(SLOW_WORKERS + 2, ALL)
    assert len(found[A, "ratio", False].heads) == SLOW_WORKERS
    assert results.read(tmp_path / "out.json").seeds == tuple(range(SLOW_WORKERS))


def test_only_the_wanted_signals_are_counted(live: Made) -> None:
    """A check of latencies starts no process that counts."""
    source, launcher, _ = live(signals=("latency",))
    source.draw_latencies(1, ALL)
    assert source.draw_counts(1, ALL) == {}
    assert {plan.action for plan, _ in launcher.plans} == {"measure"}


def test_the_file_holds_everything(live: Made, tmp_path: Path) -> None:
    """Every worker and process of every draw is written, and shown, as soon as it is done."""
    source, _, shown = live()
    source.draw_latencies(2, ALL)
    source.draw_counts(1, ALL)
    source.draw_latencies(1, {B})
    source.draw_counts(1, {C})
    held = results.read(tmp_path / "out.json")
    assert held.seeds == (0, 1, 2)
    assert [set(worker.operations) for worker in held.workers] == [ALL, ALL, {B}]
    assert [set(instruction.operations) for instruction in held.instructions] == [ALL, {C}]
    assert [set(allocation.operations) for allocation in held.allocations] == [ALL, {C}]
    assert len(shown) == 7
    assert not held.complete


def test_slow_cases_have_no_workers_for_a_confirmation(live: Made) -> None:
    """A slow case sits out most of the screening, and does not come back after it."""
    slow_ns = 2 * SLOW_CALL_NS

    def script(plan: Plan, seed: int) -> list[Message]:
        return sampled(plan.cases, call_ns=slow_ns)

    source, launcher, _ = live(script)
    first = source.draw_latencies(SLOW_WORKERS + 3, ALL)
    second = source.draw_latencies(3 * SLOW_WORKERS, {A})
    assert len(first[A, "ratio", False].heads) == SLOW_WORKERS
    assert second == {}
    assert len(launcher.plans) == SLOW_WORKERS


def test_the_status_of_every_case_is_known(live: Made) -> None:
    """What the first worker finds broken is reported, and has no numbers."""

    def script(plan: Plan, seed: int) -> list[Message]:
        said = sampled([name for name in plan.cases if name != B])
        return [*said, StatusMessage(B, "broken", "ran twice")] if seed == 0 else said

    source, _, _ = live(script)
    found = source.draw_latencies(2, ALL)
    assert source.cases[B].status == "broken"
    assert {case for case, _, _ in found} == {A, C}


# Evidence


def test_counts_are_per_call() -> None:
    """The slope between two numbers of calls, without what surrounds them; no other case's."""
    counting = InstructionRecord(
        0, 0, "", "", {}, {A: Counts((10, 30), (1100, 3100)), B: Counts((1, 2), (1, 2))}
    )
    assert collect_evidence([make_record(CASES[0].case)], Records(instructions=[counting])) == {
        (A, "instructions", False): Observations((100.0,))
    }


def test_a_worker_without_a_case_lends_it_no_number() -> None:
    """Cases may have fewer numbers than there are workers."""
    result = measured_result({ONE: 1000.0, TWO: 2000.0}, workers=4)
    workers = (*result.workers, make_worker(4, {TWO.name: 2000.0}))
    found = StoredSource(replace(result, workers=workers)).draw_latencies(5, BOTH)
    assert len(found[ONE.name, "ratio", False].heads) == 4
    assert len(found[TWO.name, "ratio", False].heads) == 5
