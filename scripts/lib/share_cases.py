"""Guards around a real call whose share is known: nothing, an empty wait, planted work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resilience_bench import payload, scenario

Work = Callable[[], Any]


@payload
def nothing() -> Work:
    """Work that takes no time: before it the waits are measured on their own."""

    def work() -> None:
        pass

    return work


@scenario
def empty(payload: Work) -> Work:
    """The bare call itself."""
    return payload


@scenario
def touched(payload: Work) -> Work:
    """The bare call; the script plants a wait of no time before it."""
    return payload


@scenario
def planted(payload: Work) -> Work:
    """The bare call; the script plants a wait before it."""
    return payload
