"""The answers of the health endpoints, for ASGI and WSGI alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from resilience_stack.core.manager import ResilienceManager

__all__ = ["HealthPaths", "answer_health"]

MEDIA_TYPE: Final = "application/health+json"


@dataclass(frozen=True, slots=True)
class HealthPaths:
    """Where liveness and readiness are asked for.

    Raises:
        TypeError: If a path is no text; the message has the field and the value.
        ValueError: If it does not begin with a slash, or both are the same; likewise.
    """

    live: str = "/livez"
    ready: str = "/readyz"

    def __post_init__(self) -> None:
        """Refuse paths that nobody can ask for."""
        for field, path in (("live", self.live), ("ready", self.ready)):
            message = f"HealthPaths.{field} is {path!r}, expected a path, such as '/{field}z'"
            if not isinstance(path, str):
                raise TypeError(message)
            if not path.startswith("/"):
                raise ValueError(message)
        if self.live == self.ready:
            message = f"HealthPaths.ready is {self.ready!r}, expected another path than live"
            raise ValueError(message)


def answer_health(
    manager: ResilienceManager, path: str, paths: HealthPaths
) -> tuple[int, str, dict[str, Any]] | None:
    """Return status, media type and document for a path; None if it is no health endpoint."""
    if path == paths.live:
        return 200, MEDIA_TYPE, {"status": "pass"}
    if path == paths.ready:
        health = manager.health()
        return health.http_status, MEDIA_TYPE, health.to_json()
    return None
