"""The commands for made environments."""

from __future__ import annotations

import click

from resilience_bench.cli.groups import CommandGroup
from resilience_bench.environments import variants
from resilience_bench.errors import format_amount


@click.group("variants", cls=CommandGroup)
def variants_group() -> None:
    """The environments that 'compare' makes."""


@variants_group.command()
def clean() -> int:
    """Remove every environment that was made."""
    count, size = variants.clean()
    click.echo(
        f"{format_amount(count, 'environment')} removed, {size / 1e6:.0f} MB, "
        f"from {variants.get_cache_folder()}"
    )
    return 0
