"""The hosts of a job, reached through Dask's scheduler."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import cloudpickle
import msgspec
from distributed import Client, Future
from distributed.client import FutureCancelledError
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from resilience_bench.fleet import desk, remote
from resilience_bench.fleet.block import Block, Reply
from resilience_bench.fleet.errors import FleetError, SchedulerLostError
from resilience_bench.fleet.facts import HostFacts

CONNECT_S: Final = 5.0
ANSWER_S: Final = 10.0
AGAIN_S: Final = 1.0
"""How long to wait before looking for a scheduler again."""
RESOURCE: Final = "measurement"
"""A host has one, and a block needs it."""
FACTS: Final = "resilience_bench"
"""Where the scheduler has what a worker says of its host."""
SCHEDULER_ERRORS: Final = (CommClosedError, OSError, TimeoutError, RuntimeError)
cloudpickle.register_pickle_by_value(remote)


@dataclass(slots=True)
class DaskPool:
    """The hosts of one kind behind a scheduler; see `resilience_bench.fleet.dispatch.Pool`."""

    address: str
    client: Client
    kind: str = ""
    _futures: dict[str, Future] = field(default_factory=dict)
    _places: dict[str, str] = field(default_factory=dict)
    """The address at which each block was last."""
    _gone: list[Reply] = field(default_factory=list)
    """Blocks whose host had gone before it got them."""
    _attempts: int = 0

    def find_all(self) -> dict[str, HostFacts | None]:
        """Return all workers by address, those of other kinds too; None for a foreign worker."""
        with self._watch_scheduler():
            workers = self.client.sync(self.client.scheduler.identity, n_workers=-1)["workers"]
        return {address: read_facts(worker) for address, worker in workers.items()}

    def _find_addresses(self) -> dict[str, str]:
        """Return the address of each host of this kind."""
        found = self.find_all()
        return {
            facts.host: address
            for address, facts in found.items()
            if facts and facts.kind == self.kind
        }

    def find_hosts(self) -> Mapping[str, str]:
        """See `resilience_bench.fleet.dispatch.Pool`."""
        return self._find_addresses()

    def find_held(self, hosts: Collection[str]) -> Mapping[str, Collection[str]]:
        """See `resilience_bench.fleet.dispatch.Pool`."""
        addresses = self._find_addresses()
        asked = [addresses[host] for host in hosts if host in addresses]
        answers = self.ask(desk.list_held, addresses=asked)
        return {host: answers[address] for host, address in addresses.items() if address in answers}

    def ask(self, function: Any, *args: Any, addresses: Sequence[str]) -> dict[str, Any]:
        """Return what a function says on each worker that answers; these keep on measuring."""
        with self._watch_scheduler(), contextlib.suppress(TimeoutError):
            found: dict[str, Any] = self.client.sync(
                self.client._run,  # noqa: SLF001 - `run` has no time limit
                remote.call_by_name,
                *name_function(function),
                *args,
                workers=list(addresses),
                on_error="ignore",
                callback_timeout=ANSWER_S,
            )
            return found
        return {}

    def submit(self, key: str, block: Block, host: str) -> None:
        """See `resilience_bench.fleet.dispatch.Pool`."""
        address = self._find_addresses().get(host)
        if address is None:
            self._gone.append(Reply(key, host, is_lost=True))
            return
        self._attempts += 1
        with self._watch_scheduler():
            self._futures[key] = self.client.submit(
                remote.call_by_name,
                *name_function(desk.measure_block),
                key,
                name_function(block.measure),
                block.content,
                # A key of its own: Dask may still know the attempt before.
                key=f"measure-{key}-{self._attempts}",
                workers=[address],
                resources={RESOURCE: 1},
                allow_other_workers=False,
                retries=0,
            )
            self._places[key] = address

    def cancel(self, key: str) -> None:
        """See `resilience_bench.fleet.dispatch.Pool`."""
        if future := self._futures.pop(key, None):
            with self._watch_scheduler():
                future.cancel()

    def stop(self, key: str) -> None:
        """See `resilience_bench.fleet.dispatch.Pool`."""
        self.cancel(key)
        if (address := self._places.get(key)) in self.find_all():
            self.ask(desk.stop_block, key, addresses=[str(address)])

    def wait(self, timeout_s: float) -> Sequence[Reply]:
        """See `resilience_bench.fleet.dispatch.Pool`."""
        if self._gone:
            gone, self._gone = self._gone, []
            return gone
        with self._watch_scheduler(), contextlib.suppress(TimeoutError):
            self.client.sync(self._wait_for_any, timeout_s)
        done = {key: future for key, future in self._futures.items() if future.done()}
        return [self._read(key, self._futures.pop(key)) for key in done]

    async def _wait_for_any(self, timeout_s: float) -> None:
        waiting = [asyncio.ensure_future(one._state.wait()) for one in self._futures.values()]  # noqa: SLF001
        if not waiting:
            await asyncio.sleep(timeout_s)
            return
        _, rest = await asyncio.wait(
            waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        for one in rest:
            one.cancel()

    def _read(self, key: str, future: Future) -> Reply:
        try:
            return msgspec.convert(future.result(timeout=ANSWER_S), Reply)
        except (KilledWorker, FutureCancelledError, TimeoutError):
            return Reply(key, "", is_lost=True)
        except Exception as error:
            if self.client.status != "running":
                raise SchedulerLostError from error
            return Reply(key, "", failure=f"{type(error).__name__}: {error}".splitlines()[0])

    @contextlib.contextmanager
    def _watch_scheduler(self) -> Iterator[None]:
        """Turn what Dask raises without a scheduler into SchedulerLostError."""
        if self.client.status != "running":
            raise SchedulerLostError
        try:
            yield
        except (KilledWorker, FutureCancelledError, TimeoutError):
            if self.client.status != "running":
                raise SchedulerLostError from None
            raise
        except SCHEDULER_ERRORS:
            raise SchedulerLostError from None
        if self.client.status != "running":
            raise SchedulerLostError

    def reconnect(self) -> bool:
        """See `resilience_bench.fleet.dispatch.Pool`."""
        self._futures.clear()
        self._gone.clear()
        close_client(self.client)
        time.sleep(AGAIN_S)
        try:
            self.client = connect(self.address)
        except FleetError:
            return False
        return True


def name_function(function: Callable[..., Any]) -> tuple[str, str]:
    """Return where a host finds a function."""
    return function.__module__, function.__qualname__


def read_facts(worker: Mapping[str, Any]) -> HostFacts | None:
    """Return what a worker said of its host; None if this tool did not start it."""
    with contextlib.suppress(msgspec.ValidationError):
        return msgspec.convert(worker.get(FACTS), HostFacts)
    return None


def close_client(client: Client) -> None:
    """Close a client, also one whose scheduler has gone."""
    with contextlib.suppress(*SCHEDULER_ERRORS):
        client.close(timeout=CONNECT_S)


def connect(address: str) -> Client:
    """Connect to a scheduler; FleetError if there is none."""
    silence_logs()
    try:
        return Client(address, timeout=CONNECT_S, set_as_default=False, name="resilience-bench")
    except (OSError, ValueError, TypeError) as error:
        raise FleetError(explain_no_scheduler(address, error)) from error


def explain_no_scheduler(address: str, error: BaseException) -> str:
    """Say that no scheduler answers, and how to start one."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return (
        f"{address}: no scheduler answers: {reason}; expected e.g. tcp://10.0.0.5:8786; type "
        "'dask scheduler --port 8786' on one machine"
    )


def silence_logs() -> None:
    """Have Dask log nothing: its tracebacks are no messages for people."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    for name in ["distributed", "tornado", *names]:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
