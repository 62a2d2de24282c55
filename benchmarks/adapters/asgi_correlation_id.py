"""asgi-correlation-id: an ASGI middleware, which keeps the request's ID in a context variable."""

from __future__ import annotations

from asgi_correlation_id import CorrelationIdMiddleware

from benchmarks import vocabulary_limits as vocabulary
from benchmarks.vocabulary import Operation


class Correlation(vocabulary.Correlation):
    """The middleware with its defaults: an ID that is given has to be a UUID."""

    def wrap_asgi(self, app: Operation) -> Operation:
        return CorrelationIdMiddleware(app)
