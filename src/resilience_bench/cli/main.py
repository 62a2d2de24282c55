"""The command ``resilience-bench``: parse, call, print, exit code."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from resilience_bench import __version__
from resilience_bench._model import Result, Signal
from resilience_bench.cli import (
    baseline,
    check,
    history,
    options,
    plot,
    prove,
    releases,
    report,
    run_drift,
    run_python,
    site,
)
from resilience_bench.cli.options import INTERRUPTED, NOTHING_DONE, OK
from resilience_bench.cli.progress import shown_progress
from resilience_bench.errors import UserError
from resilience_bench.files import results
from resilience_bench.measure.counting import measurable, measured
from resilience_bench.measure.launcher import Launcher, ProcessLauncher
from resilience_bench.measure.load_session import LoadSession, sessions
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.selection import IMPORT_LIMIT_S, select
from resilience_bench.measure.session import PROFILES, Profile, Session, inspect
from resilience_bench.report import data, markdown, pyperf_json, table
from resilience_bench.stats.latency import measure

NAME: Final = "resilience-bench"

DRIFT_ALONE: Final = (
    "--drift looks at the cost and the memory of one caller, so it goes without --signals, "
    "--python and --profile concurrency; leave one of them out"
)
LAUNCHER: Launcher = ProcessLauncher()
"""Who starts workers; tests put a scripted one here."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; whatever the user can mend becomes one line and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that knows ASCII only gets question marks for µ and ×, not a traceback.
            stream.reconfigure(errors="replace")
    try:
        with _killed_like_interrupted():
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


@contextlib.contextmanager
def _killed_like_interrupted() -> Iterator[None]:
    """Have SIGTERM end a command as Ctrl-C does: what was measured is kept, no worker left."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def command() -> None:
    """Measure what circuit breakers, retries and metrics cost per call."""


for each in (
    *check.COMMANDS,
    *baseline.COMMANDS,
    prove.prove,
    plot.plot,
    releases.releases,
    report.report,
    site.site,
):
    command.add_command(each)


command.add_command(history.history)


@command.command("list")
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
def list_cases(selectors: tuple[str, ...]) -> int:
    """List the cases, with why one is not available."""
    selection = select(LAUNCHER, selectors)
    records = inspect(LAUNCHER, selection.cases, IMPORT_LIMIT_S)
    table.render_cases(records, Console())
    return options.report_problems(selection.problems)


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
@options.signals_option
@click.option(
    "--drift",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="Keep each case going for so long; does its cost or memory grow with its calls?",
)
@click.option(
    "--python",
    "pythons",
    multiple=True,
    metavar="PATH",
    help="Measure under this interpreter as well, side by side; may be given several times.",
)
def run(  # noqa: PLR0913 - one argument an option
    *,
    selectors: tuple[str, ...],
    profile: str,
    output: Path | None,
    time_limit: float | None,
    signals: tuple[Signal, ...] | None,
    drift: float | None,
    pythons: tuple[str, ...],
) -> int:
    """Measure cases, write a results file and print the table.

    A SELECTOR is a pattern over case names ('breaker.*', '*[tenacity*'; only * and ? are special)
    or the path of a file or folder with scenarios of your own. Paths say where to look, patterns
    say which of the cases there to take.
    """
    chosen = PROFILES[profile]
    if time_limit is not None:
        chosen = dataclasses.replace(chosen, time_limit_s=time_limit)
    if drift is not None:
        if profile == "concurrency" or signals or pythons:
            raise UserError(DRIFT_ALONE)
        return run_drift.run_drift(LAUNCHER, selectors, drift, chosen, output)
    if pythons:
        return run_python.run_under(
            LAUNCHER, selectors, pythons=pythons, profile=chosen, signals=signals, output=output
        )
    return _run_here(selectors, chosen, signals, output or options.default_output("run"))


def _run_here(
    selectors: Sequence[str], chosen: Profile, signals: Sequence[Signal] | None, path: Path
) -> int:
    """Measure under the interpreter that this runs in, write the file and print the table."""
    results.ensure_writable(path)
    selection = select(LAUNCHER, selectors, loaded=chosen.name == "concurrency")
    session, loaded = sessions(LAUNCHER, selection.cases, chosen)
    available, lacking = measurable(options.wanted_signals(signals, session, loaded))
    if not available:
        raise UserError("; ".join(lacking.values()))
    recording = Recording(
        session.records,
        chosen.name,
        path,
        selectors,
        selection.problems,
        available,
        lacking,
    )
    try:
        completed = _measure(session, loaded, recording, available)
    except UserError:
        recording.write(complete=False)
        raise
    result = recording.write(complete=completed)
    table.render(result, measure(result), "latency", Console())
    code = options.report_problems(selection.problems)
    if not completed:
        click.echo(f"interrupted; what was measured is in {path}", err=True)
        return INTERRUPTED
    click.echo(f"results: {path}")
    return options.run_code(result) or code


def _measure(
    session: Session, loaded: LoadSession, recording: Recording, signals: Sequence[Signal]
) -> bool:
    try:
        with shown_progress(session, Console(stderr=True), signals, loaded) as show:
            under_load = loaded.run() if "scaling" in signals else iter(())
            for done in itertools.chain(measured(session, signals), under_load):
                recording.add(done)
                show(done)
    except KeyboardInterrupt:
        return False
    return True


_FILE = click.Path(path_type=Path)


@command.command()
@click.argument("files", type=_FILE, metavar="RESULT...", nargs=-1, required=True)
@click.option("--format", "form", type=click.Choice(["table", "markdown", "json"]), default="table")
@click.option(
    "--sort",
    type=click.Choice(["latency", "overhead", "ratio", "name"]),
    default="latency",
    show_default=True,
    help="The order within a scenario.",
)
def show(files: tuple[Path, ...], form: str, sort: str) -> int:
    """Show a results file: one block a scenario, libraries side by side.

    Several files, such as 'run --python' writes, are shown side by side as well, a column each.
    """
    if len(files) > 1:
        return _show_side_by_side([results.read(each) for each in files], files, form, sort)
    result = results.read(files[0])
    measurements = measure(result)
    if form == "table":
        table.render(result, measurements, sort, Console())
    else:
        text = {"markdown": markdown.render, "json": data.render}[form]
        click.echo(text(result, measurements, sort))
    return OK


def _show_side_by_side(found: Sequence[Result], files: Sequence[Path], form: str, sort: str) -> int:
    if not any(measure(each) for each in found):
        message = (
            "these files hold no case with times, rates or instructions; expected results of "
            "'resilience-bench run'; type 'resilience-bench show FILE' for each of them"
        )
        raise UserError(message)
    if form == "table":
        table.render_side_by_side(found, Console(), files)
    elif form == "markdown":
        click.echo(markdown.render_side_by_side(found))
    else:
        told = ",\n".join(data.render(each, measure(each), sort) for each in found)
        click.echo(f"[{told}]")
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
