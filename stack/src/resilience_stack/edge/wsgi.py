"""WSGI: request IDs and error responses as a middleware, health as an application."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any, Final, NoReturn

from resilience_stack.core.manager import ResilienceManager
from resilience_stack.edge.health import HealthPaths, answer_health
from resilience_stack.edge.problems import describe_problem
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

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]
LOGGER: Final = logging.getLogger("resilience_stack.edge")


class ResilienceMiddleware:
    """Gives each request an ID, and each error a response that names it; see that for ASGI."""

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
        self._key = f"HTTP_{header.upper().replace('-', '_')}"
        add_to_log_records()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        """Serve a request; the ID holds until the last part of the body is made."""
        request_id = choose_request_id(environ.get(self._key))
        has_started = has_sent = False

        def start_with_id(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            nonlocal has_started
            has_started = True
            kept = [pair for pair in headers if pair[0].lower() != self._header.lower()]
            return start_response(status, [*kept, (self._header, request_id)], *more)

        token = REQUEST_ID.set(request_id)
        tag_span(request_id)
        parts: Iterable[bytes] = ()
        try:
            parts = self._app(environ, start_with_id)
            for part in parts:
                if part and not has_started:
                    _refuse_response()
                has_sent = has_sent or bool(part)
                yield part
            if not has_started:
                _refuse_response()
        except Exception as error:
            if has_sent:  # with its headers; until then a server takes others in their place
                mark_error(error, request_id)
                raise
            problem = describe_problem(error, request_id)
            start_with_id(_format_status(problem.status), problem.headers, sys.exc_info())
            if problem.is_expected:
                detail = problem.members["detail"]
                LOGGER.log(problem.log_level, "answered %d: %s", problem.status, detail)
            else:
                LOGGER.exception("answered %d", problem.status)
            yield problem.body
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
            REQUEST_ID.reset(token)


class HealthApp:
    """Answers liveness and readiness; see that for ASGI."""

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

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request."""
        answer = answer_health(self._manager, environ.get("PATH_INFO", ""), self._paths)
        if answer is None and self._app is not None:
            return self._app(environ, start_response)
        status, media_type, document = answer or (404, "application/json", {"status": "not found"})
        body = json.dumps(document).encode()
        headers = [
            ("Content-Type", media_type),
            ("Cache-Control", "no-store"),
            ("Content-Length", str(len(body))),
        ]
        start_response(_format_status(status), headers)
        return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else body]


def _refuse_response() -> NoReturn:
    raise RuntimeError("the application made a response without start_response")


def _format_status(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"
