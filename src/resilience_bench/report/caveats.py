"""What stands around the blocks: where it was measured, what to doubt, what is missing, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from resilience_bench._model import Measurement, Result
from resilience_bench.quantities import LOAD_SIGNALS
from resilience_bench.report.blocks import format_count, get_value
from resilience_bench.report.text import clean_text
from resilience_bench.stats.correctness import describe_defect
from resilience_bench.stats.drift import Drift
from resilience_bench.stats.latency import is_leaking

PLACE_SEPARATOR: Final = " | "
"""Stands between the places at which something hung."""
NoteKind = Literal["defect", "doubt", "missing signal", "not measured"]


@dataclass(frozen=True, slots=True)
class Note:
    """Something to know about some cases.

    ``subject`` is the signal that is missing, or the status of what was not measured.
    """

    kind: NoteKind
    subject: str
    reason: str
    names: tuple[str, ...]

    @property
    def is_doubt(self) -> bool:
        """Whether the figures of these cases are to be doubted."""
        return self.kind in {"defect", "doubt"}

    @property
    def lines(self) -> list[str]:
        """Subject and reason in words; what hung has a line for each place."""
        subject = f"no {self.subject}" if self.kind == "missing signal" else self.subject
        return (f"{subject}: {self.reason}" if subject else self.reason).split(PLACE_SEPARATOR)


def collect_notes(
    result: Result, measurements: Sequence[Measurement], drifts: Sequence[Drift] = ()
) -> list[Note]:
    """Return what to know about the cases of a result: defects, doubts, then what is missing."""
    names: dict[tuple[NoteKind, str, str], list[str]] = defaultdict(list)
    for kind, subject, reason, name in (*_find_doubts(measurements, drifts), *_find_gaps(result)):
        names[kind, clean_text(subject), clean_text(reason)].append(clean_text(name))
    notes = [Note(*key, tuple(members)) for key, members in names.items()]
    return sorted(notes, key=lambda note: get_args(NoteKind).index(note.kind))


def _find_doubts(
    measurements: Sequence[Measurement], drifts: Sequence[Drift]
) -> Iterator[tuple[NoteKind, str, str, str]]:
    for measured in measurements:
        for defect in measured.defects:
            yield "defect", "", describe_defect(defect), measured.case.name
        if is_leaking(measured):
            kept = format_count(get_value(measured, "allocated_bytes"))
            yield "doubt", "", f"keeps {kept} bytes per call", measured.case.name
    every: list[Measurement | Drift] = [*measurements, *drifts]
    for doubted in every:
        for warning in doubted.warnings:
            yield "doubt", "", warning, doubted.case.name


def _find_gaps(result: Result) -> Iterator[tuple[NoteKind, str, str, str]]:
    for record in result.cases:
        if record.status != "measured":
            yield "not measured", record.status, record.reason, record.case.name
        else:
            for signal, reason in record.missing.items():
                yield "missing signal", signal, reason, record.case.name


def list_unavailable_signals(result: Result) -> list[str]:
    """Return a line for each signal that could not be measured at all, with the reason."""
    return [
        clean_text(f"{signal}: not available: {reason}")
        for signal, reason in result.not_available.items()
    ]


def describe_run(result: Result) -> list[str]:
    """Return where, when and how much was measured, in a few lines."""
    environment = result.environment
    under_load = len({load.index for load in result.loads})
    workers = {"latency": len(result.seeds), **dict.fromkeys(LOAD_SIGNALS, under_load)}
    signals = [
        f"{signal} over {workers[signal]} worker{'s' * (workers[signal] != 1)}"
        if signal in workers
        else signal
        for signal in result.signals
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
    locked = [record.gil_enabled for record in result.workers]
    locked += [record.gil_enabled for record in result.loads]
    if environment.gil_enabled or (locked and all(locked)):
        lock = "BUT WITH THE GIL ON"
    elif any(locked):
        lock = f"BUT WITH THE GIL ON in {sum(locked)} of {len(locked)} workers"
    else:
        lock = "the GIL off"
    return f"{environment.python}, free-threaded, {lock}"
