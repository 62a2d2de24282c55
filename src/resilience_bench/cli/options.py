"""What several commands share: options, statuses, and where files go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, get_args

import click
from click.core import ParameterSource

from resilience_bench._model import Result, Signal
from resilience_bench.fleet.choice import FleetChoice
from resilience_bench.project import find_outdated_install

OK: Final = 0
SOMETHING_FAILED: Final = 1
NOTHING_DONE: Final = 2
INTERRUPTED: Final = 130
"""The exit codes of commands that do not judge; `gate.verdicts` has those that do."""
FILE: Final = click.Path(path_type=Path)
"""The type of options and arguments that name a file."""
KEPT: Final = ContextVar("KEPT", default="")
"""The files that a command has begun to write its measurements to: they outlive a Ctrl-C."""
SETTABLE: Final = ("run", "check", "compare")
"""The commands whose options may have other defaults in `pyproject.toml`, see `cli.settings`."""
SIGNALS: Final[tuple[Signal, ...]] = get_args(Signal)
TOLERANCE_OPTIONS: Final = {"--tolerance": "ratio", "--tolerance-instructions": "instructions"}


def parse_signals(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> tuple[Signal, ...] | None:
    """Read the option ``--signals``."""
    if text is None:
        return None
    wanted = {name.strip() for name in text.split(",")}
    if unknown := wanted - set(SIGNALS):
        raise click.BadParameter(f"{', '.join(sorted(unknown))!r} is none of {', '.join(SIGNALS)}.")
    return tuple(signal for signal in SIGNALS if signal in wanted)


selectors_argument = click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
budgets_option = click.option(
    "--budgets", "budgets_file", type=FILE, help="Default: baselines/budgets.toml."
)
signals_option = click.option(
    "--signals",
    callback=parse_signals,
    help=f"What to measure, separated by commas: {', '.join(SIGNALS)}. Default: all available.",
)


def add_tolerance_options(defaults: Mapping[str, float], **helps: str) -> Callable[[Any], Any]:
    """Add the options, in per cent, that make the argument ``tolerances``, by quantity."""

    def collect(context: click.Context, parameter: click.Parameter, percent: float) -> None:
        tolerances = context.params.setdefault("tolerances", dict(defaults))
        tolerances[TOLERANCE_OPTIONS[parameter.opts[0]]] = percent / 100

    def add(command: Any) -> Any:
        for flag, quantity in reversed(TOLERANCE_OPTIONS.items()):
            command = click.option(
                flag,
                type=click.FloatRange(min=0),
                default=100 * defaults[quantity],
                expose_value=False,
                callback=collect,
                help=helps[quantity],
            )(command)
        return command

    return add


def add_fleet_options(command: Any) -> Any:
    """Add the options that make the argument ``fleet``: a `FleetChoice`, None without one."""

    def collect(context: click.Context, parameter: click.Parameter, text: str | None) -> None:
        del parameter
        kind = context.params.pop("fleet_kind", "") or ""
        context.params["fleet"] = FleetChoice(text, kind) if text else None
        if kind and not text:
            raise click.BadParameter("it says which hosts of a fleet measure; add --fleet ADDRESS.")

    command = click.option(
        "--fleet",
        metavar="ADDRESS",
        expose_value=False,
        callback=collect,
        help="Measure on the hosts of this Dask scheduler, e.g. tcp://10.0.0.5:8786.",
    )(command)
    return click.option(
        "--fleet-kind",
        metavar="KIND",
        is_eager=True,
        help="Measure on its hosts of this kind; default: that of most hosts.",
    )(command)


def was_typed(context: click.Context, name: str) -> bool:
    """Return whether a parameter was typed, and is no default of the project or of the tool."""
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def select_typed_tolerances(
    context: click.Context, tolerances: Mapping[str, float]
) -> dict[str, float]:
    """Return the tolerances, by quantity, whose options were typed."""
    names = {flag[2:].replace("-", "_"): quantity for flag, quantity in TOLERANCE_OPTIONS.items()}
    return {
        quantity: tolerances[quantity]
        for name, quantity in names.items()
        if was_typed(context, name)
    }


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


def report_outdated_install() -> None:
    """Report a project here of which another state is installed: that one is measured."""
    if name := find_outdated_install(Path.cwd()):
        click.echo(
            f"note: the installed {name} is measured, which differs from the files here; type "
            "'pip install .' first, or once 'pip install -e .'",
            err=True,
        )


def choose_exit_code(*run: Result) -> int:
    """Return the exit code that the status of the cases makes."""
    statuses = {record.status for result in run for record in result.cases}
    if "measured" not in statuses:
        return NOTHING_DONE
    return SOMETHING_FAILED if statuses & {"broken", "failed", "hung"} else OK
