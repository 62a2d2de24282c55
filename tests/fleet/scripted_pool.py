"""A fleet without Dask, hosts and clock: a script says what becomes of each block."""

from __future__ import annotations

import collections
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from resilience_bench.fleet.block import Block, Reply
from resilience_bench.fleet.dispatch import Dispatcher
from resilience_bench.fleet.journal import Journal

Answer = Callable[[str, Block, str, int], Reply | Exception | None]
"""``answer(key, block, host, number)``: a reply, a lost scheduler, or nothing (it never ends)."""


def measure_nothing(content: Mapping[str, Any]) -> dict[str, Any]:
    """Never called: the scripted pool answers."""
    raise NotImplementedError(content)


def make_blocks(count: int) -> list[Block]:
    """Blocks that differ in their content."""
    return [
        Block(f"block {number}", measure_nothing, {"number": number}) for number in range(count)
    ]


def answer_well(key: str, block: Block, host: str, number: int) -> Reply:
    """Each block is measured, in a second."""
    return Reply(key, host, 1.0, {"number": block.content["number"]}, 100.0)


@dataclass
class ScriptedPool:
    """Hosts that take a block each, the first free one first; each wait is a second."""

    hosts: set[str]
    answer: Answer = answer_well
    held: dict[str, str] = field(default_factory=dict)
    kept: dict[str, Reply] = field(default_factory=dict)
    now: float = 0.0
    measured: list[tuple[str, str]] = field(default_factory=list)
    running: dict[str, tuple[str, Block]] = field(default_factory=dict)
    canceled: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)
    starts: collections.Counter[str] = field(default_factory=collections.Counter)
    reconnects: int = 0
    away: int = 0

    def find_hosts(self) -> Mapping[str, str]:
        """See `Pool`; a host that was started again has another address."""
        return {host: f"{host}-{self.starts[host]}" for host in sorted(self.hosts)}

    def find_held(self, hosts: Collection[str]) -> Mapping[str, Collection[str]]:
        """See `Pool`; what runs, and what was kept, is held."""
        there = [*self.held.items(), *((key, reply.host) for key, reply in self.kept.items())]
        there += [(key, host) for key, (host, _) in self.running.items()]
        return {
            host: [key for key, holder in there if holder == host]
            for host in hosts
            if host in self.hosts and host not in self.silent
        }

    def submit(self, key: str, block: Block, host: str) -> None:
        """See `Pool`."""
        assert host in self.hosts, f"no host {host} for {block.name}"
        self.running[key] = (host, block)

    def cancel(self, key: str) -> None:
        """See `Pool`."""
        self.canceled.append(key)
        del self.running[key]

    def stop(self, key: str) -> None:
        """See `Pool`."""
        self.stopped.append(self.running.pop(key)[0])

    def wait(self, timeout_s: float) -> Sequence[Reply]:
        """See `Pool`."""
        self.now += timeout_s
        found: list[Reply] = []
        for key, (host, block) in list(self.running.items()):
            if key in self.kept and self.kept[key].host == host:
                found.append(self.kept.pop(key))
                del self.running[key]
                continue
            reply = self.answer(key, block, host, len(self.measured))
            if isinstance(reply, Exception):  # hosts keep what nobody fetches
                self.kept |= {one.key: one for one in found if not one.is_lost}
                self.running.clear()
                raise reply
            if isinstance(reply, Reply):
                del self.running[key]
                if not reply.is_lost:
                    self.measured.append((block.name, host))
                found.append(reply)
        return found

    def reconnect(self) -> bool:
        """See `Pool`; it works after ``away`` tries."""
        self.now += 1.0
        self.reconnects += 1
        return self.reconnects > self.away


def run_blocks(
    pool: ScriptedPool, journal: Journal, count: int = 8
) -> tuple[list[Reply], list[str]]:
    """The replies to so many blocks, and what was noted."""
    notes: list[str] = []
    dispatcher = Dispatcher(
        make_blocks(count), pool, journal, note=notes.append, clock=lambda: pool.now
    )
    return dispatcher.run(), notes


def list_numbers(replies: list[Reply]) -> list[int]:
    """The numbers of the blocks that were answered."""
    return [(reply.value or {})["number"] for reply in replies]
