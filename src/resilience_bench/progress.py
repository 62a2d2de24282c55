"""How far a run is: a bar with the time left on a terminal, a line per family elsewhere."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from resilience_bench.session import BlockDone, Session


class Progress(Protocol):
    """Is told of every block that is done."""

    def __call__(self, done: BlockDone) -> None:
        """Show that a block is done."""
        ...


@contextmanager
def shown_progress(session: Session, console: Console) -> Iterator[Progress]:
    """Show how far a session is, for as long as the context lasts."""
    if console.is_terminal:
        with _bar(console) as bar:
            yield _OnTerminal(bar, session)
    else:
        yield _InLog(console, session)


def _bar(console: Console) -> Bar:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    return Bar(*columns, console=console, transient=True)


class _OnTerminal:
    def __init__(self, bar: Bar, session: Session) -> None:
        self._bar = bar
        self._workers = session.profile.workers
        total = len(session.cases) * self._workers
        self._task = bar.add_task("measuring", total=total)

    def __call__(self, done: BlockDone) -> None:
        description = f"measuring, worker {done.index + 1} of {self._workers}"
        self._bar.update(self._task, advance=len(done.cases), description=description)


class _InLog:
    def __init__(self, console: Console, session: Session) -> None:
        self._console = console
        self._session = session
        workers = session.profile.workers
        self._left = _count(info.case.family for info in session.cases for _ in range(workers))
        console.print(
            f"measuring {len(session.cases)} cases with {workers} workers each "
            f"({session.profile.name})",
            highlight=False,
        )

    def __call__(self, done: BlockDone) -> None:
        for family, count in _count(info.case.family for info in done.cases).items():
            self._left[family] -= count
            if not self._left[family]:
                self._print_family(family)

    def _print_family(self, family: str) -> None:
        records = [each for each in self._session.records.values() if each.case.family == family]
        statuses = _count(record.status for record in records)
        told = ", ".join(f"{count} {status}" for status, count in statuses.items())
        self._console.print(f"{family}: {told}", highlight=False, markup=False)


def _count(values: Iterable[str]) -> collections.Counter[str]:
    return collections.Counter(values)
