"""Whether a service is ready, from what its guards are like; nothing is called for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from resilience_stack.core.status import GuardStatus

__all__ = ["Health", "HealthStatus", "judge_guard", "judge_health"]

HealthStatus = Literal["pass", "warn", "fail"]
WORST_FIRST: Final[tuple[HealthStatus, ...]] = ("fail", "warn", "pass")


@dataclass(frozen=True, slots=True)
class Health:
    """The health of a service: the worst of its guards, and each guard's.

    Attributes:
        status: ``pass``, ``warn`` (ready, but degraded) or ``fail`` (not ready).
        guards: Each guard with its own status.
    """

    status: HealthStatus
    guards: tuple[tuple[GuardStatus, HealthStatus], ...]

    @property
    def http_status(self) -> int:
        """503 for ``fail``, else 200."""
        return 503 if self.status == "fail" else 200

    def to_json(self) -> dict[str, Any]:
        """Return the members of an ``application/health+json`` document.

        Source: the Internet-Draft "Health Check Response Format for HTTP APIs".
        """
        return {
            "status": self.status,
            "checks": {
                f"{guard.name}:breaker": [_describe(guard, status)] for guard, status in self.guards
            },
        }


def judge_health(guards: Iterable[GuardStatus]) -> Health:
    """Return the health of a service with these guards."""
    judged = tuple((guard, judge_guard(guard)) for guard in guards)
    statuses = {status for _, status in judged}
    worst: HealthStatus = next((one for one in WORST_FIRST if one in statuses), "pass")
    return Health(worst, judged)


def judge_guard(guard: GuardStatus) -> HealthStatus:
    """Return the status of one guard.

    A guard fails only if its dependency is critical, has no fallback, and calls are refused. Once a
    probe is due it warns: a service that gets no requests could never find out that all is well.
    """
    if guard.state == "closed":
        return "pass" if guard.degraded_since_s is None else "warn"
    if guard.has_fallback or not guard.is_critical or guard.is_probe_due:
        return "warn"
    return "fail"


def _describe(guard: GuardStatus, status: HealthStatus) -> dict[str, Any]:
    found: dict[str, Any] = {
        "componentType": "component",
        "status": status,
        "observedValue": guard.state,
        "since": _format_time(guard.since_s),
        "critical": guard.is_critical,
        "fallback": guard.has_fallback,
    }
    if guard.failure_share is not None:
        found["failureShare"] = round(guard.failure_share, 4)
    if guard.last_error:
        found["lastError"] = guard.last_error
    if guard.mode:
        found["forced"] = guard.mode
    if guard.degraded_since_s is not None:
        found["degradedSince"] = _format_time(guard.degraded_since_s)
    return found


def _format_time(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="milliseconds")
