"""The edge of a service, ASGI and WSGI: the ID is on every path, and errors say what they are."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from asgi_correlation_id import correlation_id

from resilience_stack import CircuitBreakerError, ResilienceManager
from resilience_stack.edge import asgi, problems, wsgi
from resilience_stack.edge.request_id import REQUEST_ID
from resilience_stack.integrations.asgi import CorrelationMiddleware
from tests.stack.bench import Bench, Flaky, exhaust

Answer = tuple[int, dict[str, str], bytes]
Serve = Callable[[], str]


def ask_asgi(app: Any, path: str = "/", **headers: str) -> Answer:
    """Send one request to an ASGI application."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": [
            (name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()
        ],
    }
    try:
        asyncio.run(app(scope, receive, send))
    except (ZeroDivisionError, ExceptionGroup):
        pass  # what a server would log
    got = {name.decode().lower(): text.decode() for name, text in sent[0]["headers"]}
    return sent[0]["status"], got, b"".join(message.get("body", b"") for message in sent[1:])


def ask_wsgi(app: Any, path: str = "/", **headers: str) -> Answer:
    """Send one request to a WSGI application."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, pairs: list[tuple[str, str]], *_: object) -> None:
        started.append((status, pairs))

    environ = {"PATH_INFO": path, "REQUEST_METHOD": "GET"}
    environ |= {f"HTTP_{name.upper()}": text for name, text in headers.items()}
    body = b"".join(app(environ, start_response))
    [(status, pairs)] = started
    return int(status.split()[0]), {name.lower(): text for name, text in pairs}, body


def make_asgi(serve: Serve) -> Any:
    """An ASGI application around a function, in the middleware."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        body = serve().encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return asgi.ResilienceMiddleware(app)


def make_wsgi(serve: Serve) -> Any:
    """A WSGI application around a function, in the middleware."""

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        body = serve().encode()
        start_response("200 OK", [])
        return [body]

    return wsgi.ResilienceMiddleware(app)


BOTH = pytest.mark.parametrize(
    ("make", "ask"), [(make_asgi, ask_asgi), (make_wsgi, ask_wsgi)], ids=["asgi", "wsgi"]
)


@BOTH
def test_a_valid_id_is_kept(make: Any, ask: Any) -> None:
    """It is in the response, and known to the code that serves the request."""
    status, headers, body = ask(make(lambda: str(REQUEST_ID.get())), x_request_id="abc-123")
    assert (status, headers["x-request-id"], body) == (200, "abc-123", b"abc-123")
    assert REQUEST_ID.get() is None


@BOTH
@pytest.mark.parametrize("given", ["", "a b", "x" * 129, 'a"b', "ä"])
def test_an_invalid_id_is_replaced_and_logged_once(
    make: Any, ask: Any, given: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The new one has 32 hexadecimal digits; the text of the old one is in no log."""
    _, headers, _ = ask(make(lambda: "ok"), x_request_id=given)
    assert int(headers["x-request-id"], 16) >= 0
    assert len(headers["x-request-id"]) == 32
    [record] = [each for each in caplog.records if each.name == "resilience_stack.request_id"]
    assert record.levelno == logging.WARNING
    assert record.__dict__["request_id"] == headers["x-request-id"]
    if given:
        assert given not in record.getMessage()


@BOTH
def test_a_bug_is_answered_with_its_id(
    make: Any, ask: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """An unhandled exception is a problem document with the ID, and nothing of its text."""

    def serve() -> str:
        raise ZeroDivisionError("a secret")

    status, headers, body = ask(make(serve), x_request_id="abc")
    assert (status, headers["x-request-id"]) == (500, "abc")
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "requestId": "abc",
    }
    assert b"secret" not in body
    del caplog


@BOTH
def test_a_rejection_is_503_with_retry_after(
    bench: Bench,
    make: Any,
    ask: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Guard and state are named, the time until the next probe is rounded up; no log but DEBUG."""
    monkeypatch.setattr(problems, "monotonic", lambda: bench.now_s)
    guard = bench.guard(fail_max=1, retries=(), reset_timeout_s=59.5)
    exhaust(lambda: guard.call(Flaky(9)))
    with caplog.at_level(logging.DEBUG):
        caplog.clear()
        status, headers, body = ask(make(guard(Flaky(0))), x_request_id="abc")
    lines = [each for each in caplog.records if each.name.startswith("resilience_stack")]
    assert {(each.levelno, each.exc_info) for each in lines} == {(logging.DEBUG, None)}
    assert (status, headers["retry-after"], headers["x-request-id"]) == (503, "60", "abc")
    document = json.loads(body)
    assert (document["guard"], document["state"]) == ("database", "open")
    assert (document["category"], document["requestId"]) == ("rejected", "abc")


@BOTH
@pytest.mark.parametrize(("kind", "expected"), [(TimeoutError, 504), (ConnectionError, 502)])
def test_a_failing_dependency_is_no_bug(
    bench: Bench, make: Any, ask: Any, kind: type[Exception], expected: int
) -> None:
    """Time limits and connections have statuses of their own."""
    status, headers, _ = ask(make(bench.guard(retries=())(Flaky(9, kind))))
    assert status == expected
    assert "retry-after" not in headers


@BOTH
def test_a_group_of_failures_is_answered_as_its_members(bench: Bench, make: Any, ask: Any) -> None:
    """Tasks that were refused together are a rejection; with a bug among them it is a bug."""
    guard = bench.guard(fail_max=1, retries=())
    exhaust(lambda: guard.call(Flaky(9)))

    def serve(*others: Exception) -> str:
        try:
            return guard.call(Flaky(0))
        except CircuitBreakerError as error:
            inner = ExceptionGroup("more", [error, *others])
            raise ExceptionGroup("tasks", [error, inner]) from None

    status, headers, body = ask(make(serve))
    assert (status, json.loads(body)["guard"]) == (503, "database")
    assert int(headers["retry-after"]) > 0
    assert ask(make(lambda: serve(ZeroDivisionError())))[0] == 500


@BOTH
def test_log_records_have_the_id(make: Any, ask: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Every record that is made while a request is served, and a dash elsewhere."""

    def serve() -> str:
        logging.getLogger("service").warning("working")
        return "ok"

    ask(make(serve), x_request_id="abc")
    logging.getLogger("service").warning("idle")
    assert [record.__dict__["request_id"] for record in caplog.records] == ["abc", "-"]


@pytest.mark.parametrize(
    ("make", "ask"), [(asgi.HealthApp, ask_asgi), (wsgi.HealthApp, ask_wsgi)], ids=["asgi", "wsgi"]
)
def test_health_is_answered(
    bench: Bench, make: Callable[[ResilienceManager], Any], ask: Any
) -> None:
    """Liveness always passes; readiness fails while a critical dependency is open."""
    app = make(bench.manager)
    guard = bench.guard(fail_max=1, retries=())
    for path in ("/livez", "/readyz"):
        status, headers, body = ask(app, path)
        assert (status, headers["content-type"]) == (200, "application/health+json")
        assert json.loads(body)["status"] == "pass"
    exhaust(lambda: guard.call(Flaky(9)))
    assert ask(app, "/livez")[0] == 200
    assert ask(app, "/readyz")[0] == 503
    assert ask(app, "/other")[0] == 404


def test_a_wsgi_app_that_fails_before_its_body_is_answered_with_the_id() -> None:
    """A response of which only the status is announced is replaced by the error's, ID included."""
    started: list[tuple[str, dict[str, str], bool]] = []

    def serve(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        raise ZeroDivisionError(environ["PATH_INFO"])

    def start_response(status: str, pairs: list[tuple[str, str]], *more: Any) -> None:
        started.append((status, dict(pairs), bool(more)))

    environ = {"PATH_INFO": "/", "REQUEST_METHOD": "GET", "HTTP_X_REQUEST_ID": "a-1"}
    body = b"".join(wsgi.ResilienceMiddleware(serve)(environ, start_response))
    assert [(status[:3], replaced) for status, _, replaced in started] == [
        ("200", False),
        ("500", True),
    ]
    assert started[1][1]["X-Request-ID"] == "a-1"
    assert json.loads(body)["requestId"] == "a-1"


def test_asgi_correlation_id_sees_the_same_id() -> None:
    """What reads that package's ID gets the request ID, and the error response has it too."""
    seen: list[str | None] = []

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        del scope, receive, send
        seen.append(correlation_id.get())
        raise ZeroDivisionError

    status, headers, _ = ask_asgi(CorrelationMiddleware(serve), x_request_id="a-17")
    assert (status, headers["x-request-id"], seen) == (500, "a-17", ["a-17"])
    assert correlation_id.get() is None


def test_the_record_of_a_bug_that_a_server_logs_has_the_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is made when the request is over: the exception knows in which one it was raised."""

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ZeroDivisionError

    async def serve_as_a_server_does() -> None:
        scope = {"type": "http", "headers": [(b"x-request-id", b"abc")]}
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        try:
            await asgi.ResilienceMiddleware(app)(scope, None, send)  # type: ignore[arg-type]
        except ZeroDivisionError:
            logging.getLogger("server").exception("bug")

    asyncio.run(serve_as_a_server_does())
    [record] = [each for each in caplog.records if each.name == "server"]
    assert record.__dict__["request_id"] == "abc"


def test_an_application_without_a_response_is_answered_with_the_id() -> None:
    """The server's own response to that would have none."""

    async def silent(_scope: Any, _receive: Any, _send: Any) -> None:
        return None

    for answer in (
        ask_asgi(asgi.ResilienceMiddleware(silent), x_request_id="abc"),
        ask_wsgi(wsgi.ResilienceMiddleware(lambda *_: []), x_request_id="abc"),
        ask_wsgi(wsgi.ResilienceMiddleware(lambda *_: [b"text"]), x_request_id="abc"),
    ):
        status, headers, body = answer
        assert (status, headers["x-request-id"]) == (500, "abc")
        assert json.loads(body)["requestId"] == "abc"


@pytest.mark.parametrize("header", ["", "X Bad", "X\r\nA: b", "Ü", None, 5])
@pytest.mark.parametrize("middleware", [asgi.ResilienceMiddleware, wsgi.ResilienceMiddleware])
def test_a_name_that_no_header_has_is_refused(middleware: Any, header: object) -> None:
    """When the middleware is made, with the value and what is expected."""
    with pytest.raises((TypeError, ValueError), match=r"header is .*the name of a header"):
        middleware(None, header)


def test_a_refused_websocket_has_the_id() -> None:
    """Where the server takes a response of the application, one is made for an exception, too."""

    async def fail(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ZeroDivisionError

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "headers": [(b"x-request-id", b"abc")],
        "extensions": {"websocket.http.response": {}},
    }
    with pytest.raises(ZeroDivisionError):
        asyncio.run(asgi.ResilienceMiddleware(fail)(scope, None, send))  # type: ignore[arg-type]
    start, body = sent
    assert start["type"] == "websocket.http.response.start"
    assert (b"x-request-id", b"abc") in start["headers"]
    assert body["type"] == "websocket.http.response.body"
