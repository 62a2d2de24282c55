"""The command that lists cases; it must start fast, so it imports no table, only text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from resilience_bench._model import CaseRecord
from resilience_bench.cli.options import report_problems, selectors_argument
from resilience_bench.errors import format_amount
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.selection import IMPORT_LIMIT_S, inspect, select
from resilience_bench.report.text import clean_text


@click.command("list")
@selectors_argument
@click.pass_obj
def list_cases(launcher: Launcher, /, *, selectors: tuple[str, ...]) -> int:
    """List the cases, with why one is not available."""
    selection = select(launcher, selectors, complete=True)
    for line in describe_cases(inspect(launcher, selection.cases, IMPORT_LIMIT_S)):
        click.echo(line)
    return report_problems(selection.problems)


def describe_cases(records: Sequence[CaseRecord]) -> Iterator[str]:
    """Yield a line a case, with why one is not available, then a sum."""
    for record in records:
        reason = f"  {record.status}: {clean_text(record.reason)}"
        yield clean_text(record.case.name) + ("" if record.status == "measured" else reason)
    available = sum(record.status == "measured" for record in records)
    are = "is" if 1 in {available, len(records)} else "are"
    yield f"{available} of {format_amount(len(records), 'case')} {are} available"
