"""The commands for the hosts of a fleet."""

from __future__ import annotations

import click
from rich.table import Table

from resilience_bench.cli.console import make_console, make_progress_console
from resilience_bench.cli.groups import CommandGroup
from resilience_bench.cli.options import OK
from resilience_bench.errors import format_amount
from resilience_bench.fleet.facts import (
    Needs,
    choose_hosts,
    describe_tool,
    detect_facts,
    list_hosts,
)

HEADERS = ("host", "process", "kind", "tool", "what the kind is")


@click.group("fleet", cls=CommandGroup)
def fleet_group() -> None:
    """The hosts that measure with --fleet: Dask workers that hold their host's lock."""


@fleet_group.command()
@click.argument("address")
@click.option(
    "--host",
    default="",
    show_default="its network name",
    help="Another name for this host; with several names one machine plays several hosts, in "
    "trials.",
)
def worker(*, address: str, host: str) -> int:
    """Measure on this machine for the Dask scheduler at ADDRESS, until it is ended.

    Only one worker runs on a machine. Start it in the folder that has the scenario files.
    """
    from resilience_bench.fleet import worker as workers  # noqa: PLC0415 - imports Dask

    console = make_progress_console()

    def note(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    workers.serve(address, detect_facts(host), note)
    return OK


@fleet_group.command()
@click.argument("address")
def status(*, address: str) -> int:
    """List the hosts of the fleet at ADDRESS; exit code 2 if it could not measure as it is."""
    from resilience_bench.fleet import pool as pools  # noqa: PLC0415 - imports Dask

    pool = pools.DaskPool(address, pools.connect(address))
    try:
        found = pool.find_all()
    finally:
        pools.close_client(pool.client)
    table = Table(*HEADERS, box=None, pad_edge=False, header_style="dim")
    for row in list_hosts([facts for facts in found.values() if facts]):
        table.add_row(*row)
    if found:
        make_console().print(table)
    choose_hosts(address, found, Needs())
    click.echo(f"{format_amount(len(found), 'host')}, resilience-bench {describe_tool()}")
    return OK
