"""What cannot be called, or is of another type, is refused when it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from resilience_stack import Policy, ResilienceManager

MISUSES: dict[str, Callable[[ResilienceManager], Any]] = {
    "what guard 'database' is put around is 5": lambda manager: manager.guard("database")(5),  # type: ignore[arg-type]
    "the check of guard 'database' is None": lambda manager: manager.probe("database", None),  # type: ignore[arg-type]
    "settings is 'often'": lambda manager: manager.probe("database", print, "often"),  # type: ignore[arg-type]
    "async_sleep is 1": lambda _: ResilienceManager(CollectorRegistry(), async_sleep=1),  # type: ignore[arg-type]
    "sleep is 1": lambda _: ResilienceManager(CollectorRegistry(), sleep=1),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("message", MISUSES)
def test_it_is_refused_at_once(message: str) -> None:
    """The text has what it is and what is expected."""
    manager = ResilienceManager(CollectorRegistry())
    manager.guard("database", Policy())
    with pytest.raises(TypeError, match=f"^{message}, expected "):
        MISUSES[message](manager)


@pytest.mark.parametrize("mode", [[], {}, None, True, "Open", "closed"])
def test_a_mode_that_there_is_not_is_refused(mode: Any) -> None:
    """With those that there are, also if it is of another type."""
    guard = ResilienceManager(CollectorRegistry()).guard("database")
    with pytest.raises(ValueError, match="expected open, degraded or off"):
        guard.force(mode)
