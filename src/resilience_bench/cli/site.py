"""The command that makes the site, and serves it."""

from __future__ import annotations

from pathlib import Path

import click

from resilience_bench.cli.console import make_progress_console
from resilience_bench.cli.options import FILE
from resilience_bench.cli.progress import show_steps
from resilience_bench.errors import UserError, format_amount
from resilience_bench.files.checked_json import format_path


@click.command()
@click.option(
    "-o",
    "--output",
    type=FILE,
    metavar="DIR",
    default=Path("results/site"),
    help="Where to make it; a site that is there is replaced once the new one is whole.",
)
@click.option(
    "--results",
    "results_folder",
    type=FILE,
    metavar="DIR",
    default=Path("results"),
    help="Where the results files and the release histories are.",
)
@click.option(
    "--conf",
    "conf_file",
    type=FILE,
    metavar="FILE",
    default=Path("asv.conf.json"),
    help="asv's configuration, which says where the history of commits is.",
)
@click.option(
    "--docs",
    "docs_file",
    type=FILE,
    metavar="FILE",
    default=Path("mkdocs.yml"),
    help="mkdocs' configuration, if the project has pages of documentation.",
)
@click.option("--serve", is_flag=True, help="Then serve it to this machine, until Ctrl-C.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    help="With --serve: on which port; 0 for any that is free.  [default: 8000]",
)
def site(  # noqa: PLR0913 - its options
    *,
    output: Path,
    results_folder: Path,
    conf_file: Path,
    docs_file: Path,
    serve: bool,
    port: int | None,
) -> int:
    """Make the site: the latest run, the last check, the histories, the proof, the documentation.

    It is static, needs no network, and works under any address from any file server.
    """
    # A second for matplotlib, for which no other command should have to wait.
    from resilience_bench.site import build as sites  # noqa: PLC0415
    from resilience_bench.site import serve as serving  # noqa: PLC0415

    if port is not None and not serve:
        raise UserError(f"--port {port} says where to serve, so it goes with --serve; type both")
    if not results_folder.is_dir():
        raise UserError(
            f"{format_path(results_folder)}: expected the folder of results, found none; go to the "
            "folder that holds it, name another one with --results, or type scripts/bench"
        )
    # Before the work: nobody should wait to learn that the port is taken.
    server = serving.make_server(output, serving.PORT if port is None else port) if serve else None
    try:
        sources = sites.SiteSources(results_folder, conf_file, docs_file)
        with show_steps(make_progress_console(), "making the site") as show:
            made = sites.make(sources, output, show)
        for path, why in made.skipped:
            click.echo(sources.shorten_paths(f"skipped {format_path(path)}: {why}"), err=True)
        if made.skipped:
            count = len(made.skipped)
            files = "file" if count == 1 else "files"
            click.echo(f"{count} {files} could not be read and stayed where they are", err=True)
        click.echo(f"{output / 'index.html'}: {format_amount(made.pages, 'page')}")
        if server:
            click.echo(f"serving {serving.format_address(server)} until Ctrl-C")
            server.serve_forever()
    except KeyboardInterrupt:
        if server is None:
            raise
    finally:
        if server:
            server.server_close()
    return 0
