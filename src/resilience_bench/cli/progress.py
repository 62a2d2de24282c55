"""How far a run is: a bar with the time left on a terminal, a line per family elsewhere."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from resilience_bench._model import Signal
from resilience_bench.measure.load_session import LoadSession
from resilience_bench.measure.session import FinishedBlock, Session

WORKERS_PER_LOG_LINE: Final = 10
ReleaseProgressReporter = Callable[[str, FinishedBlock], None]
"""Is told of every block that is done, with the version of its release."""


class ProgressReporter(Protocol):
    """Is told of every block that is done."""

    def __call__(self, done: FinishedBlock) -> None:
        """Show that a block is done."""
        ...


@contextmanager
def show_progress(
    session: Session,
    console: Console,
    signals: Sequence[Signal] = ("latency",),
    loaded: LoadSession | None = None,
) -> Iterator[ProgressReporter]:
    """Show how far a session, and one under load, are, for as long as the context lasts."""
    alone = [each for each in signals if each != "scaling"] if session.cases else []
    if console.is_terminal:
        with _make_bar(console) as bar:
            yield _TerminalReporter(bar, session, alone, loaded)
        return
    if loaded and loaded.cases:
        console.print(
            f"measuring {len(loaded.cases)} cases under load with {loaded.effort.workers} "
            f"workers each ({loaded.profile.name})",
            highlight=False,
            soft_wrap=True,
        )
    yield _LogReporter(console, session, alone)


def _make_bar(console: Console) -> Bar:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    return Bar(*columns, console=console, transient=True)


class _TerminalReporter:
    def __init__(
        self, bar: Bar, session: Session, signals: Sequence[Signal], loaded: LoadSession | None
    ) -> None:
        self._bar = bar
        self._last = session.profile.workers
        self._tasks: dict[Signal, TaskID] = {}
        for signal in signals:
            passes = session.profile.workers if signal == "latency" else 1
            # Both of the others run at once, and tell nothing before a process has ended.
            self._tasks[signal] = bar.add_task(signal, total=len(session.cases) * passes)
        if loaded and loaded.cases:
            total = len(loaded.cases) * loaded.effort.workers
            self._tasks["scaling"] = bar.add_task("under load", total=total)

    def __call__(self, done: FinishedBlock) -> None:
        description: str = done.signal
        if done.signal == "latency":
            description += f", worker {done.index + 1} of {self._last}"
        if done.signal == "scaling" and done.cases:
            description = f"under load: {done.cases[-1].case.name}, worker {done.index + 1}"
        task = self._tasks[done.signal]
        self._bar.update(task, advance=len(done.cases), description=description)


class _LogReporter:
    def __init__(self, console: Console, session: Session, signals: Sequence[Signal]) -> None:
        self._console = console
        self._session = session
        workers = session.profile.workers
        self._workers_under_load: set[int] = set()
        self._left = _count(info.case.family for info in session.cases for _ in range(workers))
        with_workers = f" with {workers} workers each" if "latency" in signals else ""
        if not signals:
            return
        console.print(
            f"measuring {', '.join(signals)} of {len(session.cases)} cases{with_workers} "
            f"({session.profile.name})",
            highlight=False,
            soft_wrap=True,
        )

    def __call__(self, done: FinishedBlock) -> None:
        if done.signal == "scaling":
            if done.index not in self._workers_under_load:
                self._workers_under_load.add(done.index)
                self._console.print(f"under load: worker {done.index + 1}", highlight=False)
            return
        if done.signal != "latency":
            text = f"{done.signal}: {len(done.cases)} cases done"
            self._console.print(text, highlight=False)
            return
        for family, count in _count(info.case.family for info in done.cases).items():
            self._left[family] -= count
            if not self._left[family]:
                self._print_family(family)

    def _print_family(self, family: str) -> None:
        # What is measured under load comes later.
        records = [
            each
            for each in self._session.records.values()
            if each.case.family == family and not each.case.is_loaded
        ]
        statuses = _count(record.status for record in records)
        told = ", ".join(f"{count} {status}" for status, count in statuses.items())
        self._console.print(f"{family}: {told}", highlight=False, markup=False)


@contextmanager
def show_variants_progress(
    totals: Mapping[str, int], console: Console
) -> Iterator[Callable[[str, FinishedBlock], None]]:
    """Show how far several arms are that take turns.

    Args:
        totals: By the name of the arm, how many visits of a case there will be.
        console: Where.
    """
    if not console.is_terminal:
        seen: set[tuple[str, str, int]] = set()

        def tell(name: str, done: FinishedBlock) -> None:
            step = (name, done.signal, done.index // WORKERS_PER_LOG_LINE)
            if step not in seen:
                seen.add(step)
                text = f"{name}, {done.signal}: from worker {done.index + 1} on"
                console.print(text, highlight=False, soft_wrap=True)

        yield tell
        return
    with _make_bar(console) as bar:
        tasks = {name: bar.add_task(name, total=total) for name, total in totals.items()}

        def show(name: str, done: FinishedBlock) -> None:
            text = f"{name}, {done.signal}, worker {done.index + 1}"
            bar.update(tasks[name], advance=len(done.cases), description=text)

        yield show


def _count(values: Iterable[str]) -> collections.Counter[str]:
    return collections.Counter(values)


@contextmanager
def show_gate_progress(console: Console, cases: int) -> Iterator[ProgressReporter]:
    """Show how far a gate is, which does not know beforehand how much it has to measure."""
    if not console.is_terminal:
        seen: set[tuple[str, int]] = set()

        def tell(done: FinishedBlock) -> None:
            # One line a signal and ten workers is enough for a log.
            step = (done.signal, done.index // WORKERS_PER_LOG_LINE)
            if step not in seen:
                seen.add(step)
                text = f"{done.signal}: {len(done.cases)} cases, from worker {done.index + 1} on"
                console.print(text, highlight=False)

        yield tell
        return
    with Bar(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task(f"measuring {cases} cases", total=None)

        def show(done: FinishedBlock) -> None:
            text = f"{done.signal} of {len(done.cases)} cases, worker {done.index + 1}"
            bar.update(task, description=text)

        yield show


@contextmanager
def show_releases_progress(
    console: Console, cases: int, releases: int
) -> Iterator[ReleaseProgressReporter]:
    """Show how far the measuring of releases is: which one, and which of its workers."""
    console.print(f"measuring {cases} cases of {releases} releases", highlight=False)
    if not console.is_terminal:
        seen: set[tuple[str, int]] = set()

        def tell(version: str, done: FinishedBlock) -> None:
            step = (done.signal, done.index // WORKERS_PER_LOG_LINE)
            if step not in seen:
                seen.add(step)
                text = f"{done.signal}: from worker {done.index + 1} on, first of {version}"
                console.print(text, highlight=False)

        yield tell
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def show(version: str, done: FinishedBlock) -> None:
            text = f"{version}: {done.signal} of {len(done.cases)} cases, worker {done.index + 1}"
            bar.update(task, description=text)

        yield show
