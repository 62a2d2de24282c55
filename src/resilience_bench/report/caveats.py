"""What stands around the blocks: where it was measured, what to doubt, what is missing, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from resilience_bench._model import Measurement, Result
from resilience_bench.report.blocks import format_count, get_value
from resilience_bench.report.text import clean_text
from resilience_bench.stats.correctness import describe_defect
from resilience_bench.stats.drift import Drift
from resilience_bench.stats.memory import is_leaking

PLACE_SEPARATOR: Final = " | "
"""Stands between the places at which something hung."""
Key = TypeVar("Key", str, tuple[str, str])


@dataclass(frozen=True, slots=True)
class Note:
    """Something to know about some cases: lines, and the names of the cases."""

    kind: Literal["defect", "doubt", "missing signal", "not measured"]
    lines: tuple[str, ...]
    names: tuple[str, ...]
    status: str = ""

    @property
    def is_doubt(self) -> bool:
        """Whether the figures of these cases are to be doubted."""
        return self.kind in {"defect", "doubt"}


def collect_notes(
    result: Result, measurements: Sequence[Measurement], drifts: Sequence[Drift] = ()
) -> list[Note]:
    """Return what to know about the cases of a result: defects, doubts, then what is missing."""
    return [
        *(
            Note("defect", (text,), tuple(names))
            for text, names in collect_defects(measurements).items()
        ),
        *(
            Note("doubt", (clean_text(warning),), tuple(names))
            for warning, names in collect_warnings(measurements, drifts).items()
        ),
        *(
            Note("missing signal", (f"no {signal}: {reason}",), tuple(names))
            for (signal, reason), names in collect_missing_signals(result).items()
        ),
        *(
            Note(
                "not measured",
                tuple(f"{status}: {reason}".split(PLACE_SEPARATOR)),
                tuple(names),
                status,
            )
            for (status, reason), names in collect_not_measured(result).items()
        ),
    ]


def _group_names(pairs: Iterable[tuple[Key, str]]) -> dict[Key, list[str]]:
    names: dict[Key, list[str]] = defaultdict(list)
    for key, name in pairs:
        names[key].append(clean_text(name))
    return names


def collect_warnings(
    measurements: Sequence[Measurement], drifts: Sequence[Drift] = ()
) -> dict[str, list[str]]:
    """Return the warnings, each with the names of the cases that it holds for."""
    every: list[Measurement | Drift] = [*measurements, *drifts]
    warnings = [(warning, each.case.name) for each in every for warning in each.warnings]
    leaks = [
        (
            f"keeps {format_count(get_value(measured, 'allocated_bytes'))} bytes per call",
            measured.case.name,
        )
        for measured in measurements
        if is_leaking(measured)
    ]
    return _group_names(warnings + leaks)


def collect_defects(measurements: Iterable[Measurement]) -> dict[str, list[str]]:
    """Return what operations did wrong under load, each with the names of the cases."""
    return _group_names(
        (describe_defect(defect), measured.case.name)
        for measured in measurements
        for defect in measured.defects
    )


def collect_not_measured(result: Result) -> dict[tuple[str, str], list[str]]:
    """Return status and reason of what has no numbers, with the names of the cases."""
    return _group_names(
        ((record.status, clean_text(record.reason)), record.case.name)
        for record in result.cases
        if record.status != "measured"
    )


def collect_missing_signals(result: Result) -> dict[tuple[str, str], list[str]]:
    """Return signal and reason of what measured cases lack, with the names of the cases."""
    return _group_names(
        ((clean_text(signal), clean_text(reason)), record.case.name)
        for record in result.cases
        if record.status == "measured"
        for signal, reason in record.missing.items()
    )


def list_unavailable_signals(result: Result) -> list[str]:
    """Return a line for each signal that could not be measured at all, with the reason."""
    return [
        clean_text(f"{signal}: not available: {reason}")
        for signal, reason in result.not_available.items()
    ]


def describe_run(result: Result) -> list[str]:
    """Return where, when and how much was measured, in a few lines."""
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
    """Return the interpreter, and whether a free-threaded one ran with its lock in the workers."""
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
