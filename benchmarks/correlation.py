"""Request IDs: a middleware around an application, beside the application alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from benchmarks.vocabulary import Payload
from benchmarks.vocabulary_limits import Correlation
from resilience_bench import ANYTHING, Counted, Library, scenario

BARE = Library("bare", "benchmarks.adapters.standard_library:NoCorrelation")
STACK = Library(
    "resilience_stack",
    "benchmarks.adapters.resilience_stack_edge:Correlation",
    ("resilience-stack",),
)
ASGI = (
    BARE,
    Library(
        "asgi_correlation_id",
        "benchmarks.adapters.asgi_correlation_id:Correlation",
        ("asgi-correlation-id",),
    ),
    STACK,
)
WSGI = (BARE, STACK)
ID = "0123456789abcdef0123456789abcdef"
IDS = {"id": ("given", "made")}
"""Whether the request brings its ID, or the middleware makes one."""
OWN_HEADERS = 1


@scenario(library=ASGI, parameters=IDS, returns=ANYTHING, by_default=False)
async def asgi(library: Correlation, payload: Payload, id: str) -> AsyncIterator[Counted]:  # noqa: A002
    """An ASGI application answers a request."""
    given = [(b"x-request-id", ID.encode())] if id == "given" else []
    added = 0

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await payload()
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"done"})

    async def send(message: Any) -> None:
        nonlocal added
        if message["type"] == "http.response.start":
            added += len(message["headers"]) - OWN_HEADERS

    wrapped = library.wrap_asgi(app)

    async def serve() -> None:
        await wrapped({"type": "http", "path": "/", "headers": [*given]}, None, send)

    yield Counted(serve, lambda: added, step=library.adds)
    library.close()


@scenario(library=WSGI, parameters=IDS, returns=ANYTHING, by_default=False)
def wsgi(library: Correlation, payload: Payload, id: str) -> Iterator[Counted]:  # noqa: A002
    """A WSGI application answers a request."""
    given = {"HTTP_X_REQUEST_ID": ID} if id == "given" else {}
    added = 0

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        payload()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"done"]

    def start_response(_status: str, headers: Any, *_more: Any) -> None:
        nonlocal added
        added += len(headers) - OWN_HEADERS

    wrapped = library.wrap_wsgi(app)

    def serve() -> None:
        parts = wrapped({"PATH_INFO": "/", **given}, start_response)
        for _ in parts:
            pass
        close = getattr(parts, "close", None)
        if close is not None:
            close()

    yield Counted(serve, lambda: added, step=library.adds)
    library.close()
