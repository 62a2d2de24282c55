"""resilience-stack: request IDs, traces and health, which are around the guards or beside them."""

from __future__ import annotations

import logging
from functools import partial

from prometheus_client import CollectorRegistry

import resilience_stack.edge.asgi
import resilience_stack.edge.wsgi
from benchmarks import vocabulary_limits as vocabulary
from benchmarks.vocabulary import NEVER, Operation, Payload
from resilience_bench import Counted, Unsupported
from resilience_stack import Policy, ResilienceManager

NAME = "dependency"
POLICY = Policy(fail_max=NEVER, retries=())
SPANS_OF_A_CALL = 2
"""One of the call, and one of its only attempt."""


class Correlation(vocabulary.Correlation):
    """The middlewares of the edge; they also put the ID into every log record."""

    def __init__(self) -> None:
        self._make_record = logging.getLogRecordFactory()

    def wrap_asgi(self, app: Operation) -> Operation:
        return resilience_stack.edge.asgi.ResilienceMiddleware(app)

    def wrap_wsgi(self, app: Operation) -> Operation:
        return resilience_stack.edge.wsgi.ResilienceMiddleware(app)

    def close(self) -> None:
        """Make log records as before."""
        logging.setLogRecordFactory(self._make_record)


class Telemetry(vocabulary.Telemetry):
    """A guard, whose metrics are always there, and one that is traced as well."""

    def __init__(self) -> None:
        self._managers: list[ResilienceManager] = []

    def observe(self, payload: Payload, kind: str) -> Operation | Counted:
        """Trace by the integration with OpenTelemetry; the spans end in a counter."""
        registry = CollectorRegistry()
        manager = ResilienceManager(registry)
        guard = manager.guard(NAME, POLICY)
        if kind == "off":
            raise Unsupported("its metrics cannot be left out")
        if kind == "metrics":
            self._managers.append(manager)
            # In multiprocess mode it makes its files when it writes the first time.
            manager.flush_metrics()
            labels = {"guard": NAME, "outcome": "success"}
            read = partial(registry.get_sample_value, "resilience_calls_total", labels)
            return Counted(guard(payload), lambda: read() or 0)
        from opentelemetry.sdk.trace import TracerProvider

        from resilience_stack.integrations.otel import TracedGuard

        spans = vocabulary.SpanCounter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(spans)
        traced = TracedGuard(guard, provider.get_tracer("benchmark"))
        return Counted(traced(payload), lambda: spans.ended, step=SPANS_OF_A_CALL)

    def close(self) -> None:
        """Stop the writing of files in multiprocess mode, which goes on once a second."""
        for manager in self._managers:
            manager.flush_metrics()
            files = manager._metrics.files  # noqa: SLF001 - a service writes until it ends
            if files is not None:
                files.stop()


class Health(vocabulary.HealthReports):
    """The manager's report, and its probe."""

    def read(self, guards: int) -> Operation:
        manager = ResilienceManager(CollectorRegistry())
        for number in range(guards):
            manager.guard(f"{NAME}-{number}", POLICY)
        return manager.health

    def probe(self, payload: Payload) -> Operation:
        """Check the dependency by the payload."""
        manager = ResilienceManager(CollectorRegistry())
        manager.guard(NAME, POLICY)
        return manager.probe(NAME, payload).check_once
