"""What is shown while measuring: a bar on a terminal, a line per family elsewhere."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console

from resilience_bench._model import Signal
from resilience_bench.cli.progress import show_progress, show_releases_progress
from resilience_bench.measure.counting import SIGNALS, measure_signals
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.measure.session import FinishedBlock, Profile, Session
from tests.scripted import info, suite

CASES = [info("a"), info("b"), info("c", family="retry")]


def shown(*, terminal: bool, signals: Sequence[Signal] = ("latency",)) -> str:
    """What a whole run of three cases and two workers shows."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=80)
    session = Session(ScriptedLauncher(suite(CASES)), CASES, Profile("tiny", 2, 4))
    with show_progress(session, console, signals) as show:
        for done in measure_signals(session, signals):
            show(done)
    return file.getvalue()


def test_elsewhere_a_line_per_family_is_printed_once_it_is_done() -> None:
    """Logs get one line for what is to come and one for each family, without control codes."""
    assert shown(terminal=False).splitlines() == [
        "measuring latency of 3 cases with 2 workers each (tiny)",
        "breaker: 2 measured",
        "retry: 1 measured",
    ]


def test_on_a_terminal_a_bar_shows_the_share_and_the_time_left() -> None:
    """The bar counts cases times workers, and says how long it will take."""
    text = shown(terminal=True)
    assert "6/6" in text
    assert "left:" in text


def test_elsewhere_the_other_signals_get_a_line_when_a_process_is_done() -> None:
    """What one process counts or weighs is told at once, after what the latency told."""
    lines = shown(terminal=False, signals=SIGNALS).splitlines()
    assert lines[:3] == [
        "measuring latency, instructions, allocations of 3 cases with 2 workers each (tiny)",
        "breaker: 2 measured",
        "retry: 1 measured",
    ]
    assert sorted(lines[3:]) == ["allocations: 3 cases done", "instructions: 3 cases done"]


def test_workers_are_told_where_the_latency_is_measured_only() -> None:
    """Without the latency nobody is promised workers."""
    lines = shown(terminal=False, signals=("allocations",)).splitlines()
    assert lines == ["measuring allocations of 3 cases (tiny)", "allocations: 3 cases done"]


def test_on_a_terminal_every_signal_has_a_bar() -> None:
    """The bars of instructions and allocations count every case once."""
    alone = tuple(each for each in SIGNALS if each != "scaling")
    text = shown(terminal=True, signals=alone)
    assert "6/6" in text
    assert "3/3" in text
    for signal in alone:
        assert signal in text


def test_releases_are_shown_in_a_log_and_on_a_terminal() -> None:
    """A line a signal and ten workers in a log; on a terminal which release is measured."""
    for is_terminal in (False, True):
        file = io.StringIO()
        console = Console(file=file, force_terminal=is_terminal, width=100)
        with show_releases_progress(console, 2, 3) as show:
            for index in range(12):
                show("1.0", FinishedBlock(None, tuple(CASES), index))
                show("1.1", FinishedBlock(None, tuple(CASES), index))
        text = file.getvalue()
        assert "measuring 2 cases of 3 releases" in text
        if is_terminal:
            assert f"1.1: latency of {len(CASES)} cases, worker 12" in text
        else:
            assert text.count("latency: from worker") == 2
