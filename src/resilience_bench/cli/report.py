"""The command that writes a results file as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from resilience_bench.cli.options import FILE
from resilience_bench.errors import UserError
from resilience_bench.files import atomic, results
from resilience_bench.files.checked_json import format_path
from resilience_bench.stats.latency import estimate


@click.command()
@click.argument("result_file", type=FILE, metavar="RESULT")
@click.option("-o", "--output", type=FILE, required=True, help="Where to write the page.")
@click.option(
    "--against",
    "other_file",
    type=FILE,
    metavar="OTHER",
    help="Show another results file beside it, and what changed.",
)
def report(result_file: Path, output: Path, other_file: Path | None) -> int:
    """Write a results file as one HTML page: tables, pictures, warnings and environment.

    The page needs no other file and no network.
    """
    # matplotlib takes a second to import.
    from resilience_bench.report import html, two_runs  # noqa: PLC0415

    result = results.read(result_file)
    other = results.read(other_file) if other_file else None
    if output.resolve() in {path.resolve() for path in (result_file, other_file) if path}:
        raise UserError(
            f"cannot write the page to {format_path(output)}: it is the results file itself; "
            "give the name of another file with --output"
        )
    atomic.ensure_writable(output)
    name = result_file.name
    beside = None
    if other and other_file:
        # Two files of one name are distinguished by their folders.
        same = name == other_file.name
        name, other_name = (str(path) if same else path.name for path in (result_file, other_file))
        beside = two_runs.compare_runs(result, name, other, other_name)
    atomic.write_text(html.render_report(result, estimate(result), name, beside), output)
    click.echo(f"{output}: open it in a browser")
    return 0
