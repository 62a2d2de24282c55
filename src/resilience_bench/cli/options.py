"""What several commands share: options, statuses, and where files go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Final, get_args

import click

from resilience_bench._model import Result, Signal
from resilience_bench.cli.exit_codes import NOTHING_DONE, OK, SOMETHING_FAILED

FILE: Final = click.Path(path_type=Path)
"""The type of options and arguments that name a file."""
SIGNALS: Final[tuple[Signal, ...]] = get_args(Signal)


def parse_signals(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> tuple[Signal, ...] | None:
    """Read the option ``--signals``."""
    if text is None:
        return None
    wanted = {name.strip() for name in text.split(",")}
    if unknown := wanted - set(SIGNALS):
        message = f"{', '.join(sorted(unknown))!r} is none of {', '.join(SIGNALS)}."
        raise click.BadParameter(message)
    return tuple(signal for signal in SIGNALS if signal in wanted)


signals_option = click.option(
    "--signals",
    callback=parse_signals,
    help=f"What to measure, separated by commas: {', '.join(SIGNALS)}. Default: all available.",
)


def build_output_path(kind: str) -> Path:
    """Return a new name below results/."""
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
    return Path("results") / f"{kind}-{stamp}.json"


def report_problems(problems: Iterable[str]) -> int:
    """Report scenario files that could not be read; return the exit code."""
    unread = [f"not read: {problem}" for problem in problems]
    for line in unread:
        click.echo(line, err=True)
    return SOMETHING_FAILED if unread else OK


def choose_exit_code(*run: Result) -> int:
    """Return the exit code that the status of the cases makes."""
    statuses = {record.status for result in run for record in result.cases}
    if "measured" not in statuses:
        return NOTHING_DONE
    return SOMETHING_FAILED if statuses & {"broken", "failed", "hung"} else OK
