"""httpx behind a guard for each host: what is a failure, what is sent again, and what comes out."""

from __future__ import annotations

import asyncio
import contextvars
import datetime as dt
import inspect
from collections.abc import Callable, Iterator
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from resilience_bench.servers.proxy import Proxy
from resilience_stack import CircuitBreakerError
from resilience_stack.edge.request_id import REQUEST_ID
from resilience_stack.integrations.httpx import AsyncGuardedTransport, GuardedTransport, policy
from tests.stack.bench import Bench, in_threads
from tests.stack.integration.http_server import HttpServer, Reply
from tests.stack.integration.processes import reserve_port, wait_until


class Client:
    """A client of httpx, and an event loop if it needs one; its methods are plain functions."""

    def __init__(self, bench: Bench, kind: str, port: int, max_hosts: int, **settings: Any) -> None:
        made = policy(
            **{"jitter_s": 0.0, "fail_max": 4, "deadline_s": 60, "attempt_s": 60, **settings}
        )
        self.bench = bench
        self.port = port
        self.is_async = kind == "awaited"
        self.runner = asyncio.Runner()
        shared = {"policy": made, "max_hosts": max_hosts}
        base = f"http://127.0.0.1:{port}"
        # httpx's own pool takes seconds to serve more callers than it has connections.
        many = httpx.Limits(max_connections=2000)
        self.client: Any = (
            httpx.AsyncClient(
                transport=AsyncGuardedTransport(
                    bench.manager, httpx.AsyncHTTPTransport(limits=many), **shared
                ),
                base_url=base,
            )
            if self.is_async
            else httpx.Client(transport=GuardedTransport(bench.manager, **shared), base_url=base)
        )

    def close(self) -> None:
        """Close the client and the event loop."""
        self.do(self.client.aclose if self.is_async else self.client.close)
        self.runner.close()

    def do(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call, and await what comes back if it can be awaited."""
        if self.is_async:
            context = contextvars.copy_context()
            return self.runner.run(_await(function, args, kwargs), context=context)
        return function(*args, **kwargs)

    def send(self, method: str = "GET", url: str = "/", **options: Any) -> httpx.Response:
        """Send a request, and read the response."""
        response: httpx.Response = self.do(self.client.request, method, url, **options)
        return response

    @property
    def guard(self) -> str:
        """The name of the guard of its host."""
        return f"http 127.0.0.1:{self.port}"

    def counted(self) -> tuple[tuple[float | None, ...], float | None]:
        """Calls that succeeded, failed and were rejected, and retries."""
        return self.bench.calls(self.guard), self.bench.sample("retries_total", self.guard)


async def _await(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    result = function(*args, **kwargs)
    return await result if inspect.isawaitable(result) else result


MakeClient = Callable[..., Client]


@pytest.fixture
def server() -> Iterator[HttpServer]:
    """An HTTP server."""
    with HttpServer() as made:
        yield made


@pytest.fixture
def proxy(server: HttpServer) -> Iterator[Proxy]:
    """A proxy before the server."""
    with Proxy(server.port) as made:
        yield made


@pytest.fixture(params=["plain", "awaited"])
def make_client(request: pytest.FixtureRequest, bench: Bench) -> Iterator[MakeClient]:
    """Makes clients of the port of a server; each test runs for both kinds of calls."""
    made: list[Client] = []

    def make(port: int, max_hosts: int = 100, **settings: Any) -> Client:
        client = Client(bench, request.param, port, max_hosts, **settings)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


def test_5xx_is_a_failure_and_still_a_response(server: HttpServer, make_client: MakeClient) -> None:
    """The response of the last attempt comes out with its body; an open breaker is an exception."""
    client = make_client(server.port)
    server.reply([500, 502, Reply(503, body=b"the last one")])
    response = client.send()
    assert (response.status_code, response.content) == (503, b"the last one")
    assert response.elapsed
    assert client.counted() == ((0, 1, 0), 2)
    assert client.bench.slept == [0.1, 0.2]
    server.reply([500])
    assert client.send().status_code == 500
    with pytest.raises(CircuitBreakerError, match=f"{client.guard}' is open"):
        client.send()
    assert client.counted() == ((0, 2, 1), 2)
    assert len(server.journal) == 4


def test_4xx_is_an_answer(server: HttpServer, make_client: MakeClient) -> None:
    """However many requests are wrong, the host is healthy; a success is one as well."""
    client = make_client(server.port)
    wrong = [400, 401, 403, 404, 409, 422, 429]
    server.reply([*wrong, 200, 301])
    assert [client.send().status_code for _ in range(9)] == [*wrong, 200, 301]
    assert client.counted() == ((9, 0, 0), 0)


@pytest.mark.parametrize("status", [503, 429])
def test_retry_after_is_honoured_within_limits(
    server: HttpServer, make_client: MakeClient, status: int
) -> None:
    """The host says when to come again, in seconds or as a date; too late is not waited for."""
    client = make_client(server.port, wait_max_s=20)
    soon = format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=9), usegmt=True)
    for after in ("7", soon):
        server.reply([Reply(status, {"Retry-After": after}), 200])
        assert client.send().status_code == 200
    first, second = client.bench.slept
    assert first == 7
    assert 0 < second <= 9
    server.reply([Reply(status, {"Retry-After": "21"})])
    assert client.send().status_code == status
    failures = 1 if status == 503 else 0
    assert client.counted() == ((3 - failures, failures, 0), 2)
    assert len(client.bench.slept) == 2


@pytest.mark.parametrize("after", ["soon", "-1", "1.5", "", "Wed, 99 Nov 2026 00:00:00 GMT"])
def test_retry_after_that_makes_no_sense_is_ignored(
    server: HttpServer, make_client: MakeClient, after: str
) -> None:
    """The policy's own wait is taken instead."""
    client = make_client(server.port)
    server.reply([Reply(503, {"Retry-After": after}), 200])
    assert client.send().status_code == 200
    assert client.bench.slept == [0.1]


@pytest.mark.parametrize(
    ("method", "options", "sent"),
    [
        ("GET", {}, 2),
        ("PUT", {"content": b"what"}, 2),
        ("DELETE", {}, 2),
        ("POST", {"content": b"what"}, 1),
        ("PATCH", {"json": {}}, 1),
        ("POST", {"content": b"what", "headers": {"Idempotency-Key": "1"}}, 2),
    ],
)
def test_only_harmless_requests_are_sent_again(
    server: HttpServer, make_client: MakeClient, method: str, options: dict[str, Any], sent: int
) -> None:
    """What would do something twice is sent once; what is sent again has the same body."""
    client = make_client(server.port)
    server.reply([500])
    assert client.send(method, **options).status_code == (200 if sent == 2 else 500)
    assert [method for method, _, _ in server.journal] == [method] * sent
    assert len({body for _, body, _ in server.journal}) == 1


def test_body_that_cannot_be_read_twice_is_sent_once(
    server: HttpServer, make_client: MakeClient
) -> None:
    """A stream of parts is gone after the first attempt."""
    client = make_client(server.port)

    async def parts_async() -> Any:
        yield b"part"

    parts = parts_async() if client.is_async else iter([b"part"])
    server.reply([500])
    headers = {"Content-Length": "4"}
    assert client.send("PUT", content=parts, headers=headers).status_code == 500
    assert len(server.journal) == 1


def test_request_that_never_arrived_is_sent_again(make_client: MakeClient, bench: Bench) -> None:
    """A refused connection is retried whatever the method, by the guard alone."""
    client = make_client(reserve_port())
    with pytest.raises(httpx.ConnectError) as caught:
        client.send("POST", content=b"what")
    assert caught.value.resilience.category == "connection"  # type: ignore[attr-defined]
    assert client.counted() == ((0, 1, 0), 2)
    assert bench.slept == [0.1, 0.2]


@pytest.mark.parametrize("fault", ["cut", "truncated", "truncated silently", "slow"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_broken_answer(
    server: HttpServer, proxy: Proxy, make_client: MakeClient, fault: str, method: str
) -> None:
    """A body that breaks off or is late is a failure; the request is sent again if it may be."""
    waits = fault in {"truncated silently", "slow"}
    answers = method == "GET" and fault != "slow"  # at the second attempt
    # Ample time for a request to reach the server, and for the second one's answer.
    limit_s = (3.0 if answers else 1.0) if waits else 30
    client = make_client(proxy.port, attempt_s=limit_s, attempts=2)
    server.reply([Reply(body=b"b" * 1000)])
    {
        "cut": lambda: proxy.cut(after_bytes=500),
        "truncated": lambda: proxy.truncate(after_bytes=500),
        "truncated silently": lambda: proxy.truncate(after_bytes=500, silently=True),
        "slow": server.hold.clear,
    }[fault]()
    if answers:
        assert client.send().content == b"body"
        assert client.counted() == ((1, 0, 0), 1)
        assert proxy.connections == len(server.journal) == 2
    else:
        with pytest.raises((httpx.TransportError, TimeoutError)):
            client.send(method)
        attempts = 2 if method == "GET" else 1
        assert client.counted() == ((0, 1, 0), attempts - 1)
        assert proxy.connections == len(server.journal) == attempts
    server.hold.set()
    wait_until(lambda: proxy.open_connections <= 1, "connections of failed attempts are closed")


def test_connections_of_failed_attempts_are_used_again(
    server: HttpServer, proxy: Proxy, make_client: MakeClient
) -> None:
    """The body of a failed attempt is read and closed: all attempts go over one connection."""
    client = make_client(proxy.port, fail_max=99)
    server.reply([500, 500, 200] * 5)
    assert [client.send().status_code for _ in range(5)] == [200] * 5
    assert (len(server.journal), proxy.connections) == (15, 1)


def test_each_host_has_a_guard_up_to_a_number(server: HttpServer, make_client: MakeClient) -> None:
    """One host's outage is not another's; hosts past the number share one guard."""
    client = make_client(server.port, max_hosts=2, attempts=1, fail_max=1)
    dead = [reserve_port() for _ in range(2)]
    assert client.send().status_code == 200
    for port in dead:
        with pytest.raises(httpx.ConnectError):
            client.send(url=f"http://127.0.0.1:{port}/")
    assert client.send().status_code == 200
    names = [client.guard, f"http 127.0.0.1:{dead[0]}", "http others"]
    assert list(client.bench.manager.guards) == names
    assert [client.bench.calls(name) for name in names] == [(2, 0, 0), (0, 1, 0), (0, 1, 0)]


def test_request_id_is_passed_on(server: HttpServer, make_client: MakeClient) -> None:
    """The host gets the ID of the request that is being served, unless the caller gives another."""
    client = make_client(server.port)
    client.send()
    token = REQUEST_ID.set("request-1")
    client.send()
    client.send(headers={"X-Request-ID": "own"})
    REQUEST_ID.reset(token)
    ids = [headers.get("X-Request-ID") for _, _, headers in server.journal]
    assert ids == [None, "request-1", "own"]


def test_streamed_body_is_the_callers(server: HttpServer, make_client: MakeClient) -> None:
    """A request that asks for it gets its body in parts, past the guard; a 5xx is still retried."""
    client = make_client(server.port)
    server.reply([500, Reply(body=b"large")])
    extensions = {"resilience_stream": True}

    async def read_async() -> bytes:
        async with client.client.stream("GET", "/", extensions=extensions) as response:
            assert not response.is_stream_consumed
            return await response.aread()

    def read() -> bytes:
        with client.client.stream("GET", "/", extensions=extensions) as response:
            assert not response.is_stream_consumed
            return response.read()

    assert client.do(read_async if client.is_async else read) == b"large"
    assert client.counted() == ((1, 0, 0), 1)


def test_many_callers_in_an_outage(
    server: HttpServer, proxy: Proxy, make_client: MakeClient, bench: Bench
) -> None:
    """The breaker opens once; after it has closed no request fails, and no connection is lost."""
    client = make_client(proxy.port, attempts=1, fail_max=5)

    def send() -> str:
        try:
            client.client.get("/")
        except (httpx.TransportError, CircuitBreakerError) as error:
            return type(error).__name__
        return "answered"

    async def send_async() -> str:
        try:
            await client.client.get("/")
        except (httpx.TransportError, CircuitBreakerError) as error:
            return type(error).__name__
        return "answered"

    def send_all(calls: int) -> list[str]:
        if client.is_async:

            async def gathered() -> list[str]:
                return await asyncio.gather(*(send_async() for _ in range(calls)))

            return client.runner.run(gathered())
        threads = min(calls, 64)
        found = in_threads(*[lambda: [send() for _ in range(calls // threads)]] * threads)
        return [one for group in found for one in group]

    proxy.refuse()
    calls = 400 if client.is_async else 64 * 5
    assert "answered" not in send_all(calls)
    (successes, failures, rejected), retries = client.counted()
    assert (successes, retries) == (0, 0)
    assert (failures or 0) + (rejected or 0) == calls
    assert bench.transitions() == {"open": 1, "half-open": 0, "closed": 0}
    proxy.listen()
    bench.manager.guards[client.guard].recover()
    assert send_all(64) == ["answered"] * 64
    assert bench.transitions() == {"open": 1, "half-open": 0, "closed": 1}
