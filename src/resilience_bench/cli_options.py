"""What several commands share: options, where files go, and a source that measures."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console

from resilience_bench import budgets as budget_files
from resilience_bench._model import Budget, Signal
from resilience_bench.launcher import Launcher
from resilience_bench.progress import shown_gate
from resilience_bench.recording import Recording
from resilience_bench.selection import Selection, baselines_folder
from resilience_bench.session import PROFILES, Session
from resilience_bench.signals import SIGNALS, not_available
from resilience_bench.sources import Live


def chosen_signals(
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
    callback=chosen_signals,
    help=f"Which ones, with commas between: {', '.join(SIGNALS)}. Default: all there are.",
)


def default_output(kind: str) -> Path:
    """A fresh name below results/."""
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
    return Path("results") / f"{kind}-{stamp}.json"


def chosen_budgets(path: Path | None) -> Sequence[Budget]:
    """The budgets of a file, by default those beside the baselines, if there are any."""
    default = baselines_folder() / "budgets.toml"
    if path is None and not default.exists():
        return ()
    return budget_files.read_budgets(path or default)


@contextlib.contextmanager
def live(
    launcher: Launcher,
    selection: Selection,
    file: Path,
    signals: Sequence[str],
    selectors: Sequence[str],
) -> Iterator[Live]:
    """A source that measures a selection, with progress shown and everything written to a file."""
    missing = not_available()
    available = tuple(each for each in SIGNALS if each in signals and each not in missing)
    lacking = {each: reason for each, reason in missing.items() if each in signals}
    session = Session(launcher, selection.cases, PROFILES["quick"])
    recording = Recording(
        session.records, "check", file, selectors, selection.problems, available, lacking
    )
    with shown_gate(Console(stderr=True), len(selection.cases)) as show:
        yield Live(session, recording, show, available, lacking)
    recording.write(complete=True)
