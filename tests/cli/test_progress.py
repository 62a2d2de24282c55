"""What is shown while measuring: bars on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import io
from collections.abc import Mapping

from rich.console import Console

from resilience_bench.cli.progress import describe_block, show_progress, show_steps
from resilience_bench.measure.session import FinishedBlock
from tests.scripted import info

CASES = (info("a"), info("b"), info("c", family="retry"))


def shown(
    totals: Mapping[str, int | None], *done: tuple[FinishedBlock, str, str], terminal: bool
) -> str:
    """What a measurement of these blocks shows."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=140)
    with show_progress(console, "measuring 3 cases", totals) as show:
        for block, task, name in done:
            show(block, task, name)
    return file.getvalue()


def test_a_log_has_a_line_for_each_signal_and_ten_workers() -> None:
    """A log gets the title, then one line a signal and ten workers, without control codes."""
    blocks = [(FinishedBlock(None, CASES, index), "latency", "") for index in range(12)]
    counted = (FinishedBlock(None, CASES, 0, "instructions"), "instructions", "")
    assert shown({"latency": 36, "instructions": 3}, *blocks, counted, terminal=False) == (
        "measuring 3 cases\n"
        "latency of 3 cases, worker 1\n"
        "latency of 3 cases, worker 11\n"
        "instructions of 3 cases, worker 1\n"
    )


def test_a_terminal_has_a_bar_for_each_task() -> None:
    """The bars count the visits of cases, and say how long the rest takes."""
    blocks = [(FinishedBlock(None, CASES, index), "latency", "") for index in range(2)]
    text = shown({"latency": 6, "allocations": 3}, *blocks, terminal=True)
    for part in ("6/6", "0/3", "left:", "allocations", "latency of 3 cases, worker 2"):
        assert part in text


def test_what_is_measured_is_named() -> None:
    """Releases and interpreters are named before the signal, in a log each on its own."""
    block = FinishedBlock(None, CASES, 0)
    text = shown({"": None}, (block, "", "1.0"), (block, "", "1.1"), terminal=False)
    assert text.splitlines()[1:] == [
        "1.0: latency of 3 cases, worker 1",
        "1.1: latency of 3 cases, worker 1",
    ]
    assert "1.1: latency of 3 cases, worker 1" in shown(
        {"": None}, (block, "", "1.1"), terminal=True
    )


def test_a_single_case_is_named() -> None:
    """A block of one case has its name, and says whether it is under load."""
    block = FinishedBlock(None, CASES[:1], 4, "scaling")
    assert describe_block(block) == f"under load of {CASES[0].case.name}, worker 5"


def test_names_are_not_read_as_markup() -> None:
    """Brackets of a case's name are shown as they are."""
    block = FinishedBlock(None, (info("a", "pybreaker"),), 0)
    for terminal in (False, True):
        assert "[pybreaker]" in shown({"": None}, (block, "", ""), terminal=terminal)


def test_a_terminal_shows_the_step() -> None:
    """One line has the title, the number of the step and what it is; it is gone at the end."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=140)
    with show_steps(console, "making the site") as show:
        show("reading the results")
        show("drawing [the] runs")
    assert "making the site, step 2: drawing [the] runs" in file.getvalue()
