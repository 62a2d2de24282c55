"""What several commands share: options, exit codes, and where files go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Final, get_args

import click

from resilience_bench._model import Result, Signal

FILE: Final = click.Path(path_type=Path)
"""The type of options and arguments that name a file."""
SIGNALS: Final[tuple[Signal, ...]] = get_args(Signal)

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
