"""Groups of commands: their help is never cut, and a mistyped command gets a suggestion."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator

import click

from resilience_bench.cli.options import NOTHING_DONE


class CommandGroup(click.Group):
    """A group that shows its commands with the whole first sentence of their help."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Print the plain help if nothing is typed behind the group, with the code of an error."""
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(NOTHING_DONE)
        return super().parse_args(ctx, args)

    def list_summaries(self, ctx: click.Context) -> Iterator[tuple[str, str]]:
        """Yield the name and the first sentence of each command."""
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            first = inspect.cleandoc((command and command.help) or "").partition("\n\n")[0]
            yield name, " ".join(first.split())

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands; click itself would cut what is longer than a line."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.list_summaries(ctx)))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed; UsageError, with the closest one, if there is none."""
        name = args[0]
        if not (ctx.resilient_parsing or name.startswith("-") or self.get_command(ctx, name)):
            close = difflib.get_close_matches(name.lower(), self.list_commands(ctx), n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)
