"""The command that writes other tools' formats."""

from __future__ import annotations

from pathlib import Path

import click

from resilience_bench.cli.options import FILE, OK
from resilience_bench.files import atomic, results
from resilience_bench.report import pyperf_json


@click.command()
@click.argument("result_file", type=FILE, metavar="RESULT")
@click.option("--format", "form", type=click.Choice(["pyperf"]), required=True)
@click.option("-o", "--output", type=FILE, required=True, help="Where to write the export.")
def export(result_file: Path, form: str, output: Path) -> int:
    """Write a results file in the format of another tool."""
    del form  # there is one so far
    result = results.read(result_file)
    atomic.ensure_writable(output)
    atomic.write_text(pyperf_json.render(result), output)
    click.echo(f"{output}: read it with 'python -m pyperf stats {output}'")
    return OK
