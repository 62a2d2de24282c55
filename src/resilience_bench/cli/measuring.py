"""What the commands that measure share: which signals, a source that measures, and the end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import click

from resilience_bench._model import Result, Signal
from resilience_bench.cli import options
from resilience_bench.cli.console import make_progress_console
from resilience_bench.cli.exit_codes import INTERRUPTED
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
    """Return those of the signals that the cases have: scaling under load, all others alone."""
    wanted = signals or SIGNALS
    possible = [signal for signal in SIGNALS if (loaded if signal == "scaling" else session).cases]
    found = [signal for signal in possible if signal in wanted]
    if not found:
        has = ",".join(possible)
        message = f"these cases have no {' and no '.join(wanted)}; type --signals {has}"
        raise UserError(message)
    return found


def require_signals(signals: Sequence[Signal] | None) -> tuple[tuple[Signal, ...], dict[str, str]]:
    """Return the signals that can be measured here, at least one, and why the others cannot."""
    available, lacking = find_measurable_signals(signals)
    if not available:
        raise UserError("; ".join(lacking.values()))
    return available, lacking


def record_blocks(
    blocks: Iterable[tuple[str, FinishedBlock]],
    recordings: Mapping[str, Recording],
    show: Callable[[str, FinishedBlock], None],
) -> bool:
    """Write each finished block to its recording; return False after an interruption."""
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
    measured: Sequence[Result], files: Sequence[Path], problems: Iterable[str], *, completed: bool
) -> int:
    """Report files and unread scenario files; return the exit code."""
    code = options.report_problems(problems)
    listed = " ".join(map(str, files))
    if not completed:
        click.echo(f"interrupted; what was measured is in {listed}", err=True)
        return INTERRUPTED
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
    """Open a source that measures a selection, shows progress and writes a file."""
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
    """Write what was measured at the end, and after an interruption."""
    try:
        yield
    except KeyboardInterrupt:
        for recording in recordings:
            recording.write(complete=False)
        click.echo(f"interrupted; what was measured is in {where}", err=True)
        raise
    for recording in recordings:
        recording.write(complete=True)
