"""A result with a value in every place, and how a changed one is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from resilience_bench._model import AllocationRecord, InstructionRecord, Result
from resilience_bench.errors import UnreadableResultError
from resilience_bench.files import results
from tests.factories import (
    CONTROL,
    make_case,
    make_record,
    measured_result,
)
from tests.load_factories import (
    make_load_samples,
    make_loads,
    make_tally,
)
from tests.scripted import CONTROL_COUNTS, COUNTS, WEIGHT


def full_result() -> Result:
    """A result with every signal, and one that a case lacks."""
    name = make_case().name
    when = ("2026-01-02T03:04:05+00:00", "2026-01-02T03:04:06+00:00")
    counting = InstructionRecord(0, 0, *when, {CONTROL: CONTROL_COUNTS}, {name: COUNTS})
    rates = make_load_samples(
        (800.0, 900.0),
        reads=(5, 7),
        latencies={300: 99, 301: 2},
        longest_ns=400,
        clock_ns=40.5,
        lags_ns=(1, 2),
    )
    loading = make_loads(
        make_case(),
        (),
        controls={CONTROL: make_load_samples((9000.0, 9100.0))},
        operations={name: rates},
        tallies={name: make_tally(3)},
    )
    return replace(
        measured_result({make_case(): 1000.0}, workers=2),
        cases=(replace(make_record(make_case()), missing={"scaling": "not measured"}),),
        signals=("latency", "allocations"),
        not_available={"instructions": "valgrind is not installed"},
        instructions=(counting,),
        allocations=(AllocationRecord(0, 0, *when, {name: WEIGHT}),),
        loads=(loading,),
    )


def refusal(path: Path) -> str:
    """The one line with which a file is refused; the file stays as it is."""
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(UnreadableResultError) as caught:
        results.read(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    assert "type '" in text
    assert before == (path.read_bytes() if path.is_file() else None)
    return text


NAME = make_case().name
