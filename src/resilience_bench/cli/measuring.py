"""What the commands that measure share: which signals, a source that measures, and the end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import click

from resilience_bench._model import Result, Signal
from resilience_bench.cli import options
from resilience_bench.cli.console import make_progress_console
from resilience_bench.cli.options import SIGNALS
from resilience_bench.cli.progress import show_progress
from resilience_bench.errors import UserError
from resilience_bench.gate.live import LiveSource
from resilience_bench.measure.counting import find_measurable_signals
from resilience_bench.measure.discovery import Selection
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import GATE_EFFORT, LoadSession, create_sessions
from resilience_bench.measure.measured_variant import MeasuredVariant
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.session import PROFILES, FinishedBlock, Session


def select_signals(
    signals: Sequence[Signal] | None, session: Session, loaded: LoadSession
) -> list[Signal]:
    """The signals that the cases have: scaling under load, all others alone.

    Raises:
        UserError: If they have none of those that were asked for.
    """
    wanted = signals or SIGNALS
    alone = [each for each in wanted if each != "scaling"] if session.cases else []
    together = [each for each in wanted if each == "scaling"] if loaded.cases else []
    found = [each for each in SIGNALS if each in {*alone, *together}]
    if not found:
        others = ",".join(each for each in SIGNALS if each != "scaling")
        has = "scaling" if loaded.cases else others
        message = f"these cases have no {' and no '.join(wanted)}; type --signals {has}"
        raise UserError(message)
    return found


def require_signals(signals: Sequence[Signal] | None) -> tuple[tuple[Signal, ...], dict[str, str]]:
    """Find out which signals can be measured here.

    Returns:
        Those of the signals that can be measured, and why the others cannot.

    Raises:
        UserError: If none of them can be measured; it says why.
    """
    available, lacking = find_measurable_signals(signals)
    if not available:
        raise UserError("; ".join(lacking.values()))
    return available, lacking


def record_blocks(
    blocks: Iterable[tuple[str, FinishedBlock]],
    recordings: Mapping[str, Recording],
    show: Callable[[str, FinishedBlock], None],
) -> bool:
    """Measure by taking blocks, and write each to its file.

    Args:
        blocks: Each finished block, with the name of its recording.
        recordings: By name; they are written if the measurement cannot go on.
        show: Called with each block that was written.

    Returns:
        Whether it came to its end; False after an interruption.

    Raises:
        UserError: If the measurement cannot go on; what was measured is written.
    """
    try:
        for name, done in blocks:
            recordings[name].add(done)
            show(name, done)
    except KeyboardInterrupt:
        return False
    except UserError:
        for recording in recordings.values():
            recording.write(complete=False)
        raise
    return True


def report_end(
    measured: Sequence[Result],
    files: Sequence[Path],
    problems: Iterable[str],
    *,
    completed: bool,
) -> int:
    """Say where the results are, and which scenario files could not be read; the exit code."""
    code = options.report_problems(problems)
    listed = " ".join(map(str, files))
    if not completed:
        click.echo(f"interrupted; what was measured is in {listed}", err=True)
        return options.INTERRUPTED
    click.echo(f"results: {listed}")
    return options.choose_exit_code(*measured) or code


@contextlib.contextmanager
def open_live_evidence(
    launcher: Launcher,
    selection: Selection,
    file: Path,
    signals: Sequence[str],
    selectors: Sequence[str],
) -> Iterator[LiveSource]:
    """A source that measures a selection, with progress shown and everything written to a file."""
    available, lacking = find_measurable_signals(signals)
    title = f"measuring {len(selection.cases)} cases"
    session, loaded = create_sessions(launcher, selection.cases, PROFILES["quick"], GATE_EFFORT)
    recording = Recording(
        session.records, "check", file, selectors, selection.problems, available, lacking
    )
    with (
        write_at_end([recording], file),
        show_progress(make_progress_console(), title, {"": None}) as show,
    ):
        variant = MeasuredVariant(session, recording, loaded)
        yield LiveSource(variant, show, available, lacking)


@contextlib.contextmanager
def write_at_end(recordings: Sequence[Recording], where: Path) -> Iterator[None]:
    """Write what was measured at the end; after an interruption too, and then say where it is."""
    try:
        yield
    except KeyboardInterrupt:
        for each in recordings:
            each.write(complete=False)
        click.echo(f"interrupted; what was measured is in {where}", err=True)
        raise
    for each in recordings:
        each.write(complete=True)
