"""Has a fleet measure blocks until each has one good result; Dask decides which host takes one.

A block is measured again on another host if its host was lost, takes far too long, is slower than
others of its kind, or differs from itself.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from resilience_bench.errors import format_names
from resilience_bench.files.checked_json import format_path
from resilience_bench.fleet.block import Block, Reply
from resilience_bench.fleet.errors import FleetError, SchedulerLostError
from resilience_bench.fleet.journal import Journal

POLL_S: Final = 1.0
PATIENCE_S: Final = 600.0
"""How long a fleet may be without a host, or without its scheduler."""
RETURN_S: Final = 60.0
"""How long a block waits for its lost host, which may hold its result, before others get it."""
SLOW: Final = 1.5
"""Maximum time of the reference on a host, relative to the fastest host of its kind."""
STALLED: Final = 4.0
"""Maximum time of a block, relative to others of its weight, before it counts as stalled."""
STALL_FLOOR_S: Final = 60.0
"""A block that has run for less does not stall: environments are made first, once a host."""
MOST_FAILURES: Final = 2
"""A block that failed so often, or on all hosts, fails."""


class Pool(Protocol):
    """The hosts of a job, which are of one kind."""

    def find_hosts(self) -> Mapping[str, str]:
        """Return the address of the worker of each host that is there; SchedulerLostError."""

    def find_held(self, hosts: Collection[str]) -> Mapping[str, Collection[str]]:
        """Return the keys that each of these hosts has measured or is measuring, if it answers."""

    def submit(self, key: str, block: Block, host: str) -> None:
        """Have a host measure a block, and no other; SchedulerLostError."""

    def cancel(self, key: str) -> None:
        """Wait no longer for a block; its host goes on with it."""

    def stop(self, key: str) -> None:
        """Wait no longer for a block, and have its host end it."""

    def wait(self, timeout_s: float) -> Sequence[Reply]:
        """Return the replies that came in this time, at least one; or none; SchedulerLostError."""

    def reconnect(self) -> bool:
        """Try to reach the scheduler again, for a few seconds; return whether that worked."""


@dataclass(slots=True)
class _Open:
    """A block that a host has, or had when it was lost, and the time since.

    ``is_held`` if the host had it before it was asked for it.
    """

    host: str
    since: float
    is_held: bool = False


@dataclass(slots=True)
class Dispatcher:
    """Hands out blocks and judges replies; ``show`` gets each reply that is kept, ``note`` events.

    A host gets one block at a time, the longest first, so that a host that joins later gets its
    share. One that joins, or comes back, is first asked for the blocks that it holds.
    """

    blocks: Sequence[Block]
    pool: Pool
    journal: Journal
    show: Callable[[Block, Reply], None] = lambda _block, _reply: None
    note: Callable[[str], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic
    _by_key: dict[str, Block] = field(init=False)
    _due: list[str] = field(init=False)
    _flying: dict[str, _Open] = field(default_factory=dict)
    _awaited: dict[str, _Open] = field(default_factory=dict)
    """The blocks of lost hosts, which may come back with them."""
    _tried: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _failed: dict[str, list[Reply]] = field(default_factory=dict)
    _workers: Mapping[str, str] = field(default_factory=dict)
    _unasked: dict[str, float] = field(default_factory=dict)
    """The hosts that have not yet said what they hold, and since when."""
    _alone_since: float | None = None

    def __post_init__(self) -> None:
        """Find out what is left to do, the longest first."""
        self._by_key = {block.key(self.journal.job): block for block in self.blocks}
        missing = [key for key in self._by_key if key not in self.journal.replies]
        self._due = sorted(missing, key=lambda key: -self._by_key[key].weight)

    def run(self) -> list[Reply]:
        """Return one reply for each block, in their order; FleetError if that is not possible."""
        while self._due or self._flying or self._awaited:
            try:
                self._look_at_hosts()
                self._take_held()
                self._hand_out()
                for reply in self.pool.wait(POLL_S):
                    self._take(reply)
                self._look_for_stalled()
            except SchedulerLostError:
                self._wait_for_scheduler()
        return [self.journal.replies[key] for key in self._by_key]

    @property
    def _hosts(self) -> frozenset[str]:
        """The hosts that were there when they were last looked at."""
        return frozenset(self._workers)

    @property
    def _idle(self) -> frozenset[str]:
        """The hosts that have no block, as they say."""
        return self._hosts - {one.host for one in self._flying.values()} - self._unasked.keys()

    def _look_at_hosts(self) -> None:
        workers, before = self.pool.find_hosts(), self._workers
        # A worker that was started again has another address, and no block that the first one had.
        lost = {host for host in before if workers.get(host) != before[host]}
        joined = {host for host in workers if workers[host] != before.get(host)}
        self._workers = workers
        self._unasked = {host: since for host, since in self._unasked.items() if host in workers}
        self._unasked |= dict.fromkeys(joined, self.clock())
        if lost:
            self.note(
                f"lost: host {format_names(sorted(lost))}; if it is not back in {RETURN_S:.0f} s, "
                "its block is measured elsewhere"
            )
        if before and joined:
            self.note(f"joined: host {format_names(sorted(joined))}")
        for key, one in list(self._flying.items()):
            if one.host in lost:
                self.pool.cancel(key)
                self._await(key)
        self._ensure_patience()

    def _await(self, key: str) -> None:
        """Wait for a block's host, which may hold its result."""
        self._awaited[key] = _Open(self._flying.pop(key).host, self.clock())

    def _take_held(self) -> None:
        """Ask hosts that joined for what they measured, or go on measuring, before they joined.

        That is so if a host was lost in between, or the scheduler, or the command was typed again.
        """
        held = self.pool.find_held(self._unasked.keys()) if self._unasked else {}
        for host, keys in held.items():
            del self._unasked[host]
            for key in keys:
                self._fetch(key, host)
        until = self.clock() - RETURN_S
        for key, one in list(self._awaited.items()):
            if one.host in held or one.since < until:
                del self._awaited[key]
                self._due.insert(0, key)
        self._unasked = {host: since for host, since in self._unasked.items() if since >= until}

    def _fetch(self, key: str, host: str) -> None:
        """Take a block from a host that holds it, unless that host was not good enough for it."""
        if key not in self._by_key or host in self._tried.get(key, ()):
            return
        if key in self._flying:
            other = self._flying[key]
            if other.is_held or other.host == host:
                return
            name = self._by_key[key].name
            self.note(f"{name}: host {host} came back with it; host {other.host} need not go on")
            self.pool.stop(key)
            del self._flying[key]
        elif key in self._awaited:
            del self._awaited[key]
        elif key in self._due:
            self._due.remove(key)
        else:
            return
        self._submit(key, host, is_held=True)

    def _ensure_patience(self) -> None:
        if self._hosts:
            self._alone_since = None
            return
        if self._alone_since is None:
            self._alone_since = self.clock()
            self.note("no host is left; waiting for one to come back")
        if self.clock() - self._alone_since > PATIENCE_S:
            raise FleetError(
                f"no host of the fleet came back in {PATIENCE_S:.0f} s; {self._explain_resuming()}"
            )

    def _explain_resuming(self) -> str:
        return (
            f"what was measured is in {format_path(self.journal.path)}; start workers, and type "
            "the same command again to go on"
        )

    def _hand_out(self) -> None:
        for key in list(self._due):
            # Where all have tried it, all may do so again.
            fitting = self._hosts - set(self._tried.get(key, ())) or self._hosts
            if idle := fitting & self._idle:
                self._due.remove(key)
                self._submit(key, min(idle))

    def _submit(self, key: str, host: str, *, is_held: bool = False) -> None:
        self._flying[key] = _Open(host, self.clock(), is_held)
        self.pool.submit(key, self._by_key[key], host)

    def _take(self, reply: Reply) -> None:
        """Keep a reply, or have the block measured again."""
        key = reply.key
        if key not in self._flying:
            return
        if reply.is_lost:
            if (host := self._flying[key].host) in self._workers:
                self._unasked.setdefault(host, self.clock())
            self._await(key)
            return
        host = self._flying.pop(key).host
        for one in self._flying.values():
            if one.host == host:  # it has waited behind this one
                one.since = self.clock()
        if reply.failure:
            self._take_failure(dataclasses.replace(reply, host=host))
            return
        reply = dataclasses.replace(reply, tried=self._tried.get(key, ()))
        self.journal.add(reply)
        self.show(self._by_key[key], reply)
        open_keys = {*self._due, *self._flying, *self._awaited}
        for kept in list(self.journal.replies.values()):
            if kept.key in self._by_key and kept.key not in open_keys:
                self._examine(kept, is_new=kept.key == key)

    def _take_failure(self, reply: Reply) -> None:
        failures = self._failed.setdefault(reply.key, [])
        failures.append(reply)
        self._tried[reply.key] = (*self._tried.get(reply.key, ()), reply.host)
        block = self._by_key[reply.key]
        tried = {failure.host for failure in failures}
        if len(failures) >= MOST_FAILURES or not self._hosts - tried:
            raise FleetError(
                f"{block.name}: failed on host {', '.join(sorted(tried))}: {reply.failure}; mend "
                f"that; {self._explain_resuming()}"
            )
        self.note(f"{block.name}: failed on host {reply.host}: {reply.failure}; measured elsewhere")
        self._due.insert(0, reply.key)

    def _examine(self, reply: Reply, *, is_new: bool) -> None:
        """Have a block measured again elsewhere if its host was slow or noisy."""
        doubt = self._doubt(reply)
        if not doubt:
            return
        block, tried = self._by_key[reply.key], (*reply.tried, reply.host)
        if self._hosts - set(tried):
            self._tried[reply.key] = tried
            self._due.append(reply.key)
            self.note(f"{block.name}: host {reply.host} {doubt}; measured again elsewhere")
        elif is_new:
            self.note(f"{block.name}: host {reply.host} {doubt}; kept: no other host is left")

    def _doubt(self, reply: Reply) -> str:
        """Say what is wrong with the host of a reply; empty if nothing is."""
        if reply.noise:
            return f"is noisy: {reply.noise}"
        paces = [
            other.reference_ns
            for other in self.journal.replies.values()
            if other.reference_ns and other.host != reply.host
        ]
        fastest = min(paces, default=0.0)
        if fastest and reply.reference_ns > SLOW * fastest:
            times = reply.reference_ns / fastest
            return f"is slow: the reference takes {times:.1f} times as long as on the fastest host"
        return ""

    def _look_for_stalled(self) -> None:
        """Take a block from a host where it takes far too long, if another host has time."""
        paces = [
            reply.seconds / self._by_key[reply.key].weight
            for reply in self.journal.replies.values()
            if reply.key in self._by_key
        ]
        if not paces or self._due:
            return
        pace = statistics.median(paces)
        now = self.clock()
        for key, one in list(self._flying.items()):
            limit_s = max(STALL_FLOOR_S, STALLED * pace * self._by_key[key].weight)
            if now - one.since <= limit_s or not self._idle:
                continue
            self.note(
                f"{self._by_key[key].name}: host {one.host} has taken over {limit_s:.0f} s, "
                f"{STALLED:g} times as long as others; measured elsewhere"
            )
            self._tried[key] = (*self._tried.get(key, ()), one.host)
            self.pool.stop(key)
            del self._flying[key]
            self._due.insert(0, key)

    def _wait_for_scheduler(self) -> None:
        self.note("the scheduler has gone; waiting for it to come back: hosts keep what they have")
        start = self.clock()
        while not self.pool.reconnect():
            if self.clock() - start > PATIENCE_S:
                raise FleetError(
                    f"the scheduler did not come back in {PATIENCE_S:.0f} s; "
                    f"{self._explain_resuming()}"
                )
        for key in list(self._flying):
            self._await(key)
        # All hosts join anew, and say what they hold.
        self._workers, self._unasked = {}, {}
        self.note("the scheduler is back")
