"""The entries of github-action-benchmark, decoded strictly by what its README documents."""

from __future__ import annotations

import msgspec
import pytest

from resilience_bench._model import Case
from resilience_bench.errors import UserError
from resilience_bench.report import github_benchmark
from tests.factories import make_case, make_result, measured_result, sample_result, with_all_signals
from tests.load_factories import concurrency_result


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """A custom benchmark, as documented: only ``range`` and ``extra`` may be missing."""

    name: str
    unit: str
    value: float
    range: str = ""
    extra: str = ""


def read(text: str) -> list[Entry]:
    """The entries, or an error if one has another form."""
    return msgspec.json.decode(text, type=list[Entry])


def test_less_is_better_in_every_entry() -> None:
    """Times, counts and bytes are there; rates and scalings, of which more is better, are not."""
    entries = read(github_benchmark.render(with_all_signals(concurrency_result())))
    units = {entry.unit for entry in entries}
    assert units == {"ns", "x", "instructions", "B"}
    endings = tuple(github_benchmark.CHARTS.values())
    assert all(entry.name.endswith(endings) for entry in entries)
    assert not any("scaling" in entry.name or "calls/s" in entry.name for entry in entries)


def test_names_are_unique() -> None:
    """The step finds the previous value of an entry by its name."""
    names = [
        entry.name for entry in read(github_benchmark.render(with_all_signals(sample_result())))
    ]
    assert len(set(names)) == len(names) > 10


def test_an_entry_has_value_interval_and_environment() -> None:
    """What a chart shows when the mouse is over a point."""
    case = make_case()
    entries = read(github_benchmark.render(measured_result({case: 1000.0}, workers=3)))
    entry = next(entry for entry in entries if entry.name == f"{case.name} latency")
    assert (entry.value, entry.unit, entry.range) == (1000.0, "ns", "1000 - 1000")
    assert entry.extra.startswith("CPython 3.11.9, 2 x AMD EPYC 7B13\n")
    assert "3 workers" in entry.extra


def test_an_odd_name_stays_one_entry() -> None:
    """JSON escapes what would end a string."""
    odd = 'a"b\\c\nd'
    entries = read(github_benchmark.render(measured_result({Case("f", odd): 1000.0})))
    assert entries[0].name == f"f.{odd} latency"


def test_nothing_measured_is_refused() -> None:
    """Rather than written without an entry, which the step refuses later."""
    with pytest.raises(UserError, match="nothing was measured"):
        github_benchmark.render(make_result())
