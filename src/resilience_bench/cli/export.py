"""The command that writes other tools' formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import click

from resilience_bench._model import Result
from resilience_bench.cli.options import FILE, OK
from resilience_bench.errors import UserError
from resilience_bench.files import atomic, results
from resilience_bench.files.checked_json import format_path
from resilience_bench.report import (
    bencher_json,
    csv_rows,
    github_benchmark,
    openmetrics,
    pyperf_json,
)

FORMATS: Final[Mapping[str, tuple[Callable[[Result], str], str]]] = {
    "pyperf": (pyperf_json.render, "read it with 'python -m pyperf stats {}'"),
    "openmetrics": (
        openmetrics.render,
        "serve it, or name it NAME.prom in the folder of node_exporter's textfile collector",
    ),
    "csv": (csv_rows.render, "one line a case and quantity"),
    "github-action-benchmark": (
        github_benchmark.render,
        "give the step 'tool: customSmallerIsBetter' and 'output-file-path: {}'",
    ),
    "bmf": (bencher_json.render, "type 'bencher run --adapter json --file {}'"),
}
"""What writes each format, and what to do with the file."""


@click.command()
@click.argument("result_file", type=FILE, metavar="RESULT")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    default="pyperf",
    help="The tool that reads it: pyperf, Prometheus, a spreadsheet, github-action-benchmark, "
    "Bencher.",
)
@click.option("-o", "--output", type=FILE, required=True, help="Where to write the export.")
def export(result_file: Path, form: str, output: Path) -> int:
    """Write a results file in the format of another tool.

    The file appears whole, or not at all, so another program may read the folder meanwhile.
    """
    render, use = FORMATS[form]
    result = results.read(result_file)
    if output.resolve() == result_file.resolve():
        raise UserError(
            f"cannot write the export to {format_path(output)}: it is the results file itself; "
            "give the name of another file with --output"
        )
    atomic.ensure_writable(output)
    atomic.write_text(render(result), output)
    click.echo(f"{output}: {use.format(output)}")
    return OK
