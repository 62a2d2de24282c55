"""What the commands that measure share: which signals, a source that measures, and the end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from resilience_bench._model import Signal
from resilience_bench.cli.console import make_progress_console
from resilience_bench.cli.options import SIGNALS
from resilience_bench.cli.progress import show_gate_progress
from resilience_bench.errors import UserError
from resilience_bench.gate.evidence import LiveSource
from resilience_bench.measure.counting import find_measurable_signals
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import GATE_EFFORT, LoadSession, create_sessions
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.selection import Selection
from resilience_bench.measure.session import PROFILES, Session


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
    session, loaded = create_sessions(launcher, selection.cases, PROFILES["quick"], GATE_EFFORT)
    recording = Recording(
        session.records, "check", file, selectors, selection.problems, available, lacking
    )
    with (
        write_at_end([recording], file),
        show_gate_progress(make_progress_console(), len(selection.cases)) as show,
    ):
        yield LiveSource(session, recording, show, available, lacking, loaded=loaded)


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
