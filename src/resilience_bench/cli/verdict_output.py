"""The output of `check` and `compare`: the judgement, its reports, its explanations."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterable
from typing import Any, Final

import click
from rich.console import Console

from resilience_bench._model import Result
from resilience_bench._verdicts import Judgement
from resilience_bench.cli.console import make_console
from resilience_bench.cli.options import FILE, OK, signals_option
from resilience_bench.files import atomic
from resilience_bench.gate.verdicts import compute_exit_code
from resilience_bench.report import annotations as workflow_commands
from resilience_bench.report import judgement_markdown, judgement_table, junit
from resilience_bench.report.verdicts import summarise_judgement
from resilience_bench.scenarios.patterns import matches_name

OUTAGES: Final = ("outage",)
"""The signals of a run with ``--profile chaos``."""


def add_output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `check` and `compare`: what to show and write, which signals."""
    for option in (
        click.option("--strict", is_flag=True, help="Exit 3 if something stayed undecided."),
        click.option("--junit", type=FILE, help="Also write JUnit XML to this file."),
        click.option("--markdown", type=FILE, help="Also write Markdown to this file."),
        click.option(
            "--annotations", type=click.Choice(["github"]), help="Also print annotations."
        ),
        click.option("--explain", metavar="CASE", help="Show every step of these decisions."),
        signals_option,
    ):
        command = option(command)
    return command


def ensure_outputs_writable(shown: dict[str, Any]) -> None:
    """Check, before anything is measured, that the reports can be written."""
    for name in ("junit", "markdown"):
        if shown[name]:
            atomic.ensure_writable(shown[name], f"{atomic.OTHER_FILE}--{name}")


def show_judgement(result: Judgement, shown: dict[str, Any], *, with_changes: bool = False) -> int:
    """Print and write a judgement; return its exit code."""
    console = make_console()
    if pattern := shown["explain"]:
        _explain(result, pattern, console)
    judgement_table.render(result, console)
    if console.quiet:
        click.echo(summarise_judgement(result))
    if with_changes:
        judgement_table.render_changes(result, console)
    if shown["junit"]:
        atomic.write_text(junit.render(result), shown["junit"])
    if shown["markdown"]:
        atomic.write_text(judgement_markdown.render(result) + "\n", shown["markdown"])
    if shown["annotations"]:
        click.echo(workflow_commands.render(result))
    return compute_exit_code(result, strict=shown["strict"])


def hold_outages_only(found: Iterable[Result]) -> bool:
    """Return whether results are of outages, in which nothing has an acceptable range."""
    return all(result.signals == OUTAGES for result in found)


def show_outages(title: str, text: str, shown: dict[str, Any]) -> int:
    """Print and write that there is nothing to judge; return the exit code, which is no failure."""
    lines = (f"{text}: outages, of which nothing is judged; 'resilience-bench show' shows them",)
    show_judgement(Judgement(title, lines, ()), shown)
    return OK


def _explain(result: Judgement, pattern: str, console: Console) -> None:
    is_wanted = functools.partial(matches_name, pattern)
    if not judgement_table.render_explanation(result, is_wanted, console):
        # A mistyped name must not hide the judgement.
        names = sorted({verdict.case for verdict in result.verdicts})
        close = difflib.get_close_matches(pattern.strip("*?"), names, n=3, cutoff=0.3) or names[:3]
        text = f"--explain {pattern!r}: no case of that name was judged (close: {', '.join(close)})"
        click.echo(text, err=True)
