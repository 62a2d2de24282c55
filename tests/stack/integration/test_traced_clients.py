"""Databases, caches and HTTP clients with a traced guard: their calls and attempts are spans."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from resilience_stack import CircuitBreakerError, Fallback, Policy
from resilience_stack.integrations.httpx import AsyncGuardedTransport, GuardedTransport
from resilience_stack.integrations.httpx import policy as http_policy
from resilience_stack.integrations.otel import TracedManager
from resilience_stack.integrations.redis import AsyncCache, Cache
from resilience_stack.integrations.redis import policy as cache_policy
from resilience_stack.integrations.sqlalchemy import AsyncDatabase, Database
from resilience_stack.integrations.sqlalchemy import policy as database_policy
from tests.stack.bench import Bench
from tests.stack.integration.processes import reserve_port
from tests.stack.integration.redis_server import RedisServer

KINDS = pytest.mark.parametrize("is_async", [False, True], ids=["plain", "awaited"])


class Traces:
    """A manager whose guards are traced, and the spans that have ended."""

    def __init__(self, bench: Bench) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = provider.get_tracer("test")
        self.manager = TracedManager(bench.manager, self.tracer)

    def take(self) -> Iterator[tuple[ReadableSpan, list[ReadableSpan]]]:
        """Return each call that has ended since the last time, with its attempts."""
        spans = self.exporter.get_finished_spans()
        self.exporter.clear()
        for call in spans:
            if call.name != "attempt":
                assert call.context
                number = call.context.span_id
                yield (
                    call,
                    [each for each in spans if each.parent and each.parent.span_id == number],
                )

    def take_one(self) -> dict[str, Any]:
        """Return the attributes of the only call, whose attempts are numbered from 1."""
        [(call, attempts)] = self.take()
        numbers = [(each.attributes or {})["resilience.attempt"] for each in attempts]
        assert numbers == [*range(1, len(attempts) + 1)]
        return dict(call.attributes or {})


@pytest.fixture
def traces(bench: Bench) -> Traces:
    """The traces of the bench."""
    return Traces(bench)


def lose() -> OperationalError:
    """An error of a connection that is lost."""
    return OperationalError("SELECT 3", {}, ConnectionError(), connection_invalidated=True)


def describe(guard: str, outcome: str, attempts: int, **more: str) -> dict[str, object]:
    """The attributes of a call's span."""
    return {
        "resilience.guard": guard,
        "resilience.outcome": outcome,
        "resilience.attempts": attempts,
        **{f"resilience.{name}": value for name, value in more.items()},
    }


@KINDS
def test_a_unit_of_work_is_a_span_with_its_attempts(
    traces: Traces, tmp_path: Path, *, is_async: bool
) -> None:
    """A transaction that is replayed has two attempts, decorated or not."""
    guard = traces.manager.guard("stock", database_policy(wait_initial_s=0.0, jitter_s=0.0))
    url = f"{'sqlite+aiosqlite' if is_async else 'sqlite'}:///{tmp_path / 'stock.db'}"
    failures = [lose(), None, lose(), None]

    def work(session: Any) -> Any:
        if error := failures.pop(0):
            raise error
        return session.scalar(text("SELECT 3"))

    async def work_async(session: Any) -> Any:
        return await work(session)

    async def call_async() -> None:
        database = AsyncDatabase(guard, url)
        assert await database.run(work_async) == 3
        assert await database.transaction(work_async)() == 3
        await database.close()

    if is_async:
        asyncio.run(call_async())
    else:
        database = Database(guard, url)
        assert database.run(work) == 3
        assert database.transaction(work)() == 3
        database.close()
    calls = [*traces.take()]
    assert [call.name for call, _ in calls] == ["guard stock", "guard stock"]
    for call, attempts in calls:
        assert dict(call.attributes or {}) == describe("stock", "success", 2, source="live")
        assert [len(each.events) for each in attempts] == [1, 0]


@KINDS
def test_a_stale_answer_of_a_database_says_so_and_the_opening_is_an_event(
    traces: Traces, tmp_path: Path, *, is_async: bool
) -> None:
    """A unit of work that succeeded before is answered from memory, call by call without a name."""
    guard = traces.manager.guard(
        "stock", database_policy(fail_max=1, attempts=1), Fallback(stale_s=300)
    )
    url = f"{'sqlite+aiosqlite' if is_async else 'sqlite'}:///{tmp_path / 'stock.db'}"
    errors: list[Exception | None] = [None, lose()]

    def work(_session: object) -> int:
        if error := errors.pop(0):
            raise error
        return 3

    async def work_async(session: object) -> int:
        return work(session)

    async def call_async() -> list[int]:
        database = AsyncDatabase(guard, url)
        answers = [await database.run(work_async) for _ in range(3)]
        await database.close()
        return answers

    if is_async:
        answers = asyncio.run(call_async())
    else:
        database = Database(guard, url)
        answers = [database.run(work) for _ in range(3)]
        database.close()
    assert answers == [3, 3, 3]
    calls = [call for call, _ in traces.take()]
    assert [dict(call.attributes or {}) for call in calls] == [
        describe("stock", "success", 1, source="live"),
        describe("stock", "fallback", 1, source="stale"),
        describe("stock", "fallback", 0, source="stale"),
    ]
    assert [[event.name for event in call.events] for call in calls] == [
        [],
        ["breaker changed"],
        [],
    ]


@KINDS
def test_a_command_of_a_cache_is_a_span(
    traces: Traces, redis_server: RedisServer, *, is_async: bool
) -> None:
    """Commands and pipelines are; one that the server does not answer is a miss and a failure."""
    policy = cache_policy(attempts=1, deadline_s=30.0)

    async def use(cache: Any, gone: Any, awaited: Callable[[Any], Awaitable[Any]]) -> None:
        assert await awaited(cache.set("tea", b"3", ttl_s=60)) is True
        assert await awaited(cache.get("tea")) == b"3"
        pipeline = cache.client.pipeline()
        pipeline.get("tea")
        assert await awaited(pipeline.execute()) == [b"3"]
        assert await awaited(gone.get("tea")) is None
        for each in (cache, gone):
            await awaited(each.close())

    async def pass_on(value: Any) -> Any:
        return await value if is_async else value

    make = AsyncCache if is_async else Cache
    cache = make(traces.manager.guard("cache", policy), redis_server.url)
    gone = make(
        traces.manager.guard("gone", policy),
        f"redis://127.0.0.1:{reserve_port()}",
        max_connections=1,
    )
    asyncio.run(use(cache, gone, pass_on))
    *answered, (missed, attempts) = traces.take()
    found = [dict(call.attributes or {}) for call, _ in answered]
    assert found == [describe("cache", "success", 1, source="live")] * 3
    assert dict(missed.attributes or {}) == describe("gone", "failure", 1, category="connection")
    assert [event.name for event in attempts[0].events] == ["exception"]


@KINDS
def test_a_request_is_a_span_of_its_host(traces: Traces, *, is_async: bool) -> None:
    """The transports of httpx take the guards of the traced manager, one for each host."""
    codes = [503, 200, 200]
    sent = httpx.MockTransport(lambda _request: httpx.Response(codes.pop(0)))
    policy = http_policy(wait_initial_s=0.0, jitter_s=0.0)

    async def ask_async() -> None:
        transport = AsyncGuardedTransport(traces.manager, sent, policy=policy)
        async with httpx.AsyncClient(transport=transport) as client:
            await client.get("http://stock.example/tea")
            await client.get("http://prices.example/tea")

    if is_async:
        asyncio.run(ask_async())
    else:
        transport = GuardedTransport(traces.manager, sent, policy=policy)
        with httpx.Client(transport=transport) as client:
            client.get("http://stock.example/tea")
            client.get("http://prices.example/tea")
    assert [dict(call.attributes or {}) for call, _ in traces.take()] == [
        describe("http stock.example", "success", 2, source="live"),
        describe("http prices.example", "success", 1, source="live"),
    ]


@KINDS
def test_a_block_is_a_call_with_one_attempt(traces: Traces, *, is_async: bool) -> None:
    """A block that ends well, one that fails, and one that is refused."""
    guard = traces.manager.guard("stock", Policy(fail_max=1, retries=()))

    async def enter(error: Exception | None) -> None:
        if is_async:
            async with guard.context():
                if error:
                    raise error
        else:
            with guard.context():
                if error:
                    raise error

    asyncio.run(enter(None))
    assert traces.take_one() == describe("stock", "success", 1, source="live")
    with pytest.raises(ConnectionError):
        asyncio.run(enter(ConnectionError()))
    assert traces.take_one() == describe("stock", "failure", 1, category="connection")
    with pytest.raises(CircuitBreakerError):
        asyncio.run(enter(None))
    assert traces.take_one() == describe("stock", "rejected", 0, category="rejected")


def test_a_probe_that_closes_the_breaker_has_both_changes_as_events(
    bench: Bench, traces: Traces
) -> None:
    """The call that is let through shows that the breaker was half open, and closed then."""
    guard = traces.manager.guard("stock", Policy(fail_max=1, reset_timeout_s=0.001, retries=()))
    with pytest.raises(ConnectionError):
        guard.call(fail)
    bench.now_s += 61
    guard.call(str)
    _, (call, _) = traces.take()
    assert [
        ((event.attributes or {})["resilience.from"], (event.attributes or {})["resilience.to"])
        for event in call.events
    ] == [("open", "half-open"), ("half-open", "closed")]


def fail() -> None:
    """A dependency that is away."""
    raise ConnectionError


def test_a_traced_guard_is_the_same_guard(bench: Bench, traces: Traces) -> None:
    """What is forced by hand at one of them holds for both, and the manager knows it."""
    traced, plain = traces.manager.guard("stock", Policy()), bench.manager.guard("stock", Policy())
    traced.force("open")
    assert plain.state == "open"
    assert plain.degraded_since_s is not None
    assert traces.manager.guards.keys() == bench.manager.guards.keys()
    plain.release()
    assert (traced.state, traced.degraded_since_s) == ("closed", None)
    assert not [*traces.take()]
