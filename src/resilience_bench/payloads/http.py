"""HTTP: 1 kB from a server on the loopback, over a connection that stays open."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import AsyncIterator, Callable, Iterator
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

from resilience_bench.payloads.connections import open_per_thread
from resilience_bench.scenarios.payload_definition import ServerAddress, payload

BODY: Final = b"x" * 1000
"""What the server answers."""
TIMEOUT_S: Final = 10.0
CONNECTIONS: Final = 8
"""Connections that all tasks of a worker share."""


@payload(server="http", returns=BODY)
def http(server: ServerAddress) -> Iterator[Callable[[], bytes]]:
    """GET 1 kB, with httpx if it is installed, else with http.client."""
    has_httpx = importlib.util.find_spec("httpx") is not None
    connect = functools.partial(_connect if has_httpx else _connect_plainly, server)
    with open_per_thread(connect, _close) as per_thread:

        def get() -> Any:
            return per_thread.connection.get("/").raise_for_status().content

        def get_plainly() -> bytes:
            return _get_plainly(per_thread.connection)

        yield get if has_httpx else get_plainly


@payload(server="http", distributions=("httpx",), returns=BODY)
async def async_http(server: ServerAddress) -> AsyncIterator[Callable[[], Any]]:
    """GET 1 kB with httpx."""
    import httpx

    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx.AsyncClient(
        base_url=_get_url(server), timeout=TIMEOUT_S, limits=limits, trust_env=False
    ) as client:

        async def get() -> bytes:
            return (await client.get("/")).raise_for_status().content

        yield get


def _get_url(server: ServerAddress) -> str:
    return f"http://{server.host}:{server.port}"


def _connect(server: ServerAddress) -> Any:
    import httpx

    # Not through a proxy of the environment.
    return httpx.Client(base_url=_get_url(server), timeout=TIMEOUT_S, trust_env=False)


def _connect_plainly(server: ServerAddress) -> HTTPConnection:
    return HTTPConnection(server.host, server.port, timeout=TIMEOUT_S)


def _close(client: Any) -> None:
    client.close()


def _get_plainly(connection: HTTPConnection) -> bytes:
    connection.request("GET", "/")
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:  # noqa: PLR2004 - OK
        raise HTTPException(f"{response.status} {response.reason}")
    return body
