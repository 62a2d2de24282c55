"""ASGI: request IDs and error responses as a middleware, health as an application."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from resilience_stack.core.manager import ResilienceManager
from resilience_stack.edge.health import HealthPaths, answer_health
from resilience_stack.edge.problems import Problem, describe_problem
from resilience_stack.edge.request_id import (
    HEADER,
    REQUEST_ID,
    add_to_log_records,
    choose_request_id,
    mark_error,
    refuse_bad_header,
    tag_span,
)

__all__ = ["HealthApp", "ResilienceMiddleware"]

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
LOGGER: Final = logging.getLogger("resilience_stack.edge")
STARTS: Final = {"http.response.start", "websocket.accept", "websocket.http.response.start"}
"""The messages that have the headers of a response; the last one refuses a WebSocket."""
DENIAL: Final = "websocket.http.response"
"""The extension by which a server can refuse a WebSocket with a response of the application."""


class ResilienceMiddleware:
    """Gives each request an ID, and each error a response that names it.

    The ID is in the response on every path: an exception that reaches this middleware is answered
    here, because the server's own response to it would have no ID. What a guard refused, or its
    dependency failed, ends here; a bug is raised again after its response, so that the server logs
    its traceback.
    """

    def __init__(self, app: App, header: str = HEADER) -> None:
        """Put it around an application.

        Args:
            app: What serves the requests.
            header: Carries the ID, in requests and responses.

        Raises:
            TypeError: If the header is no text.
            ValueError: If no header can have that name.
        """
        refuse_bad_header(header)
        self._app = app
        self._header = header
        self._name = header.lower().encode("latin-1")
        add_to_log_records()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        request_id = choose_request_id(self._find_id(scope))
        has_started = False

        async def send_with_id(message: Message) -> None:
            nonlocal has_started
            if message["type"] in STARTS:
                has_started = True
                headers = [
                    pair for pair in message.get("headers", ()) if pair[0].lower() != self._name
                ]
                message["headers"] = [*headers, (self._name, request_id.encode())]
            await send(message)

        token = REQUEST_ID.set(request_id)
        tag_span(request_id)
        try:
            await self._app(scope, receive, send_with_id)
            if scope["type"] == "http" and not has_started:  # a bug, or the client is gone
                LOGGER.warning("the application made no response, answered 500")
                await _send_problem(describe_problem(None, request_id), "http", send_with_id)
        except Exception as error:
            kind = _find_response(scope)
            problem = describe_problem(error, request_id)
            if has_started or kind is None:
                mark_error(error, request_id)
                raise
            await _send_problem(problem, kind, send_with_id)
            if not problem.is_expected:
                mark_error(error, request_id)
                raise
            detail = problem.members["detail"]
            LOGGER.log(problem.log_level, "answered %d: %s", problem.status, detail)
        finally:
            REQUEST_ID.reset(token)

    def _find_id(self, scope: Scope) -> str | None:
        for name, value in scope.get("headers", ()):
            if name.lower() == self._name:
                text: str = value.decode("latin-1")
                return text
        return None


def _find_response(scope: Scope) -> str | None:
    """Return what the messages of a response are called; None if there can be none."""
    if scope["type"] == "http":
        return "http"
    return "websocket.http" if DENIAL in (scope.get("extensions") or {}) else None


async def _send_problem(problem: Problem, kind: str, send: Send) -> None:
    headers = [(name.lower().encode(), text.encode()) for name, text in problem.headers]
    start = {"type": f"{kind}.response.start", "status": problem.status, "headers": headers}
    await send(start)
    await send({"type": f"{kind}.response.body", "body": problem.body})


class HealthApp:
    """Answers liveness and readiness; mount it, or put it before an application.

    Liveness touches nothing: whoever answers is alive. Readiness is what the manager's guards say.
    """

    def __init__(
        self, manager: ResilienceManager, app: App | None = None, paths: HealthPaths | None = None
    ) -> None:
        """Answer for the guards of a manager.

        Args:
            manager: Whose guards they are.
            app: Serves all other paths; without one they are not found.
            paths: Where liveness and readiness are.
        """
        self._manager = manager
        self._app = app
        self._paths = paths or HealthPaths()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        answer = None
        if scope["type"] == "http":
            answer = answer_health(self._manager, _find_path(scope), self._paths)
        if answer is None and self._app is not None:
            await self._app(scope, receive, send)
            return
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        status, media_type, document = answer or (404, "application/json", {"status": "not found"})
        headers = [
            (b"content-type", media_type.encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = b"" if scope.get("method") == "HEAD" else json.dumps(document).encode()
        await send({"type": "http.response.body", "body": body})


def _find_path(scope: Scope) -> str:
    """Return the path within the application, which may be mounted under another one."""
    path: str = scope["path"]
    root: str = (scope.get("root_path") or "").rstrip("/")
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


async def _live(receive: Receive, send: Send) -> None:
    """Tell a server that there is nothing to be started or stopped."""
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
