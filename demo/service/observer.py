"""What can be seen of each request: headers of its response, a log line, a span."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.service.calls import CALLS

LOGGER: Final = logging.getLogger("demo.requests")
CALLS_HEADER: Final = "X-Calls"
"""What the request asked of the dependencies, see `note_call`, with commas between."""
WORKER_HEADER: Final = "X-Worker"
"""The process that served it."""
SPANS: Final = "spans-{}.json"


class Spans:
    """The spans of this process, in OpenTelemetry's exporter in memory."""

    def __init__(self) -> None:
        """Export to memory from now on."""
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("demo")

    def write(self, folder: str) -> None:
        """Write the request IDs of all spans, null for one without, to a file of this process."""
        spans = self._exporter.get_finished_spans()
        found = [(span.attributes or {}).get("http.request.id") for span in spans]
        path = Path(folder) / SPANS.format(os.getpid())
        path.write_text(json.dumps(found), encoding="utf-8")


class Observer:
    """A middleware outside of the one that gives requests their IDs."""

    def __init__(self, app: ASGIApp, spans: Spans | None = None) -> None:
        """Put it around an application.

        Args:
            app: What serves the requests.
            spans: If given, each request is a span and a log line.
        """
        self._app = app
        self._spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        calls: list[str] = []

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", ()),
                    (CALLS_HEADER.lower().encode(), ",".join(calls).encode()),
                    (WORKER_HEADER.lower().encode(), str(os.getpid()).encode()),
                ]
                if self._spans is not None:
                    LOGGER.info("%s %s: %d", scope["method"], scope["path"], message["status"])
            await send(message)

        token = CALLS.set(calls)
        try:
            with self._start_span(scope):
                await self._app(scope, receive, send_noted)
        finally:
            CALLS.reset(token)

    @contextlib.contextmanager
    def _start_span(self, scope: Scope) -> Iterator[None]:
        if self._spans is None:
            yield
            return
        with self._spans.tracer.start_as_current_span(f"{scope['method']} {scope['path']}"):
            yield
