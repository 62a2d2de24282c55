"""Each dependency breaks in each of its ways, and is whole again afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.dependencies import WAYS, LockedFile, ServedDependency, make_killable
from resilience_bench.servers import redis
from tests.demo.programs import read_command
from tests.servers.leftovers import Place, wait_until


@pytest.fixture
def cache(place: Place) -> Iterator[ServedDependency]:
    """A Redis that can be broken; nothing of it is left afterwards."""
    made = ServedDependency("cache", "Redis", lambda: make_killable(redis.prepare()))
    try:
        yield made
    finally:
        made.close()
    assert (place.list_processes(), place.list_folders()) == ([], [])


def ask(port: int) -> bytes:
    """What a server says; nothing if it does not answer in time or refuses."""
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), 5) as connection,
    ):
        connection.settimeout(0.1)
        connection.sendall(b"PING\r\n")
        return connection.recv(100)
    return b""


@pytest.mark.needs("redis-server")
@pytest.mark.parametrize("way", WAYS)
def test_a_server_breaks_and_heals(cache: ServedDependency, way: str, place: Place) -> None:
    """While it is broken nobody gets an answer in time; the port stays the same."""
    before = place.list_processes()
    cache.damage(way)
    assert cache.broken == way
    assert ask(cache.port) == b""
    assert len(place.list_processes()) == len(before) - (2 if way == "kill" else 0)
    cache.heal()
    assert cache.broken == ""
    wait = socket.create_connection(("127.0.0.1", cache.port), 60)
    with wait:
        wait.sendall(b"PING\r\n")
        assert wait.recv(100) == b"+PONG\r\n"
    assert len(place.list_processes()) == len(before)


@pytest.mark.needs("redis-server")
def test_one_way_takes_the_place_of_another(cache: ServedDependency) -> None:
    """What was broken before is whole when something else breaks; healing twice is harmless."""
    for way in ("kill", "refuse", "kill", "freeze", "refuse"):
        cache.damage(way)
        assert cache.broken == way
    cache.heal()
    cache.heal()
    with socket.create_connection(("127.0.0.1", cache.port), 60) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100) == b"+PONG\r\n"


@pytest.mark.needs("redis-server")
def test_a_server_that_ends_by_itself_is_named_and_replaced(
    cache: ServedDependency, place: Place
) -> None:
    """Its last words are there until it is healed; a button that ends it says nothing."""
    assert cache.explain_end() == ""
    [pid] = [pid for pid in place.list_processes() if "redis-server" in read_command(pid)]
    os.kill(pid, signal.SIGKILL)
    wait_until(cache.explain_end, "its end was not noticed")
    assert cache.explain_end().startswith("it was ended by signal 9; it said: ")
    cache.heal()
    assert cache.explain_end() == ""
    with socket.create_connection(("127.0.0.1", cache.port), 60) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100) == b"+PONG\r\n"
    cache.damage("kill")
    assert cache.explain_end() == ""


def test_a_file_is_locked_and_unlocked(tmp_path: Path) -> None:
    """Others find the database locked until it is healed."""
    path = tmp_path / "shop.db"
    made = LockedFile("database", path)
    with contextlib.closing(sqlite3.connect(path, timeout=0)) as other:
        for _ in range(2):
            made.damage("freeze")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("CREATE TABLE items (id INTEGER)")
        made.heal()
        other.execute("CREATE TABLE items (id INTEGER)")
    made.close()
