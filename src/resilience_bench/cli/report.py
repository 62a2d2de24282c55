"""The command that makes one page of a results file, to be mailed or kept."""

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
    help="Another results file: show both side by side, and what moved.",
)
def report(result_file: Path, output: Path, other_file: Path | None) -> int:
    """Make one HTML page of a results file: its tables, pictures, doubts and environment.

    The page needs no other file and no network.
    """
    # A second for matplotlib, for which no other command should have to wait.
    from resilience_bench.report import html, two_runs  # noqa: PLC0415

    result = results.read(result_file)
    other = results.read(other_file) if other_file else None
    for each in filter(None, (result_file, other_file)):
        if output.resolve() == each.resolve():
            message = (
                f"cannot write the page to {format_path(output)}: it is the results file "
                "itself; give "
                "the name of another file with --output"
            )
            raise UserError(message)
    atomic.ensure_writable(output)
    name = result_file.name
    beside = None
    if other and other_file:
        # Two files of one name are told apart by their folders.
        paths = (result_file, other_file)
        same = name == other_file.name
        name, other_name = (str(each) if same else each.name for each in paths)
        beside = two_runs.compare_runs(result, name, other, other_name)
    atomic.write_text(html.render_report(result, estimate(result), name, beside), output)
    click.echo(f"{output}: open it in a browser")
    return 0
