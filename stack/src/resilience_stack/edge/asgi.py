"""ASGI: request IDs and error responses as a middleware, health as an application."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from resilience_stack.core.manager import ResilienceManager
from resilience_stack.edge.health import HealthPaths, answer_health
from resilience_stack.edge.problems import describe_problem
from resilience_stack.edge.request_id import (
    HEADER,
    REQUEST_ID,
    add_to_log_records,
    choose_request_id,
    tag_span,
)

__all__ = ["HealthApp", "ResilienceMiddleware"]

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
LOGGER: Final = logging.getLogger("resilience_stack.edge")


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
        """
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
            if message["type"] in {"http.response.start", "websocket.accept"}:
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
        except Exception as error:
            if scope["type"] != "http" or has_started:
                raise
            problem = describe_problem(error, request_id)
            headers = [(name.lower().encode(), text.encode()) for name, text in problem.headers]
            start = {"type": "http.response.start", "status": problem.status, "headers": headers}
            await send_with_id(start)
            await send_with_id({"type": "http.response.body", "body": problem.body})
            if not problem.is_expected:
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
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            answer = answer_health(self._manager, path, self._paths)
        if answer is None and self._app is not None:
            await self._app(scope, receive, send)
            return
        status, media_type, document = answer or (404, "application/json", {"status": "not found"})
        headers = [
            (b"content-type", media_type.encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = b"" if scope.get("method") == "HEAD" else json.dumps(document).encode()
        await send({"type": "http.response.body", "body": body})
