"""What several commands share: options, where files go, and a source that measures."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from resilience_bench._model import Result, Signal
from resilience_bench.cli.progress import show_gate_progress
from resilience_bench.errors import UserError
from resilience_bench.gate.evidence import LiveSource
from resilience_bench.measure.counting import SIGNALS, find_measurable_signals
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import GATE_EFFORT, LoadSession, create_sessions
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.selection import Selection
from resilience_bench.measure.session import PROFILES, Session

FILE: Final = click.Path(path_type=Path)
"""The type of options and arguments that name a file."""

OK: Final = 0
SOMETHING_FAILED: Final = 1
NOTHING_DONE: Final = 2
INTERRUPTED: Final = 130


def parse_signals(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> tuple[Signal, ...] | None:
    """Read the option ``--signals``."""
    if text is None:
        return None
    wanted = {each.strip() for each in text.split(",")}
    if unknown := wanted - set(SIGNALS):
        message = f"{', '.join(sorted(unknown))!r} is none of {', '.join(SIGNALS)}."
        raise click.BadParameter(message)
    return tuple(each for each in SIGNALS if each in wanted)


signals_option = click.option(
    "--signals",
    callback=parse_signals,
    help=f"Which ones, with commas between: {', '.join(SIGNALS)}. Default: all there are.",
)


def build_output_path(kind: str) -> Path:
    """A fresh name below results/."""
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
    return Path("results") / f"{kind}-{stamp}.json"


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


def report_problems(problems: Iterable[str]) -> int:
    """Say which scenario files could not be read; the exit code that this makes."""
    code = OK
    for problem in problems:
        click.echo(f"not read: {problem}", err=True)
        code = SOMETHING_FAILED
    return code


def choose_exit_code(*run: Result) -> int:
    """The exit code of what was measured, by what became of its cases."""
    statuses = {record.status for result in run for record in result.cases}
    if "measured" not in statuses:
        return NOTHING_DONE
    return SOMETHING_FAILED if statuses & {"broken", "failed", "hung"} else OK


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
        show_gate_progress(Console(stderr=True), len(selection.cases)) as show,
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
