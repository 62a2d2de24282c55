"""How long the parts of a comparison took, from the times in its records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from resilience_bench import _model
from resilience_bench.measure.recording import Recording

MINUTE_S: Final = 60
PARTS: Final[Mapping[str, type[Any]]] = {
    "instructions": _model.InstructionRecord,
    "allocations": _model.AllocationRecord,
    "latency": _model.WorkerRecord,
    "under load": _model.LoadRecord,
}
"""The parts of a measurement, and whose records have their times."""


def describe_times(recordings: Sequence[Recording], environments_s: float, whole_s: float) -> str:
    """Say in a line how long a comparison took, and its environments and signals of it.

    Parts of which nothing was recorded are left out; what a worker needs for its start is in the
    whole alone.
    """
    parts = {"environments": environments_s} if environments_s else {}
    for name, kind in PARTS.items():
        records = [record for recording in recordings for record in recording.select(kind)]
        if records:
            parts[name] = sum_durations((record.started, record.ended) for record in records)
    said = ", ".join(f"{name} {format_duration(took_s)}" for name, took_s in parts.items())
    return f"took {format_duration(whole_s)}" + (f": {said}" if said else "")


def sum_durations(times: Iterable[tuple[str, str]]) -> float:
    """Return the seconds between pairs of times in ISO 8601, all together."""
    return sum(
        (dt.datetime.fromisoformat(ended) - dt.datetime.fromisoformat(started)).total_seconds()
        for started, ended in times
    )


def format_duration(duration_s: float) -> str:
    """Return a duration in minutes and seconds."""
    minutes, seconds = divmod(round(duration_s), MINUTE_S)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
