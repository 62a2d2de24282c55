"""The command that draws pictures of a results file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from resilience_bench.cli.options import FILE
from resilience_bench.errors import UserError
from resilience_bench.files import atomic, results
from resilience_bench.files.checked_json import format_path
from resilience_bench.stats.latency import estimate

if TYPE_CHECKING:
    from resilience_bench.report.plots.pictures import Picture

ANOTHER_FOLDER: Final = "give another folder with --output"


@click.command()
@click.argument("result_file", type=FILE, metavar="RESULT")
@click.option(
    "-o",
    "--output",
    "folder",
    type=FILE,
    metavar="DIR",
    required=True,
    help="The folder for the pictures; it is created if necessary.",
)
def plot(result_file: Path, folder: Path) -> int:
    """Draw a results file: rates by callers, latencies, overheads and scaling.

    Each picture is written as SVG and as PNG.
    """
    # matplotlib takes a second to import.
    from resilience_bench.report.plots.pictures import plan_pictures  # noqa: PLC0415

    result = results.read(result_file)
    found = plan_pictures(result, estimate(result))
    if not found:
        raise UserError(
            f"{format_path(result_file)}: found no overhead and nothing under load, so there is "
            "nothing to draw; type 'resilience-bench run' to measure"
        )
    atomic.ensure_writable(folder / f"{found[0].name}.svg", ANOTHER_FOLDER)
    for path in write_pictures(found, folder):
        click.echo(path)
    return 0


def write_pictures(pictures: Iterable[Picture], folder: Path) -> Iterator[Path]:
    """Write each picture as SVG and as PNG; yield the files."""
    from resilience_bench.report.plots.style import render_figure, use_settings  # noqa: PLC0415

    for picture in pictures:
        with use_settings():
            files = render_figure(picture.draw())
        for form, content in files.items():
            path = folder / f"{picture.name}.{form}"
            atomic.write_bytes(content, path, ANOTHER_FOLDER)
            yield path
