"""The payload called bare: what every other family is measured against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resilience_bench import FAILS, PayloadError
from resilience_bench.scenarios import definition


@definition
def call(payload: Callable[[], Any]) -> Callable[[], Any]:
    """The bare call."""
    return payload


@definition(outcomes=(FAILS,), raises=PayloadError)
def call_raising(payload: Callable[[], Any]) -> Callable[[], Any]:
    """The bare call, which raises and is caught."""
    return payload


@definition
async def async_call(payload: Callable[[], Any]) -> Callable[[], Any]:
    """The bare call of a coroutine, awaited."""
    return payload


@definition(outcomes=(FAILS,), raises=PayloadError)
async def async_call_raising(payload: Callable[[], Any]) -> Callable[[], Any]:
    """The bare call of a coroutine, which raises and is caught."""
    return payload
