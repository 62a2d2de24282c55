"""An HTTP server of the tests, in a thread: it gives prepared replies, and keeps a journal."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

__all__ = ["HttpServer", "Reply"]


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"body"


class HttpServer:
    """Answers each request with the next of its replies, and 200 when there are none left.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        journal: Of each request the method, the body, and the headers.
        replies: What is answered next.
        hold: Requests wait until it is set.
        held: How many requests have come and are not answered yet.
    """

    def __init__(self) -> None:
        self.journal: list[tuple[str, bytes, dict[str, str]]] = []
        self.replies: deque[Reply] = deque()
        self.hold = threading.Event()
        self.hold.set()
        self.held = 0
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.hold.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait(self) -> None:
        """Wait until requests may be answered."""
        if not self.hold.is_set():
            with self._lock:
                self.held += 1
            self.hold.wait()

    def reply(self, replies: Iterable[int | Reply]) -> None:
        """Answer with these next."""
        self.replies += [one if isinstance(one, Reply) else Reply(one) for one in replies]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 2048

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that the tests cut."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    owner: HttpServer

    def handle_any(self) -> None:
        """Note the request, and answer it."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.owner.journal.append((self.command, body, dict(self.headers.items())))
        self.owner.wait()
        reply = self.owner.replies.popleft() if self.owner.replies else Reply()
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any  # noqa: N815 - the library's

    def log_message(self, *args: Any) -> None:
        """Write nothing."""
