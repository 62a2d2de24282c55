"""How far a measurement is: bars on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from resilience_bench.errors import format_amount
from resilience_bench.measure.session import FinishedBlock

WORKERS_PER_LOG_LINE: Final = 10


ProgressReporter = Callable[..., None]
"""``show(done, task="", name="")``: a block of a task is finished, of e.g. this release."""


@contextmanager
def show_progress(
    console: Console, title: str, totals: Mapping[str, int | None]
) -> Iterator[ProgressReporter]:
    """Show how far a measurement is: how many visits of a case, of the ``totals`` by task.

    A terminal gets a bar a task; a log one line a task, signal and ten workers.
    """
    if not console.is_terminal:
        console.print(title, highlight=False, markup=False, soft_wrap=True)
        seen: set[tuple[str, str, str, int]] = set()

        def log(done: FinishedBlock, task: str = "", name: str = "") -> None:
            alone = done.cases[0].case.name if len(done.cases) == 1 else ""
            step = (task, name + alone, done.signal, done.index // WORKERS_PER_LOG_LINE)
            if step not in seen:
                seen.add(step)
                text = describe_block(done, name)
                console.print(text, highlight=False, markup=False, soft_wrap=True)

        yield log
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        tasks = {task: bar.add_task(task or title, total=total) for task, total in totals.items()}

        def show(done: FinishedBlock, task: str = "", name: str = "") -> None:
            text = describe_block(done, name)
            bar.update(tasks[task], advance=len(done.cases), description=text)

        yield show


@contextmanager
def show_steps(console: Console, title: str) -> Iterator[Callable[[str], None]]:
    """Show which step something is at that takes a while: ``show(step)``.

    A terminal gets one line with the number of the step and the time; a log a line a step.
    """
    if not console.is_terminal:

        def log(step: str) -> None:
            console.print(f"{title}: {step}", highlight=False, markup=False, soft_wrap=True)

        yield log
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title)
        numbers = itertools.count(1)
        yield lambda step: bar.update(task, description=f"{title}, step {next(numbers)}: {step}")


def describe_block(done: FinishedBlock, name: str = "") -> str:
    """Say in a line what was measured: of what, which signal of which cases, by which worker."""
    cases = (
        done.cases[0].case.name if len(done.cases) == 1 else format_amount(len(done.cases), "case")
    )
    signal = "under load" if done.signal == "scaling" else done.signal
    return f"{name and f'{name}: '}{signal} of {cases}, worker {done.index + 1}"
