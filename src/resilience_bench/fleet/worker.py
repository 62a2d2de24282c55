"""The worker of a host: holds its lock, and measures for a scheduler until it is ended."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
from collections.abc import Callable
from typing import Any, Final

import dask
import psutil
from distributed import Worker
from distributed.comm import connect
from distributed.security import Security

from resilience_bench.fleet import desk
from resilience_bench.fleet.errors import FleetError
from resilience_bench.fleet.facts import HostFacts
from resilience_bench.fleet.pool import (
    AGAIN_S,
    CONNECT_S,
    FACTS,
    RESOURCE,
    SCHEDULER_ERRORS,
    explain_no_scheduler,
    silence_logs,
)

QUIET: Final = {
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.terminate": False,
    "distributed.admin.system-monitor.disk": False,
}
"""What Dask does beside measurements is turned off where it can be."""


class HostWorker(Worker):  # type: ignore[misc] # Dask has no types
    """A worker that, without its scheduler, joins again at once: its block goes on meanwhile."""

    async def close(
        self,
        timeout: float = 30,  # noqa: ASYNC109 - Dask's
        executor_wait: bool = False,  # noqa: ARG002, FBT001, FBT002 - Dask's
        nanny: bool = True,  # noqa: FBT001, FBT002 - Dask's
        reason: str = "worker-close",
    ) -> Any:
        """Close the worker, and leave the thread that measures alone."""
        return await super().close(timeout, executor_wait=False, nanny=nanny, reason=reason)


def serve(address: str, facts: HostFacts, note: Callable[[str], None]) -> None:
    """Measure blocks for a scheduler until this process is interrupted.

    FleetError if no scheduler answers at first, or another worker holds the host's lock. A
    scheduler that goes away later is waited for.
    """
    silence_logs()
    with desk.hold_host(facts.host):
        os.environ[desk.HOST_VARIABLE] = facts.host
        os.environ[desk.FOLDER_VARIABLE] = str(desk.get_host_folder(facts.host))
        end_leftovers(os.environ[desk.FOLDER_VARIABLE])
        try:
            asyncio.run(_serve(address, facts, note))
        finally:
            desk.end_children(facts.host)


async def _serve(address: str, facts: HostFacts, note: Callable[[str], None]) -> None:
    try:
        arguments = Security().get_connection_args("worker")  # of Dask's configuration: TLS
        comm = await connect(address, timeout=CONNECT_S, **arguments)
        await comm.close()
    except (*SCHEDULER_ERRORS, ValueError) as error:
        raise FleetError(explain_no_scheduler(address, error)) from error

    async def describe_host(_worker: Any) -> dict[str, Any]:
        return dataclasses.asdict(facts)

    while True:
        with dask.config.set(QUIET), contextlib.suppress(*SCHEDULER_ERRORS, ValueError):
            async with HostWorker(
                address,
                name=f"{facts.host}-{facts.pid}",
                nthreads=1,
                resources={RESOURCE: 1},
                memory_limit=0,
                dashboard=False,
                startup_information={FACTS: describe_host},
            ) as worker:
                note(f"host {facts.host}: measuring for {address}")
                await worker.finished()
        note(f"host {facts.host}: the scheduler has gone; waiting for it")
        await asyncio.sleep(AGAIN_S)


def end_leftovers(folder: str) -> None:
    """End what a worker of this host that was killed has left behind: it would disturb."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if "resilience_bench.worker" not in process.cmdline():
                continue
            if process.environ().get(desk.FOLDER_VARIABLE) == folder:
                process.kill()
