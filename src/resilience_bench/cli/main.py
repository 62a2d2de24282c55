"""The command ``resilience-bench``: it imports the subcommand that was typed, and runs it."""

from __future__ import annotations

import contextlib
import importlib
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import click
from click.shell_completion import CompletionItem

from resilience_bench import __version__
from resilience_bench.cli.groups import CommandGroup
from resilience_bench.cli.options import INTERRUPTED, KEPT, NOTHING_DONE, OK, SETTABLE
from resilience_bench.cli.streams import protect_output
from resilience_bench.errors import UserError

if TYPE_CHECKING:
    from resilience_bench.measure.launcher import Launcher

NAME: Final = "resilience-bench"
COMMANDS: Final = {
    "init": ("init:init", "Write a first scenario, a CI workflow and budgets into a project."),
    "run": ("run:run", "Measure cases, write a results file and show it."),
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
    "fleet": ("fleet:fleet_group", "The hosts that measure with --fleet."),
    "site": ("site:site", "Make the static site."),
}
"""Where each command is, and what `--help` says of it without importing it."""

GLOBAL_FLAGS: Final = ("--no-progress", "-q", "--quiet")
EXTRAS: Final = {
    **dict.fromkeys(("asv", "asv_runner", "asv_tachyon", "pypi_simple"), "history"),
    **dict.fromkeys(("cloudpickle", "dask", "distributed", "psutil"), "fleet"),
}
"""Which extra of this distribution brings a package."""
LAUNCHER: Launcher | None = None
"""Starts workers; tests put a scripted one here."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command of the tool, see `run_command`."""
    given = sys.argv[1:] if arguments is None else arguments
    # The options of every command go to the front, where click expects them.
    moved = sorted(given, key=lambda argument: argument not in GLOBAL_FLAGS)
    return run_command(command, moved, NAME, LAUNCHER)


def run_command(given: click.Command, arguments: Sequence[str], name: str, obj: object) -> int:
    """Run a command; whatever the user can mend becomes one line and exit code 2."""
    protect_output()
    KEPT.set("")
    try:
        with _interrupt_on_sigterm():
            return given.main(list(arguments), name, standalone_mode=False, obj=obj) or OK
    except UserError as error:
        click.echo(f"resilience-bench: {error}", err=True)
        return NOTHING_DONE
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "resilience-bench"
        message = error.format_message()
        end = "" if message.endswith((".", "?", "!")) else "."
        click.echo(f"{path}: {message}{end} Type '{path} --help'.", err=True)
        return NOTHING_DONE
    except (KeyboardInterrupt, click.Abort) as error:
        # A command that has something to say of what is kept says it, and raises Abort itself.
        if isinstance(error, KeyboardInterrupt) or error.__cause__:
            kept = KEPT.get()
            found = f"what was measured is in {kept}" if kept else "nothing was measured yet"
            click.echo(f"interrupted; {found}", err=True)
        return INTERRUPTED


@contextlib.contextmanager
def _interrupt_on_sigterm() -> Iterator[None]:
    """Have SIGTERM end a command as Ctrl-C does: what was measured is kept, no worker left."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


class LazyGroup(CommandGroup):
    """The commands by name; a command's module is imported when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names in the order in which people meet them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        ctx.invoked_subcommand = cmd_name  # an import that fails names it
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        try:
            imported = importlib.import_module(f"resilience_bench.cli.{module}")
        except ModuleNotFoundError:
            if not ctx.resilient_parsing:
                raise
            return None  # the shell completes nothing of what needs an extra
        found: click.Command = getattr(imported, name)
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; UserError if it needs a package of an extra that is not installed."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in EXTRAS:
                raise
            raise UserError(
                f"{ctx.invoked_subcommand} needs {package}, which is not installed; "
                f"type: pip install 'resilience-bench[{EXTRAS[package]}]'"
            ) from None

    def list_summaries(self, ctx: click.Context) -> Iterator[tuple[str, str]]:
        """Yield what `COMMANDS` says: importing all commands takes seconds."""
        del ctx
        yield from ((name, text) for name, (_, text) in COMMANDS.items())

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names of commands from `COMMANDS` as well."""
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        items = [CompletionItem(name, help=COMMANDS[name][1]) for name in names]
        return items + click.Command.shell_complete(self, ctx, incomplete)


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "show_default": True}
)
@click.version_option(__version__)
@click.option("--no-progress", is_flag=True, help="Show no progress while measuring.")
@click.option(
    "-q", "--quiet", is_flag=True, help="Print only verdicts, errors and where results are."
)
@click.pass_context
def command(context: click.Context, *, no_progress: bool, quiet: bool) -> None:
    """Measure what circuit breakers, retries and metrics cost per call.

    --no-progress and --quiet may stand behind the command as well.
    """
    del no_progress, quiet  # `console` reads them from the context
    name = context.invoked_subcommand or ""
    if name in SETTABLE and (subcommand := command.get_command(context, name)):
        from resilience_bench.cli.settings import FILE, read_defaults  # noqa: PLC0415 - takes time

        context.default_map = {name: read_defaults(FILE, subcommand)}
    if context.obj is None:
        from resilience_bench.measure.launcher import ProcessLauncher  # noqa: PLC0415 - takes time

        context.obj = ProcessLauncher()
