"""Payloads that leave the caches colder and colder, to see what that does to a guard."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator

from resilience_bench import payload, scenario

KILOBYTE = 1024


@payload
def nothing() -> Callable[[], None]:
    """Return at once: all caches stay warm."""

    def work() -> None:
        pass

    return work


@payload
def system_call() -> Callable[[], int]:
    """Ask the kernel for a number."""
    return os.getppid


@payload
def to_itself() -> Iterator[Callable[[], bytes]]:
    """Send 100 bytes through a socket, and read them: two system calls, nobody else runs."""
    one, other = socket.socketpair()

    def work() -> bytes:
        one.send(b"x" * 100)
        return other.recv(100)

    with one, other:
        yield work


@payload
def small_memory() -> Callable[[], int]:
    """Read 32 kB: as much as the first cache of data holds."""
    return _make_reader(32)


@payload
def large_memory() -> Callable[[], int]:
    """Read 256 kB: none of the guard's data stays in the first cache. There is no system call."""
    return _make_reader(256)


@payload
def asleep() -> Callable[[], None]:
    """Wait for 50 us: others may run on this core, and the core may save power."""

    def work() -> None:
        time.sleep(50e-6)

    return work


def _make_reader(kilobytes: int) -> Callable[[], int]:
    memory = bytearray(kilobytes * KILOBYTE)

    def work() -> int:
        return memory.count(1)

    return work


@scenario
def touched(payload: Callable[[], object]) -> Callable[[], object]:
    """A function around the call that does nothing."""

    def operation() -> object:
        return payload()

    return operation
