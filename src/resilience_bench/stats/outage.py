"""What an outage was like for requests and for the process: figures by phase, and recovery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from resilience_bench._model import Result
from resilience_bench._outages import ANSWERS, Outage, OutageRecord, PhaseCounts
from resilience_bench.stats.load import FEWEST_CALLS_BEYOND

PERCENTILES: Final = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
ANSWERED: Final = ("live", "stale", "default")
"""How a request is answered well: with the right value, or with the declared default."""
SLICE_S: Final = 0.25
ALL_PHASES: Final = "all phases"
LIVE: Final = "L"


@dataclass(frozen=True, slots=True)
class PhaseFigures:
    """A phase of an outage in figures, for each request that arrived in it.

    ``percentiles_us`` has those of `PERCENTILES` that enough requests are beyond, and ``max``;
    ``answers`` counts requests by `ANSWERS`. ``cpu_us`` is the processor time of the process for a
    request, less that of a bare one; it may be below 0, as a refusal may cost less than a bare
    call.
    """

    name: str
    requests: int
    percentiles_us: Mapping[str, float]
    answers: Mapping[str, int]
    cpu_us: float
    reached: int
    log_bytes: float
    threads: int
    resident_bytes: int

    @property
    def answered(self) -> float:
        """The share of requests that were answered well; 0 without requests."""
        well = sum(self.answers[kind] for kind in ANSWERED)
        return well / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class OutageFigures:
    """The outage of one case in figures: its phases, the last one of all of them together.

    ``opened_s`` is how long after the beginning of the second phase a request was first answered
    without a call, None if none was. ``recovered_s`` is how long after the beginning of the last
    phase the last request arrived that was not answered live, 0 if all were, None if the last
    request of all was not.
    """

    case: str
    phases: tuple[PhaseFigures, ...]
    bare_cpu_us: float
    opened_s: float | None
    recovered_s: float | None


def estimate_outages(result: Result) -> list[OutageFigures]:
    """Return the figures of the outages of a result, in the order of the file."""
    return [_estimate(record) for record in result.outages]


def _estimate(record: OutageRecord) -> OutageFigures:
    outage = record.outage
    bare_cpu_us = outage.bare_cpu_us / outage.bare_requests if outage.bare_requests else 0.0
    phases = outage.phases
    together = PhaseCounts(
        ALL_PHASES,
        "",
        phases[0].starts_us,
        phases[-1].ends_us,
        sum(phase.cpu_us for phase in phases),
        sum(phase.reached for phase in phases),
        sum(phase.log_bytes for phase in phases),
        max(phase.threads for phase in phases),
        max(phase.resident_bytes for phase in phases),
    )
    opened_us = outage.opened_us
    first_us = phases[min(1, len(phases) - 1)].starts_us
    return OutageFigures(
        record.case,
        tuple(_describe_phase(outage, phase, bare_cpu_us) for phase in (*phases, together)),
        bare_cpu_us,
        None if opened_us is None else (opened_us - first_us) / 1e6,
        _find_recovery_s(outage),
    )


def _describe_phase(outage: Outage, phase: PhaseCounts, bare_cpu_us: float) -> PhaseFigures:
    first, last = np.searchsorted(outage.arrivals_us, (phase.starts_us, phase.ends_us)).tolist()
    letters = Counter(outage.answers[first:last])
    count = last - first
    return PhaseFigures(
        phase.name,
        count,
        estimate_percentiles_us(outage.latencies_us[first:last]),
        {word: letters[letter] for letter, word in ANSWERS.items()},
        (phase.cpu_us / count if count else 0.0) - bare_cpu_us,
        phase.reached,
        phase.log_bytes / count if count else 0.0,
        phase.threads,
        phase.resident_bytes,
    )


def estimate_percentiles_us(latencies_us: Sequence[int]) -> dict[str, float]:
    """Return the percentiles that at least `FEWEST_CALLS_BEYOND` requests are beyond, and the max.

    Args:
        latencies_us: Of each request, in microseconds.
    """
    count = len(latencies_us)
    known = {
        name: quantile
        for name, quantile in PERCENTILES.items()
        # Rounded, because 1 - 0.9 is a little less than 0.1.
        if round(count * (1 - quantile), 6) >= FEWEST_CALLS_BEYOND
    }
    if not count:
        return {}
    values = np.quantile(latencies_us, list(known.values())).tolist() if known else []
    return {**dict(zip(known, values, strict=True)), "max": float(max(latencies_us))}


def _find_recovery_s(outage: Outage) -> float | None:
    back_us = outage.phases[-1].starts_us
    last = max((i for i, letter in enumerate(outage.answers) if letter != LIVE), default=-1)
    if last == len(outage.answers) - 1:
        return None
    return max(outage.arrivals_us[last] - back_us, 0) / 1e6 if last >= 0 else 0.0


@dataclass(frozen=True, slots=True)
class Slices:
    """An outage in slices of the same length, those without requests left out.

    Attributes:
        middles_s: The middles of the slices, from the start of the outage.
        p50_ms: The median latency of the requests that arrived in each slice.
        max_ms: The longest latency of these.
        shares: By `ANSWERS`: which share of these were answered so.
    """

    middles_s: tuple[float, ...]
    p50_ms: tuple[float, ...]
    max_ms: tuple[float, ...]
    shares: Mapping[str, tuple[float, ...]]


def divide_into_slices(outage: Outage, length_s: float = SLICE_S) -> Slices:
    """Return what the requests of each slice of an outage met.

    Args:
        outage: The outage.
        length_s: The length of a slice.
    """
    places = np.floor_divide(outage.arrivals_us, round(length_s * 1e6))
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    parts = list(zip(starts.tolist(), [*starts[1:].tolist(), len(places)], strict=True))
    counts = [Counter(outage.answers[first:last]) for first, last in parts]
    return Slices(
        tuple(((places[starts] + 0.5) * length_s).tolist()),
        tuple(float(np.median(outage.latencies_us[first:last])) / 1e3 for first, last in parts),
        tuple(max(outage.latencies_us[first:last]) / 1e3 for first, last in parts),
        {
            word: tuple(count[letter] / count.total() for count in counts)
            for letter, word in ANSWERS.items()
        },
    )
