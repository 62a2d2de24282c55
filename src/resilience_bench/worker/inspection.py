"""Whether a case is available, without running it: its operation is built, no server is asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from resilience_bench.scenarios.definition import BoundCase
from resilience_bench.scenarios.loads import NOOP, SINGLE
from resilience_bench.worker.operations import ensure_installed, load_library, open_operation


@contextlib.contextmanager
def look_at(bound: BoundCase, runner: asyncio.Runner) -> Iterator[None]:
    """Build and tear down the operation of a case, around no work.

    One that calls a server is not built, because none is started. NotInstalledError or Unsupported
    if the case is not available.
    """
    for distribution in bound.real_payload.distributions if bound.real_payload else ():
        ensure_installed(distribution)
    if bound.scenario.server:
        load_library(bound)
        yield
        return
    plain = bound.with_load(SINGLE, NOOP) if bound.real_payload else bound
    with open_operation(plain, runner):
        yield
