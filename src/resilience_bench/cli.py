"""The command ``resilience-bench``: parse, call, print, exit code."""

from __future__ import annotations

import dataclasses
import io
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from resilience_bench import __version__, cli_baseline, cli_gate, cli_options, cli_prove, results
from resilience_bench._model import Result, Signal
from resilience_bench.errors import UserError
from resilience_bench.export import pyperf_json
from resilience_bench.launcher import Launcher, ProcessLauncher
from resilience_bench.progress import shown_progress
from resilience_bench.recording import Recording
from resilience_bench.report import data, markdown, table
from resilience_bench.selection import IMPORT_LIMIT_S, select
from resilience_bench.session import PROFILES, Session, inspect
from resilience_bench.signals import SIGNALS, measured, not_available
from resilience_bench.statistics import measure

NAME: Final = "resilience-bench"
OK: Final = 0
SOMETHING_FAILED: Final = 1
NOTHING_DONE: Final = 2
INTERRUPTED: Final = 130

LAUNCHER: Launcher = ProcessLauncher()
"""Who starts workers; tests put a scripted one here."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; whatever the user can mend becomes one line and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that knows ASCII only gets question marks for µ and ×, not a traceback.
            stream.reconfigure(errors="replace")
    try:
        return command.main(arguments, NAME, standalone_mode=False, obj=LAUNCHER) or OK
    except UserError as error:
        click.echo(f"resilience-bench: {error}", err=True)
        return NOTHING_DONE
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "resilience-bench"
        click.echo(f"{path}: {error.format_message()} Type '{path} --help'.", err=True)
        return NOTHING_DONE
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; keep the interpreter from flushing into it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def command() -> None:
    """Measure what circuit breakers, retries and metrics cost per call."""


for each in (*cli_gate.COMMANDS, *cli_baseline.COMMANDS, cli_prove.prove):
    command.add_command(each)


@command.command("list")
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
def list_cases(selectors: tuple[str, ...]) -> int:
    """List the cases, with why one is not available."""
    selection = select(LAUNCHER, selectors)
    records = inspect(LAUNCHER, selection.cases, IMPORT_LIMIT_S)
    table.render_cases(records, Console())
    return _report_problems(selection.problems)


@command.command()
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default="quick",
    show_default=True,
    help="How much to measure.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where to write the results file."
)
@click.option("--time-limit", type=click.FloatRange(min=1), help="Seconds that a worker may take.")
@cli_options.signals_option
def run(
    selectors: tuple[str, ...],
    profile: str,
    output: Path | None,
    time_limit: float | None,
    signals: tuple[Signal, ...] | None,
) -> int:
    """Measure cases, write a results file and print the table.

    A SELECTOR is a pattern over case names ('breaker.*', '*[tenacity*'; only * and ? are special)
    or the path of a file or folder with scenarios of your own. Paths say where to look, patterns
    say which of the cases there to take.
    """
    path = output or cli_options.default_output("run")
    results.ensure_writable(path)
    selection = select(LAUNCHER, selectors)
    chosen = PROFILES[profile]
    if time_limit is not None:
        chosen = dataclasses.replace(chosen, time_limit_s=time_limit)
    session = Session(LAUNCHER, selection.cases, chosen)
    missing = not_available()
    available = tuple(each for each in signals or SIGNALS if each not in missing)
    if not available:
        raise UserError("; ".join(missing.values()))
    recording = Recording(
        session.records,
        chosen.name,
        path,
        selectors,
        selection.problems,
        available,
        {each: missing[each] for each in signals or SIGNALS if each in missing},
    )
    try:
        completed = _measure(session, recording, available)
    except UserError:
        recording.write(complete=False)
        raise
    result = recording.write(complete=completed)
    table.render(result, measure(result), "latency", Console())
    code = _report_problems(selection.problems)
    if not completed:
        click.echo(f"interrupted; what was measured is in {path}", err=True)
        return INTERRUPTED
    click.echo(f"results: {path}")
    return _run_code(result) or code


def _measure(session: Session, recording: Recording, signals: Sequence[Signal]) -> bool:
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with shown_progress(session, Console(stderr=True), signals) as show:
            for done in measured(session, signals):
                recording.add(done)
                show(done)
    except KeyboardInterrupt:
        return False
    return True


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _run_code(result: Result) -> int:
    statuses = {record.status for record in result.cases}
    if "measured" not in statuses:
        return NOTHING_DONE
    return SOMETHING_FAILED if statuses & {"broken", "failed"} else OK


def _report_problems(problems: Sequence[str]) -> int:
    for problem in problems:
        click.echo(f"not read: {problem}", err=True)
    return SOMETHING_FAILED if problems else OK


_FILE = click.Path(path_type=Path)


@command.command()
@click.argument("result_file", type=_FILE, metavar="RESULT")
@click.option("--format", "form", type=click.Choice(["table", "markdown", "json"]), default="table")
@click.option(
    "--sort",
    type=click.Choice(["latency", "overhead", "ratio", "name"]),
    default="latency",
    show_default=True,
    help="The order within a scenario.",
)
def show(result_file: Path, form: str, sort: str) -> int:
    """Show a results file: one block a scenario, libraries side by side."""
    result = results.read(result_file)
    measurements = measure(result)
    if form == "table":
        table.render(result, measurements, sort, Console())
    else:
        text = {"markdown": markdown.render, "json": data.render}[form]
        click.echo(text(result, measurements, sort))
    return OK


@command.command()
@click.argument("result_file", type=_FILE, metavar="RESULT")
@click.option("--format", "form", type=click.Choice(["pyperf"]), required=True)
@click.option("-o", "--output", type=_FILE, required=True, help="Where to write the export.")
def export(result_file: Path, form: str, output: Path) -> int:
    """Write a results file in the format of another tool."""
    del form  # there is one so far
    result = results.read(result_file)
    results.ensure_writable(output)
    results.write_text(pyperf_json.render(result), output)
    click.echo(f"{output}: read it with 'python -m pyperf stats {output}'")
    return OK
