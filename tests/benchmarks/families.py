"""The suite's cases, libraries and guards, as the tests of its families need them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from resilience_bench import PayloadError, Unsupported
from resilience_bench.scenarios.definition import BoundCase
from resilience_bench.scenarios.discovery import Discovery, discover
from resilience_bench.servers.open_servers import ProgramMissingError, Servers
from resilience_bench.worker.operations import (
    NotInstalledError,
    Operation,
    load_library,
    open_operation,
)
from resilience_bench.worker.real_payloads import RealPayloads
from resilience_bench.worker.verification import check

FOLDER = Path(__file__).parents[2] / "benchmarks"

FAMILIES = (
    "breaker",
    "bulkhead",
    "composed",
    "control",
    "correlation",
    "everything",
    "fallback",
    "health",
    "metrics",
    "pipeline",
    "ratelimit",
    "retry",
    "shared",
    "telemetry",
    "timeout",
)

BREAKERS = (
    "pybreaker",
    "circuitbreaker",
    "aiobreaker",
    "purgatory",
    "interlock_cb",
    "pyresilience",
    "resilience_stack",
)

RETRIES = ("tenacity", "stamina", "backoff", "retrying", "pyresilience")


@functools.cache
def discovery() -> Discovery:
    """The cases below benchmarks/."""
    return discover([FOLDER])


@functools.cache
def outcome(name: str) -> str:
    """Empty when the check passes, else the reason why the case is not available."""
    bound = discovery().bound[name]
    with asyncio.Runner() as runner, Servers() as servers:
        try:
            needed = bound.info.servers
            addresses = {server: servers.find_address(server) for server in needed}
            check(RealPayloads(addresses, runner).attach(bound), runner)
        except (Unsupported, NotInstalledError, ProgramMissingError) as error:
            return str(error) or "no reason given"
    return ""


@contextlib.contextmanager
def built(name: str) -> Iterator[Operation]:
    """The operation of a case; skips the test where its library is missing."""
    bound = discovery().bound[name]
    adapter_of(bound)
    with asyncio.Runner() as runner, open_operation(bound, runner) as operation:
        yield operation


def adapter_of(bound: BoundCase) -> Any:
    """The adapter of a case; skips the test where the library is missing."""
    try:
        return load_library(bound)
    except NotInstalledError as error:
        pytest.skip(str(error))


class Dependency:
    """A payload that fails while ``fails`` is set, and counts its calls."""

    def __init__(self, *, fails: bool = True) -> None:
        self.fails = fails
        self.calls = 0

    def payload(self) -> Callable[[], str]:
        """Return a plain function, which every decorator takes."""

        def call() -> str:
            self.calls += 1
            if self.fails:
                raise PayloadError(self.calls)
            return "done"

        return call
