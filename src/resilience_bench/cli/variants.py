"""The commands for made environments."""

from __future__ import annotations

import click

from resilience_bench.cli.groups import CommandGroup
from resilience_bench.environments import variants


@click.group("variants", cls=CommandGroup)
def variants_group() -> None:
    """The environments that 'compare' makes."""


@variants_group.command()
def clean() -> int:
    """Remove every environment that was made."""
    count, size = variants.clean()
    click.echo(
        f"{count} environments removed, {size / 1e6:.0f} MB, from {variants.get_cache_folder()}"
    )
    return 0
