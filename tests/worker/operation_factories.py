"""Scenarios of one operation each."""

from __future__ import annotations

from typing import Any

from resilience_bench import (
    scenario,
)
from resilience_bench.scenarios.definition import BoundCase, Scenario


def bound(one: Scenario) -> BoundCase:
    """The only case of a scenario."""
    [only] = one.bind("file.py")
    return only


def declared(outcomes: tuple[str, ...], **options: Any) -> Scenario:
    """A scenario that returns its payload."""
    registered: Scenario = scenario(outcomes=outcomes, **options)(lambda payload: payload)
    return registered


def declared_async(outcomes: tuple[str, ...]) -> Scenario:
    """An async scenario that returns its payload."""

    @scenario(outcomes=outcomes)
    async def guarded(payload: Any) -> Any:
        return payload

    registered: Scenario = guarded
    return registered
