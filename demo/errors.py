"""What a user of the demo can mend."""

from __future__ import annotations

import sys
from typing import Final

import click

EXIT_CODE: Final = 2


class DemoError(Exception):
    """Something did not start; the text is one line that ends with what to type."""


def run_command(command: click.Command, name: str) -> None:
    """Run a command as a program; what is wrong with its options is one line.

    Args:
        command: What is run.
        name: The script in ``scripts/`` that starts it.
    """
    try:
        command.main(prog_name=f"scripts/{name}", standalone_mode=False)
    except click.ClickException as error:
        said = error.format_message().rstrip(".")
        click.echo(f"{name}: {said}; type: scripts/{name} --help", err=True)
        sys.exit(EXIT_CODE)
    except click.Abort:
        sys.exit(130)
