"""The proxy breaks connections as it is ordered to, and only then."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from resilience_bench.servers.proxy import Proxy
from tests.stack.integration.processes import wait_until
from tests.stack.integration.redis_server import RedisServer

pytestmark = pytest.mark.needs("redis-server", "setpriv")


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """An empty redis-server."""
    server = RedisServer(tmp_path)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def redis_proxy(redis_server: RedisServer) -> Iterator[Proxy]:
    """A proxy before the server."""
    with Proxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
def connection(redis_proxy: Proxy) -> Iterator[socket.socket]:
    """A connection through the proxy."""
    with socket.create_connection(("127.0.0.1", redis_proxy.port), timeout=30) as made:
        yield made


def echo(connection: socket.socket) -> bytes:
    """What comes back of eight bytes that the server is asked to send: 14 bytes."""
    connection.sendall(b"*2\r\n$4\r\nECHO\r\n$8\r\nabcdefgh\r\n")
    received = b""
    while len(received) < 14 and (part := connection.recv(100)):
        received += part
    return received


def test_it_passes_on_and_counts(redis_proxy: Proxy, connection: socket.socket) -> None:
    """What a client sends reaches the server, and the answer the client."""
    assert echo(connection) == b"$8\r\nabcdefgh\r\n"
    assert redis_proxy.connections == redis_proxy.open_connections == 1
    wait_until(lambda: redis_proxy.bytes_to_server == 28, "the request was counted")
    wait_until(lambda: redis_proxy.bytes_to_client == 14, "the answer was counted")


def test_it_cuts_in_mid_answer(redis_proxy: Proxy, connection: socket.socket) -> None:
    """The client gets the first bytes, then a reset; the next connection is whole."""
    redis_proxy.cut(after_bytes=5)
    with pytest.raises(ConnectionResetError):
        echo(connection)
    with socket.create_connection(("127.0.0.1", redis_proxy.port), timeout=30) as another:
        assert echo(another) == b"$8\r\nabcdefgh\r\n"


def test_it_truncates(redis_proxy: Proxy, connection: socket.socket) -> None:
    """The client gets the first bytes, then the end of the stream."""
    redis_proxy.truncate(after_bytes=5)
    assert echo(connection) == b"$8\r\na"


def test_it_truncates_silently(redis_proxy: Proxy, connection: socket.socket) -> None:
    """The client gets the first bytes, then nothing."""
    redis_proxy.truncate(after_bytes=5, silently=True)
    connection.settimeout(0.2)
    with pytest.raises(TimeoutError):
        echo(connection)


def test_it_freezes_and_delays(redis_proxy: Proxy, connection: socket.socket) -> None:
    """Frozen it passes on nothing, thawed everything that has come meanwhile."""
    for hold in (redis_proxy.freeze, lambda: redis_proxy.delay(3600)):
        hold()
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            echo(connection)
        if hold == redis_proxy.freeze:
            redis_proxy.pass_through()
            connection.settimeout(30)
            assert connection.recv(14, socket.MSG_WAITALL) == b"$8\r\nabcdefgh\r\n"


def test_it_refuses_and_listens_again(redis_proxy: Proxy, connection: socket.socket) -> None:
    """Refusing resets what is open; the port stays the same."""
    redis_proxy.refuse()
    with pytest.raises(ConnectionError):
        echo(connection)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", redis_proxy.port), timeout=30)
    redis_proxy.listen()
    redis_proxy.listen()
    with socket.create_connection(("127.0.0.1", redis_proxy.port), timeout=30) as another:
        assert echo(another) == b"$8\r\nabcdefgh\r\n"


def test_a_dead_server_resets_its_clients(redis_proxy: Proxy, redis_server: RedisServer) -> None:
    """A server that is killed, and started again on its port, is seen through the proxy."""
    redis_server.kill()
    with (
        pytest.raises(ConnectionResetError),
        socket.create_connection(("127.0.0.1", redis_proxy.port), timeout=30) as lost,
    ):
        echo(lost)
    redis_server.restart()
    with socket.create_connection(("127.0.0.1", redis_proxy.port), timeout=30) as another:
        assert echo(another) == b"$8\r\nabcdefgh\r\n"
    wait_until(lambda: not redis_proxy.open_connections, "both connections are closed")


def test_a_frozen_server_answers_when_it_is_thawed(redis_server: RedisServer) -> None:
    """A frozen server accepts connections and answers nothing."""
    redis_server.freeze()
    with socket.create_connection(("127.0.0.1", redis_server.port), timeout=0.2) as made:
        with pytest.raises(TimeoutError):
            echo(made)
        redis_server.thaw()
        made.settimeout(30)
        assert made.recv(14, socket.MSG_WAITALL) == b"$8\r\nabcdefgh\r\n"
    assert redis_server.count_commands("echo") == 1


def test_it_leads_to_another_server(
    redis_proxy: Proxy, redis_server: RedisServer, tmp_path: Path
) -> None:
    """New connections reach the server it leads to, those that are open stay with the first."""
    (tmp_path / "other").mkdir()
    other = RedisServer(tmp_path / "other")
    try:
        with socket.create_connection(("127.0.0.1", redis_proxy.port), timeout=30) as first:
            echo(first)
            redis_proxy.lead_to(other.port)
            with socket.create_connection(("127.0.0.1", redis_proxy.port), timeout=30) as second:
                echo(second)
            echo(first)
        assert (redis_server.count_commands("echo"), other.count_commands("echo")) == (2, 1)
    finally:
        other.stop()
