"""The phases of the drill, and the alerts that belong to each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

Alert = tuple[str, str]
"""The name of an alert, and the guard that it is about."""
HEALTHY_S: Final = 10.0
OUTAGE_S: Final = 8.0
BACK_S: Final = 6.0


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the drill.

    Attributes:
        name: What has happened to the dependency.
        dependency: Which one; empty for none.
        way: How it is broken, or ``heal``.
        alerts: Those that have to fire before the phase ends. Without any, the phase ends when
            no alert is left.
        least_s: It lasts so long at least.
    """

    name: str
    least_s: float
    dependency: str = ""
    way: str = ""
    alerts: tuple[Alert, ...] = ()


CACHE_AWAY: Final = (
    ("ResilienceBreakerOpen", "cache"),
    ("ResilienceHighFailureShare", "cache"),
)
DATABASE_FROZEN: Final = (
    ("ResilienceBreakerOpen", "database"),
    ("ResilienceBreakerStuckOpen", "database"),
    ("ResilienceHighFailureShare", "database"),
    ("ResilienceStaleAnswers", "database"),
    ("ResilienceDegraded", "database"),
)
PHASES: Final = (
    Phase("healthy", HEALTHY_S),
    Phase("Redis killed", OUTAGE_S, "cache", "kill", CACHE_AWAY),
    Phase("Redis back", BACK_S, "cache", "heal"),
    Phase("PostgreSQL frozen", OUTAGE_S, "database", "freeze", DATABASE_FROZEN),
    Phase("PostgreSQL back", BACK_S, "database", "heal"),
)
"""An open breaker lets one call through a second, which fails: so the share of failures is high as
well. The database has a fallback, so its outage makes answers stale and the guard degraded."""
