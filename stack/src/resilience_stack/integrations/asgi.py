"""asgi-correlation-id: its ID is the request ID of the edge, on every path."""

from __future__ import annotations

from resilience_stack.edge.asgi import App, Receive, ResilienceMiddleware, Scope, Send
from resilience_stack.edge.request_id import HEADER, REQUEST_ID

try:
    from asgi_correlation_id.context import correlation_id
except ImportError as error:
    message = (
        "resilience_stack.integrations.asgi needs asgi-correlation-id: "
        "pip install 'resilience-stack[asgi]'"
    )
    raise ImportError(message) from error

__all__ = ["CorrelationMiddleware"]


class CorrelationMiddleware:
    """`ResilienceMiddleware` for services that use asgi-correlation-id.

    Its log filters, its extension for Celery, and every reader of its ``correlation_id`` see the
    request ID of the edge. Put it in the place of that package's own middleware, which puts no ID
    into the response to an unhandled exception.
    """

    def __init__(self, app: App, header: str = HEADER) -> None:
        """Put it around an application.

        Args:
            app: What serves the requests.
            header: Carries the ID, in requests and responses.
        """
        self._app = app
        self._middleware = ResilienceMiddleware(self._share_id, header)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        await self._middleware(scope, receive, send)

    async def _share_id(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = correlation_id.set(REQUEST_ID.get())
        try:
            await self._app(scope, receive, send)
        finally:
            correlation_id.reset(token)
