"""Long runs for people: the table fits a terminal, and says what grows without colour."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from resilience_bench.report import drift_rows, markdown, table
from tests.drift_factories import make_drift_result, make_points
from tests.factories import make_case


def printed(width: int, **cases: dict[str, float]) -> list[str]:
    """The lines of the report on these cases, by library, from its table on."""
    points = {make_case(name): make_points(**how) for name, how in cases.items()}  # type: ignore[arg-type]
    file = io.StringIO()
    result = make_drift_result(points or None)
    table.render(result, [], "latency", Console(file=file, width=width))
    lines = file.getvalue().splitlines()
    return lines[lines.index("breaker.closed_success") :]


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_table_fits_the_terminal(width: int) -> None:
    """No line is wider, every case has its verdict, and growth is written large."""
    lines = printed(width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for part in ("steady", "MEMORY GROWS", "COST GROWS", "+1,000"):
        assert part in text


def test_what_is_wide_is_left_out_but_not_what_a_verdict_rests_on() -> None:
    """80 columns have no room for the growth in all; the bytes stay where they grow."""
    leaking = printed(80, prometheus_client={"bytes_per_call": 8.0, "noise": 0.01})
    assert "in all" not in leaking[1]
    assert "B/1k" in leaking[1]
    assert any("MEMORY GROWS" in line and "+8," in line for line in leaking)
    assert "in all" in printed(200)[1]


def test_a_long_name_goes_on_in_the_next_line() -> None:
    """Numbers are never cut off."""
    lines = printed(80, a_library_with_a_name_that_goes_on={"cost_per_million": 0.5})
    assert max(map(len, lines)) <= 80
    assert any("COST GROWS" in line and "1.2 M" in line for line in lines)


def test_markdown_has_every_column() -> None:
    """There is room for all of them; growth is written large."""
    text = markdown.render(make_drift_result(), [], "latency")
    assert "### `breaker.closed_success`" in text
    assert "| `leaky` |" in text
    assert "MEMORY GROWS |" in text
    for header in drift_rows.HEADERS.values():
        assert header in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.001, "0"), (0.456, "+0.46"), (-12.34, "-12.3"), (5_678.0, "+5,678")],
)
def test_slopes_are_written_with_their_sign(value: float, text: str) -> None:
    """With as many decimals as tell something; what rounds to nothing has no sign."""
    assert drift_rows._format_signed(value) == text


def test_slopes_of_slow_operations_are_written_in_thousands() -> None:
    """Per million calls they are huge, for there were few calls."""
    assert drift_rows._format_signed(-625_400.0) == "-625k"
