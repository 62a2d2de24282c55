"""The command that lists cases."""

from __future__ import annotations

import click
from rich.console import Console

from resilience_bench.cli import (
    options,
)
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.selection import IMPORT_LIMIT_S, select
from resilience_bench.measure.session import inspect
from resilience_bench.report import table


@click.command("list")
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@click.pass_obj
def list_cases(launcher: Launcher, /, *, selectors: tuple[str, ...]) -> int:
    """List the cases, with why one is not available."""
    selection = select(launcher, selectors)
    records = inspect(launcher, selection.cases, IMPORT_LIMIT_S)
    table.render_cases(records, Console())
    return options.report_problems(selection.problems)
