"""The command that shows results files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from resilience_bench._model import Result
from resilience_bench.cli.console import make_console
from resilience_bench.cli.options import FILE, OK
from resilience_bench.errors import UserError
from resilience_bench.files import results
from resilience_bench.report import data, markdown, table
from resilience_bench.stats.latency import estimate


@click.command()
@click.argument("files", type=FILE, metavar="RESULT...", nargs=-1, required=True)
@click.option("--format", "form", type=click.Choice(["table", "markdown", "json"]), default="table")
@click.option(
    "--sort",
    type=click.Choice(["latency", "overhead", "ratio", "name"]),
    default="latency",
    help="The order within a scenario.",
)
def show(files: tuple[Path, ...], form: str, sort: str) -> int:
    """Show a results file: one block a scenario, libraries side by side.

    Several files, such as 'run --python' writes, get a column each.
    """
    if len(files) > 1:
        return _show_side_by_side([results.read(file) for file in files], files, form, sort)
    result = results.read(files[0])
    measurements = estimate(result)
    if form == "table":
        table.render(result, measurements, sort, make_console(obeys_quiet=False))
    else:
        text = {"markdown": markdown.render, "json": data.render}[form]
        click.echo(text(result, measurements, sort))
    return OK


def _show_side_by_side(found: Sequence[Result], files: Sequence[Path], form: str, sort: str) -> int:
    if not any(map(estimate, found)):
        raise UserError(
            "these files hold no case with times, rates or instructions; expected results of "
            "'resilience-bench run'; type 'resilience-bench show FILE' for each of them"
        )
    if form == "table":
        table.render_side_by_side(found, make_console(obeys_quiet=False), files)
    elif form == "markdown":
        click.echo(markdown.render_side_by_side(found))
    else:
        documents = ",\n".join(data.render(result, estimate(result), sort) for result in found)
        click.echo(f"[{documents}]")
    return OK
