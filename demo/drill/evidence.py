"""What a drill has found: by the load, by Prometheus, by the service's log and spans."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from demo.drill.phases import Alert, Phase
from demo.load import Outcome


@dataclass(frozen=True, slots=True)
class PhaseTimes:
    """A phase that has passed, in seconds since 1970."""

    phase: Phase
    began_s: float
    ended_s: float


@dataclass(frozen=True, slots=True)
class Firing:
    """One time that an alert fired, by the clock of Prometheus.

    Attributes:
        alert: Its name and its guard.
        pending_s: When its condition was first seen.
        firing_s: When it fired first, and ``resolved_s`` when it was last seen to fire.
    """

    alert: Alert
    pending_s: float
    firing_s: float
    resolved_s: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a drill has found.

    Attributes:
        phases: In their order.
        outcomes: The outcome of each request.
        unsent: How many were due while too many were in flight.
        counted: What Prometheus has counted in the end, by the name of the metric with its labels.
        scrapes_s: When Prometheus scraped the service.
        firings: All of the drill.
        still_firing: The alerts that were still there in the end.
        waits_s: The ``for`` of each alert, as this Prometheus has it.
        logged: How often each request ID is in a log line of a request.
        spans: How often each request ID is in a span of a request; "" stands for none.
    """

    phases: tuple[PhaseTimes, ...]
    outcomes: tuple[Outcome, ...]
    unsent: int
    counted: dict[str, float]
    scrapes_s: tuple[float, ...]
    firings: tuple[Firing, ...]
    still_firing: tuple[Alert, ...]
    waits_s: dict[str, float]
    logged: Counter[str]
    spans: Counter[str]
