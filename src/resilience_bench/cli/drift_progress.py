"""How far long runs are: which case is being kept going, and for how much longer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from resilience_bench.cli.progress import ProgressReporter as Show
from resilience_bench.measure.drift_session import DriftSession
from resilience_bench.measure.session import FinishedBlock


@contextmanager
def show_drift_progress(session: DriftSession, console: Console) -> Iterator[Show]:
    """Show which case is being kept going, for as long as the context lasts."""
    names = [info.case.name for info in session.cases]
    if console.is_terminal:
        with _make_bar(console) as bar:
            task = bar.add_task(_describe_current_case(names, 0, session.drift_s), total=len(names))
            places = iter(range(1, len(names) + 1))

            def move_on(done: FinishedBlock) -> None:
                coming = _describe_current_case(names, next(places), session.drift_s)
                bar.update(task, advance=len(done.cases), description=coming)

            yield move_on
        return
    cases = f"{len(names)} case{'s' * (len(names) != 1)}"
    each = " each" * (len(names) != 1)
    console.print(
        f"keeping {cases} going for {session.drift_s:g} s{each}", highlight=False, soft_wrap=True
    )

    def tell(done: FinishedBlock) -> None:
        for info in done.cases:
            text = f"{info.case.name}: {session.records[info.case.name].status}"
            console.print(text, highlight=False, markup=False, soft_wrap=True)

    yield tell


def _make_bar(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )


def _describe_current_case(names: list[str], place: int, seconds: float) -> str:
    return f"{names[place]}, {seconds:g} s" if place < len(names) else "done"
