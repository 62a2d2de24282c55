"""From a bucket of the latency histogram to the trace of a call, through a real Prometheus."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_span_id, format_trace_id
from prometheus_client import CollectorRegistry, make_wsgi_app

from resilience_stack import Policy, ResilienceManager
from resilience_stack.integrations.otel import TracedManager
from tests.monitoring import prometheus_server
from tests.monitoring.prometheus_server import PATIENCE_S

ODD = 'odd "name" \\ {x}\n<b>'
HISTOGRAM = "resilience_call_seconds_bucket"


class _Silent(WSGIRequestHandler):
    def log_message(self, *_args: object) -> None:
        pass


@contextlib.contextmanager
def serve(application: Any) -> Iterator[int]:
    """Serve the metrics on a free port."""
    with make_server("127.0.0.1", 0, application, handler_class=_Silent) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("way", ["render_metrics", "make_wsgi_app"])
def test_prometheus_leads_from_a_bucket_to_the_trace(tmp_path: Path, way: str) -> None:
    """What the API says of exemplars is the trace of each guard's call, and how long it took."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    registry = CollectorRegistry()
    manager = ResilienceManager(registry)
    traced = TracedManager(manager, provider.get_tracer("test"))
    for name in ("stock", ODD):
        traced.guard(name, Policy()).call(str)
    calls: dict[str, ReadableSpan] = {
        str((span.attributes or {})["resilience.guard"]): span
        for span in exporter.get_finished_spans()
        if span.name != "attempt"
    }

    def render(environ: dict[str, str], start_response: Any) -> list[bytes]:
        body, content_type = manager.render_metrics(environ.get("HTTP_ACCEPT", ""))
        start_response("200 OK", [("Content-Type", content_type)])
        return [body]

    application = render if way == "render_metrics" else make_wsgi_app(registry)
    with serve(application) as port:
        target = [{"targets": [f"127.0.0.1:{port}"]}]
        config = {
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [{"job_name": "shop", "static_configs": target}],
        }
        enable = "--enable-feature=exemplar-storage"
        with prometheus_server.start(tmp_path, config, enable) as prometheus:
            found = wait_for_exemplars(prometheus, len(calls))
    assert found.keys() == calls.keys()
    for name, exemplar in found.items():
        context = calls[name].context
        assert context
        assert exemplar["labels"] == {
            "trace_id": format_trace_id(context.trace_id),
            "span_id": format_span_id(context.span_id),
        }
        assert 0 < float(exemplar["value"]) <= float(exemplar["le"])


def wait_for_exemplars(
    prometheus: prometheus_server.Prometheus, count: int
) -> dict[str, dict[str, Any]]:
    """Return the exemplars of so many guards, by the guard's name, with the bucket of each."""
    ends_s = time.monotonic() + PATIENCE_S
    while True:
        now = datetime.now(UTC)
        data = prometheus.get(
            "query_exemplars",
            query=HISTOGRAM,
            start=(now - timedelta(hours=1)).isoformat(),
            end=(now + timedelta(hours=1)).isoformat(),
        )
        found = {
            series["seriesLabels"]["guard"]: {**exemplar, "le": series["seriesLabels"]["le"]}
            for series in data
            for exemplar in series["exemplars"]
        }
        if len(found) >= count:
            return found
        assert time.monotonic() < ends_s, prometheus.log.read_text()
        time.sleep(0.2)
