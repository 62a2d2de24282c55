"""The results file of a run in progress: every block of every signal is in it at once."""

from __future__ import annotations

from pathlib import Path

from resilience_bench._model import AllocationRecord, InstructionRecord
from resilience_bench.files import results
from resilience_bench.measure.counting import SIGNALS
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.session import FinishedBlock
from tests.factories import make_case, make_environment, make_record, make_worker
from tests.scripted import CONTROL, CONTROL_COUNTS, COUNTS, WEIGHT

CASE = make_case()
NAME = CASE.name
WHEN = ("2026-01-02T03:04:05+00:00", "2026-01-02T03:04:06+00:00")
WORKER = make_worker(3, {NAME: 1000.0})
COUNTING = InstructionRecord(5, 5, *WHEN, {CONTROL: CONTROL_COUNTS}, {NAME: COUNTS})
WEIGHING = AllocationRecord(6, 6, *WHEN, {NAME: WEIGHT})


def test_every_block_is_in_the_file_at_once(tmp_path: Path) -> None:
    """Each kind of record has its place; a block without a record only brings the cases."""
    path = tmp_path / "out.json"
    recording = Recording({NAME: make_record(CASE)}, "quick", path, signals=SIGNALS)
    for record, count in ((None, 0), (WORKER, 1), (COUNTING, 2), (WEIGHING, 3)):
        recording.add(FinishedBlock(record, (), 0))
        stored = results.read(path)
        held = [*stored.workers, *stored.instructions, *stored.allocations]
        assert held == [WORKER, COUNTING, WEIGHING][:count]
        assert not stored.complete
    assert stored.seeds == (WORKER.hash_seed,)


def test_the_file_says_what_was_asked_for_and_what_could_not_be(tmp_path: Path) -> None:
    """Profile, selectors, notes, signals, what is not available and the workers' environment."""
    path = tmp_path / "out.json"
    environment = make_environment(python="CPython 3.99.0")
    record = make_record(CASE)
    Recording(
        {NAME: record},
        "standard",
        path,
        ("breaker.*",),
        ("bad.py:1: odd",),
        ("latency",),
        {"instructions": "valgrind is not installed"},
        environment,
    ).write(complete=True)
    stored = results.read(path)
    assert stored.complete
    assert (stored.profile, stored.selectors) == ("standard", ("breaker.*",))
    assert stored.notes == ("bad.py:1: odd",)
    assert stored.signals == ("latency",)
    assert stored.not_available == {"instructions": "valgrind is not installed"}
    assert stored.environment == environment
    assert stored.cases == (record,)
