"""The command that shows results files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from resilience_bench._model import Result
from resilience_bench.cli.console import make_console
from resilience_bench.cli.options import OK
from resilience_bench.errors import UserError
from resilience_bench.files import results
from resilience_bench.report import data, markdown, table
from resilience_bench.scenarios.stored_cases import narrow_result
from resilience_bench.stats.latency import estimate


@click.command()
@click.argument("arguments", metavar="RESULT... [PATTERN]...", nargs=-1, required=True)
@click.option("--format", "form", type=click.Choice(["table", "markdown", "json"]), default="table")
@click.option(
    "--sort",
    type=click.Choice(["latency", "overhead", "ratio", "name"]),
    default="latency",
    help="The order within a scenario.",
)
def show(arguments: tuple[str, ...], form: str, sort: str) -> int:
    """Show a results file: one block a scenario, libraries side by side.

    Several files, such as 'run --python' writes, get a column each. A PATTERN of case names behind
    them ('breaker.*', '*[tenacity*') shows those cases alone.
    """
    files, patterns = _split_arguments(arguments)
    found = [narrow_result(results.read(file), patterns, str(file)) for file in files]
    if len(files) > 1:
        return _show_side_by_side(found, files, form, sort)
    [result] = found
    measurements = estimate(result)
    if form == "table":
        table.render(result, measurements, sort, make_console(obeys_quiet=False))
    else:
        text = {"markdown": markdown.render, "json": data.render}[form]
        click.echo(text(result, measurements, sort))
    return OK


def _split_arguments(arguments: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Return the files, which exist or are called like one, and the patterns; UserError if none."""
    files = [text for text in arguments if _looks_like_file(text)]
    patterns = [text for text in arguments if not _looks_like_file(text)]
    if not files:
        raise UserError(
            f"{arguments[0]}: expected a results file first, then patterns of case names, found no "
            f"such file; type e.g. 'resilience-bench show results/run.json {arguments[0]}', or "
            "'resilience-bench run' to get a file"
        )
    return [Path(file) for file in files], patterns


def _looks_like_file(text: str) -> bool:
    return text.endswith(".json") or os.sep in text or Path(text).exists()


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
