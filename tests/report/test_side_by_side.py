"""Several results of one plan, a column each."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from resilience_bench._model import Result
from resilience_bench.report import table
from resilience_bench.report.side_by_side import make_side_blocks, name_interpreters
from tests.factories import make_case, make_environment, measured_result
from tests.report.test_load_reports import FAST, SLOW, result_of

QUICK, LONG = make_case("a"), make_case("b")


def under(result: Result, python: str, *, free_threaded: bool = False) -> Result:
    """The same as measured under another interpreter."""
    environment = make_environment(python=python, free_threaded=free_threaded)
    return replace(result, environment=environment)


def shown(*results: Result) -> str:
    """What is printed."""
    console = Console(file=io.StringIO(), width=80)
    table.render_side_by_side(results, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_times_stand_side_by_side_against_the_first() -> None:
    """Rows come in the order of the first result; a case that one lacks has a dash there."""
    first = under(measured_result({LONG: 400.0, QUICK: 200.0}), "CPython 3.11.7")
    second = under(measured_result({QUICK: 300.0}), "CPython 3.13.0", free_threaded=True)
    (block,) = make_side_blocks([first, second])
    assert list(block.headers.values()) == ["3.11.7", "3.13.0t", "×"]
    assert block.title == "breaker.closed_success, ns/call"
    assert [(row.label, dict(row.cells)) for row in block.rows] == [
        ("a", {"0": "200", "1": "300", "1 times": "1.50"}),
        ("b", {"0": "400"}),
    ]
    text = shown(first, second)
    assert max(map(len, text.splitlines())) <= 80 + len("CPython 3.13.0, free-threaded")
    assert "  CPython 3.13.0, free-threaded" in text
    assert [line.split() for line in text.splitlines() if line.startswith("b ")] == [
        ["b", "400", "-", "-"]
    ]


def test_rates_have_their_scaling_beside_them() -> None:
    """Under load the fastest comes first, and marks stand beneath the row."""
    results = [under(result_of({SLOW: 800.0, FAST: 9000.0}), f"CPython 3.1{n}.0") for n in (1, 3)]
    (block,) = make_side_blocks(results)
    assert list(block.headers.values()) == ["3.11.0", "scaling", "3.13.0", "scaling", "×"]
    assert block.title.endswith(", calls/s")
    assert [row.label for row in block.rows] == [FAST.library, SLOW.library]
    assert block.rows[0].cells["1 times"] == "1.00"


def test_alike_and_unlike_interpreters_are_distinguished() -> None:
    """Two builds of one version are numbered; the implementation is named where it differs."""
    result = measured_result({QUICK: 200.0})
    assert name_interpreters([under(result, "CPython 3.12.1")] * 2) == ["3.12.1 #1", "3.12.1 #2"]
    others = [under(result, "CPython 3.11.7"), under(result, "PyPy 3.11.2")]
    assert name_interpreters(others) == ["CPython 3.11.7", "PyPy 3.11.2"]


def test_columns_that_look_alike_are_distinguished_by_their_files() -> None:
    """Two runs under one interpreter have its name in common."""
    result = under(measured_result({QUICK: 200.0}), "CPython 3.11.7")
    console = Console(file=io.StringIO(), width=80)
    table.render_side_by_side([result, result], console, [Path("before.json"), Path("after.json")])
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "3.11.7 #1: before.json" in text
    assert "3.11.7 #2: after.json" in text


def test_times_of_two_hours_are_not_called_comparable() -> None:
    """Only what took turns compares; two runs that only look alike do not."""
    first = replace(
        under(measured_result({QUICK: 200.0}), "CPython 3.11.7"),
        started="2026-01-02T03:00:00+00:00",
        ended="2026-01-02T03:10:00+00:00",
    )
    beside = replace(under(first, "CPython 3.13.0"), started="2026-01-02T03:00:01+00:00")
    later = replace(first, started="2026-01-02T03:11:00+00:00", ended="2026-01-02T03:12:00+00:00")
    assert "All took turns" in " ".join(shown(first, beside).split())
    for other in (later, first):
        text = " ".join(shown(first, other).split())
        assert "not measured in turns" in text
        assert "report ONE --against OTHER" in text
