"""The CSV, as Python's csv module reads it."""

from __future__ import annotations

import csv
import io

import pytest

from resilience_bench._model import Case, Result
from resilience_bench.errors import UserError
from resilience_bench.report import csv_rows
from resilience_bench.stats.latency import estimate
from tests.factories import make_case, make_result, measured_result, sample_result, with_all_signals
from tests.load_factories import concurrency_result


def read(result: Result) -> list[dict[str, str]]:
    """The lines below the names."""
    return list(csv.DictReader(io.StringIO(csv_rows.render(result), newline=""), strict=True))


@pytest.mark.parametrize("result", [with_all_signals(sample_result()), concurrency_result()])
def test_every_figure_is_a_line(result: Result) -> None:
    """Numbers come back as they were estimated, to the last digit."""
    found = {
        (row["case"], row["quantity"]): tuple(float(row[end]) for end in ("value", "low", "high"))
        for row in read(result)
    }
    assert found == {
        (measured.case.name, quantity): (one.value, one.low, one.high)
        for measured in estimate(result)
        for quantity, one in measured.quantities.items()
    }


def test_a_line_says_what_it_is_of() -> None:
    """The parts of the case, the unit, the workers and the warnings."""
    case = make_case("tenacity,metric=labels", load="threads-8", payload="io")
    rows = {row["quantity"]: row for row in read(measured_result({case: 1000.0}, workers=3))}
    row = rows["latency_ns"]
    assert (row["family"], row["scenario"], row["library"]) == (
        "breaker",
        "closed_success",
        "tenacity",
    )
    assert (row["parameters"], row["load"], row["payload"]) == ("metric=labels", "threads-8", "io")
    assert (row["unit"], rows["ratio"]["unit"], row["workers"]) == ("ns", "", "3")
    assert "3 workers" in row["warnings"]


@pytest.mark.parametrize("odd", ['a,b;"c"\r\nd\te', "a\rb", "a\nb", "\u2028 \x85 \x0b"])
def test_odd_names_come_back_as_they_were(odd: str) -> None:
    """Separators, quotes and line breaks of every kind are quoted."""
    rows = read(measured_result({Case("f", odd, odd): 1000.0}))
    assert {row["scenario"] for row in rows} == {odd}
    assert {row["library"] for row in rows} == {odd}


def test_nothing_measured_is_refused() -> None:
    """There is no line to write."""
    with pytest.raises(UserError, match="nothing was measured"):
        csv_rows.render(make_result())
