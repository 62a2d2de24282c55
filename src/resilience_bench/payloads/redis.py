"""Redis: GET, SET and a pipeline; redis-py makes no attempt of its own after a failed one."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from resilience_bench.payloads.connections import open_per_thread
from resilience_bench.scenarios.payload_definition import ServerAddress, payload

NEEDS: Final[dict[str, Any]] = {"server": "redis", "distributions": ("redis",)}
KEY: Final = "resilience-bench"
VALUE: Final = b"x" * 100
TIMEOUT_S: Final = 10.0
PIPELINED: Final = 10
CONNECTIONS: Final = 8
"""Connections that all tasks of a worker share."""


@payload(**NEEDS, returns=VALUE)
def redis(server: ServerAddress) -> Iterator[Callable[[], Any]]:
    """GET 100 bytes."""
    with open_per_thread(functools.partial(connect, server), close) as per_thread:

        def get() -> Any:
            return per_thread.connection.get(KEY)

        yield get


@payload(**NEEDS, returns=True)
def redis_set(server: ServerAddress) -> Iterator[Callable[[], Any]]:
    """SET 100 bytes."""
    with open_per_thread(functools.partial(connect, server), close) as per_thread:

        def set_value() -> Any:
            return per_thread.connection.set(KEY, VALUE)

        yield set_value


@payload(**NEEDS, returns=[VALUE] * PIPELINED)
def redis_pipeline(server: ServerAddress) -> Iterator[Callable[[], Any]]:
    """GET 100 bytes ten times in one round trip."""
    with open_per_thread(functools.partial(connect, server), close) as per_thread:

        def get_all() -> Any:
            pipeline = per_thread.connection.pipeline(transaction=False)
            for _ in range(PIPELINED):
                pipeline.get(KEY)
            return pipeline.execute()

        yield get_all


@payload(**NEEDS, returns=VALUE)
async def async_redis(server: ServerAddress) -> AsyncIterator[Callable[[], Any]]:
    """GET 100 bytes."""
    client = await _connect_async(server)
    try:

        async def get() -> Any:
            return await client.get(KEY)

        yield get
    finally:
        await client.aclose()


@payload(**NEEDS, returns=True)
async def async_redis_set(server: ServerAddress) -> AsyncIterator[Callable[[], Any]]:
    """SET 100 bytes."""
    client = await _connect_async(server)
    try:

        async def set_value() -> Any:
            return await client.set(KEY, VALUE)

        yield set_value
    finally:
        await client.aclose()


@payload(**NEEDS, returns=[VALUE] * PIPELINED)
async def async_redis_pipeline(server: ServerAddress) -> AsyncIterator[Callable[[], Any]]:
    """GET 100 bytes ten times in one round trip."""
    client = await _connect_async(server)
    try:

        async def get_all() -> Any:
            pipeline = client.pipeline(transaction=False)
            for _ in range(PIPELINED):
                pipeline.get(KEY)
            return await pipeline.execute()

        yield get_all
    finally:
        await client.aclose()


def connect(server: ServerAddress, timeout_s: float = TIMEOUT_S, **options: Any) -> Any:
    """Return a client that does not retry; the server has `KEY`."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    client = redis.Redis(
        host=server.host,
        port=server.port,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        **options,
    )
    client.set(KEY, VALUE)
    return client


def close(client: Any) -> None:
    """Close a client's connection."""
    client.close()


async def _connect_async(server: ServerAddress) -> Any:
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    pool = BlockingConnectionPool(
        host=server.host,
        port=server.port,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        max_connections=CONNECTIONS,
        timeout=TIMEOUT_S,
    )
    client = Redis.from_pool(pool)
    await client.set(KEY, VALUE)
    return client
