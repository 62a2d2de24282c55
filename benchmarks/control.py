"""The payload called bare: what every other family is measured against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resilience_bench import FAILS, PayloadError, scenario


@scenario(in_profile=["real"])
def call(payload: Callable[[], Any]) -> Callable[[], Any]:
    """The bare call."""
    return payload


@scenario(outcomes=(FAILS,), raises=PayloadError)
def call_raising(payload: Callable[[], Any]) -> Callable[[], Any]:
    """The bare call, which raises and is caught."""
    return payload


@scenario(in_profile=["real"])
async def async_call(payload: Callable[[], Any]) -> Callable[[], Any]:
    """The bare call of a coroutine, awaited."""
    return payload


@scenario(outcomes=(FAILS,), raises=PayloadError)
async def async_call_raising(payload: Callable[[], Any]) -> Callable[[], Any]:
    """The bare call of a coroutine, which raises and is caught."""
    return payload
