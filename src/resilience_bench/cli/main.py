"""The command ``resilience-bench``: it imports the subcommand that was typed, and runs it."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Final

import click

from resilience_bench import __version__
from resilience_bench.cli.options import INTERRUPTED, NOTHING_DONE, OK
from resilience_bench.errors import UserError
from resilience_bench.measure.launcher import Launcher, ProcessLauncher

NAME: Final = "resilience-bench"
COMMANDS: Final = {
    "run": ("run:run", "Measure cases, write a results file and print the table."),
    "list": ("list:list_cases", "List the cases, with why one is not available."),
    "show": ("show:show", "Show a results file, libraries side by side."),
    "plot": ("plot:plot", "Draw a results file."),
    "report": ("report:report", "Write a results file as one HTML page."),
    "export": ("export:export", "Write a results file in the format of another tool."),
    "check": ("check:check", "Measure, and fail if a case has left its acceptable range."),
    "compare": ("compare:compare", "Measure two variants against each other."),
    "baseline": ("baseline:baseline_group", "The acceptable ranges of this environment."),
    "variants": ("variants:variants_group", "The environments that 'compare' makes."),
    "prove": ("prove:prove", "Test the gate on itself."),
    "history": ("history:history", "Measure commits with asv."),
    "releases": ("releases:releases", "Measure the releases of a package side by side."),
    "site": ("site:site", "Make the static site."),
}
"""Where each command is, and what `--help` says of it without importing it."""

LAUNCHER: Launcher = ProcessLauncher()
"""Who starts workers; tests put a scripted one here."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; whatever the user can mend becomes one line and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that knows ASCII only gets question marks for µ and ×, not a traceback.
            stream.reconfigure(errors="replace")
    try:
        with _interrupt_on_sigterm():
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
def _interrupt_on_sigterm() -> Iterator[None]:
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


class LazyGroup(click.Group):
    """The commands by name; a command's module is imported when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names in the order in which people meet them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is none of this name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        found: click.Command = getattr(
            importlib.import_module(f"resilience_bench.cli.{module}"), name
        )
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from `COMMANDS`: importing all of them takes seconds."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def command() -> None:
    """Measure what circuit breakers, retries and metrics cost per call."""
