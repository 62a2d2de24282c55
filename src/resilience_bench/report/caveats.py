"""What stands around the blocks: where it was measured, what to doubt, what is missing, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from resilience_bench._model import CaseRecord, Measurement, Result
from resilience_bench.report.blocks import format_count, get_value, is_leaking
from resilience_bench.report.text import clean_text
from resilience_bench.stats.correctness import describe_defect


def collect_warnings(measurements: Iterable[Measurement]) -> dict[str, list[str]]:
    """The warnings, each with the names of the cases that it holds for."""
    by_warning: dict[str, list[str]] = defaultdict(list)
    for measured in measurements:
        name = clean_text(measured.case.name)
        for warning in measured.warnings:
            by_warning[warning].append(name)
        if is_leaking(measured):
            kept = format_count(get_value(measured, "allocated_bytes"))
            by_warning[f"keeps {kept} bytes per call"].append(name)
    return by_warning


def collect_defects(measurements: Iterable[Measurement]) -> dict[str, list[str]]:
    """What operations did wrong under load, each with the names of the cases."""
    by_mark: dict[str, list[str]] = defaultdict(list)
    for measured in measurements:
        for mark in map(describe_defect, measured.defects):
            by_mark[mark].append(clean_text(measured.case.name))
    return by_mark


def collect_not_measured(result: Result) -> dict[tuple[str, str], list[str]]:
    """Status and reason of what has no numbers, with the names of the cases."""
    by_reason: dict[tuple[str, str], list[str]] = defaultdict(list)
    for record in result.cases:
        if record.status != "measured":
            by_reason[record.status, clean_text(record.reason)].append(clean_text(record.case.name))
    return by_reason


def collect_missing_signals(result: Result) -> dict[tuple[str, str], list[str]]:
    """Signal and reason of what measured cases lack, with the names of the cases."""
    by_reason: dict[tuple[str, str], list[str]] = defaultdict(list)
    for record in result.cases:
        if record.status == "measured":
            for signal, reason in record.missing.items():
                by_reason[clean_text(signal), clean_text(reason)].append(
                    clean_text(record.case.name)
                )
    return by_reason


def list_unavailable_signals(result: Result) -> list[str]:
    """A line for each signal that could not be measured at all, with the reason."""
    return [
        clean_text(f"{signal}: not available: {reason}")
        for signal, reason in result.not_available.items()
    ]


def describe_run(result: Result) -> list[str]:
    """Where, when and how much was measured, in a few lines."""
    environment = result.environment
    workers = {"latency": len(result.seeds), "scaling": len({each.index for each in result.loads})}
    signals = [
        f"{each} over {workers[each]} worker{'s' * (workers[each] != 1)}"
        if each in workers
        else each
        for each in result.signals
    ]
    commit = "no commit"
    if result.commit:
        changed = "" if result.commit.clean else ", with uncommitted changes"
        commit = f"commit {result.commit.revision[:10]}{changed}"
    ending = "" if result.complete else "; THE RUN DID NOT COME TO ITS END"
    lines = [
        f"{describe_python(result)}, {environment.cpu_count} x {environment.cpu_model}",
        f"{result.started}, {commit}",
        f"profile {result.profile}: {', '.join(signals)}{ending}",
    ]
    return [clean_text(line) for line in lines]


def describe_python(result: Result) -> str:
    """The interpreter; of a free-threaded one what became of its lock, as the workers saw it."""
    environment = result.environment
    if not environment.free_threaded:
        return environment.python
    locked = [each.gil_enabled for each in result.workers]
    locked += [each.gil_enabled for each in result.loads]
    if environment.gil_enabled or (locked and all(locked)):
        lock = "BUT WITH THE GIL ON"
    elif any(locked):
        lock = f"BUT WITH THE GIL ON in {sum(locked)} of {len(locked)} workers"
    else:
        lock = "the GIL off"
    return f"{environment.python}, free-threaded, {lock}"


def is_available(record: CaseRecord) -> bool:
    """Whether an inspected case can be measured."""
    return record.status == "measured"
