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
REJOIN_S: Final = 15.0
"""How long a scheduler that came back waits for the hosts that it had."""
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

    def find_held(self) -> Mapping[str, str]:
        """Return the host of each key that was measured, or is being measured, on one of them."""

    def submit(self, key: str, block: Block, hosts: Collection[str]) -> None:
        """Have one of these hosts measure a block, and no other; SchedulerLostError."""

    def cancel(self, key: str) -> None:
        """Wait no longer for a block."""

    def wait(self, timeout_s: float) -> Sequence[Reply]:
        """Return the replies that came in this time, at least one; or none; SchedulerLostError."""

    def reconnect(self) -> bool:
        """Try to reach the scheduler again, for a few seconds; return whether that worked."""


@dataclass(slots=True)
class _Open:
    """A block in the fleet's hands: the hosts it may be on, and the time since."""

    key: str
    hosts: frozenset[str]
    since: float


@dataclass(slots=True)
class Dispatcher:
    """Hands out blocks and judges replies; ``show`` gets each reply that is kept, ``note`` events.

    At most as many blocks as there are hosts are in flight, the longest first, so that a host that
    joins later gets its share.
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
    _tried: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _failed: dict[str, list[Reply]] = field(default_factory=dict)
    _workers: Mapping[str, str] = field(default_factory=dict)
    _alone_since: float | None = None

    def __post_init__(self) -> None:
        """Find out what is left to do, the longest first."""
        self._by_key = {block.key(self.journal.job): block for block in self.blocks}
        missing = [key for key in self._by_key if key not in self.journal.replies]
        self._due = sorted(missing, key=lambda key: -self._by_key[key].weight)

    def run(self) -> list[Reply]:
        """Return one reply for each block, in their order; FleetError if that is not possible."""
        is_fresh = True
        while self._due or self._flying:
            try:
                if is_fresh:
                    self._take_held()
                    is_fresh = False
                self._look_at_hosts()
                self._hand_out()
                for reply in self.pool.wait(POLL_S):
                    self._take(reply)
                self._look_for_stalled()
            except SchedulerLostError:
                self._wait_for_scheduler()
                is_fresh = True
        return [self.journal.replies[key] for key in self._by_key]

    def _take_held(self) -> None:
        """Ask hosts for what they measured, or go on measuring, for a client that went away.

        After the scheduler was away, its hosts need a moment to come back.
        """
        start = self.clock()
        while self._hosts - self.pool.find_hosts().keys() and self.clock() - start < REJOIN_S:
            self.pool.wait(POLL_S)
        held = self.pool.find_held()
        for key in [key for key in self._due if key in held]:
            self._due.remove(key)
            self._submit(key, {held[key]})

    @property
    def _hosts(self) -> frozenset[str]:
        """The hosts that were there when they were last looked at."""
        return frozenset(self._workers)

    def _look_at_hosts(self) -> None:
        workers, before = self.pool.find_hosts(), self._workers
        # A worker that was started again has another address, and no block that the first one had.
        lost = {host for host in before if workers.get(host) != before[host]}
        joined = {host for host in workers if before and workers[host] != before.get(host)}
        self._workers = workers
        if lost:
            self.note(f"lost: host {format_names(sorted(lost))}; its block is measured elsewhere")
            now = self.clock()
            for one in self._flying.values():  # it may wait behind another block from now on
                one.since = now
                one.hosts -= lost
        if joined:
            self.note(f"joined: host {format_names(sorted(joined))}")
        for key, one in list(self._flying.items()):
            if not one.hosts:
                self._recall(key)
        self._ensure_patience()

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
            if len(self._flying) >= len(self._hosts):
                return
            # Where all have tried it, all may do so again.
            fitting = self._hosts - set(self._tried.get(key, ())) or self._hosts
            self._due.remove(key)
            self._submit(key, fitting)

    def _submit(self, key: str, hosts: Collection[str]) -> None:
        self._flying[key] = _Open(key, frozenset(hosts), self.clock())
        try:
            self.pool.submit(key, self._by_key[key], hosts)
        except SchedulerLostError:
            del self._flying[key]
            self._due.insert(0, key)
            raise

    def _recall(self, key: str) -> None:
        self.pool.cancel(key)
        del self._flying[key]
        self._due.insert(0, key)

    def _take(self, reply: Reply) -> None:
        """Keep a reply, or have the block measured again."""
        key = reply.key
        if key not in self._flying:
            return
        del self._flying[key]
        if reply.is_lost:
            self._due.insert(0, key)
            return
        if reply.failure:
            self._take_failure(reply)
            return
        reply = dataclasses.replace(reply, tried=self._tried.get(key, ()))
        self.journal.add(reply)
        self.show(self._by_key[key], reply)
        for kept in list(self.journal.replies.values()):
            if kept.key in self._by_key and kept.key not in {*self._due, *self._flying}:
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
            idle = len(self._hosts) - len(self._flying)
            host = self.pool.find_held().get(key) if now - one.since > limit_s and idle else None
            if host is None or not self._hosts - {host}:
                continue
            self.note(
                f"{self._by_key[key].name}: host {host} has taken over {limit_s:.0f} s, "
                f"{STALLED:g} times as long as others; measured elsewhere"
            )
            self._tried[key] = (*self._tried.get(key, ()), host)
            self._recall(key)

    def _wait_for_scheduler(self) -> None:
        self.note("the scheduler has gone; waiting for it to come back: hosts keep what they have")
        self._due = [*self._flying, *self._due]
        self._flying.clear()
        start = self.clock()
        while not self.pool.reconnect():
            if self.clock() - start > PATIENCE_S:
                raise FleetError(
                    f"the scheduler did not come back in {PATIENCE_S:.0f} s; "
                    f"{self._explain_resuming()}"
                )
        self.note("the scheduler is back")
