"""How two runs relate: the hours between them, machine, system, packages, commits, cases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Final

from resilience_bench._model import Result
from resilience_bench.errors import format_names
from resilience_bench.report.text import clean_text

MACHINE: Final = ("cpu_model", "cpu_count", "machine", "os", "kernel")
INTERPRETER: Final = ("python", "python_build", "free_threaded", "gil_enabled")
HOUR_S: Final = 3600
DAY_H: Final = 48
"""From so many hours on, days are counted."""


def describe_circumstances(base: Result, head: Result) -> list[str]:
    """Describe what is the same in two runs and what is not, a line each: time and machine first.

    A results file does not name its machine, so two runs are of the same kind of machine at best.
    """
    return [clean_text(line) for line in _list_circumstances(base, head)]


def _list_circumstances(base: Result, head: Result) -> Iterator[str]:
    yield _describe_time(base, head)
    machine = list(_list_differences(base, head, MACHINE))
    same = "same CPU model, number of CPUs, system and kernel; a results file has no machine's name"
    yield f"machine: {'; '.join(machine) or same}"
    if interpreter := list(_list_differences(base, head, INTERPRETER)):
        yield f"interpreter: {'; '.join(interpreter)}"
    if packages := list(_list_packages(base.environment.packages, head.environment.packages)):
        yield f"packages that differ: {format_names(packages)}"
    if commits := _describe_commits(base, head):
        yield commits
    for name, run in (("BASE", base), ("HEAD", head)):
        if not run.complete:
            yield f"{name} was interrupted, so it has fewer workers than it wanted"
        busy = run.load_average[0] if run.load_average else 0.0
        if busy >= run.environment.cpu_count:
            yield f"{name} was measured on a busy machine: load average {busy:.1f} when it started"
    yield from _list_one_sided(base, head)


def _describe_time(base: Result, head: Result) -> str:
    started = f"BASE started {base.started}, HEAD {head.started}"
    try:
        begun, ended = (
            [dt.datetime.fromisoformat(getattr(run, when)) for run in (base, head)]
            for when in ("started", "ended")
        )
        if max(begun) <= min(ended):
            return f"{started}: they overlap in time"
        apart = _format_duration((max(begun) - min(ended)).total_seconds())
    except (ValueError, TypeError):
        return started  # a file that somebody edited
    return f"{started}: {apart} apart"


def _format_duration(duration_s: float) -> str:
    hours = duration_s / HOUR_S
    if hours < 1:
        return f"{duration_s / 60:.0f} minutes"
    return f"{hours:.1f} hours" if hours < DAY_H else f"{hours / 24:.0f} days"


def _list_differences(base: Result, head: Result, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        was, now = (getattr(run.environment, name) for run in (base, head))
        if was != now:
            yield f"{name}: BASE {was!r}, HEAD {now!r}"


def _list_packages(base: Mapping[str, str], head: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(base.keys() | head.keys()):
        was, now = base.get(name, "none"), head.get(name, "none")
        if was != now:
            yield f"{name} {was} -> {now}"


def _describe_commits(base: Result, head: Result) -> str:
    was, now = (
        f"{run.commit.revision[:12]}{'' if run.commit.clean else ' with changes'}"
        if run.commit
        else "none"
        for run in (base, head)
    )
    return "" if was == now else f"commit: BASE {was}, HEAD {now}"


def _list_one_sided(base: Result, head: Result) -> Iterator[str]:
    for side, own, other in (("BASE", base, head), ("HEAD", head, base)):
        if signals := [signal for signal in own.signals if signal not in other.signals]:
            yield f"measured in {side} only: {', '.join(signals)}"
        others = {record.case.name for record in other.cases}
        names = [record.case.name for record in own.cases if record.case.name not in others]
        if names:
            yield f"only in {side}: {format_names(names)}"
