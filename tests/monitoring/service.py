"""A service with guards of the stack in each condition; it does the same work at every scrape.

Run as a program it serves its metrics, and files with results of the suite, on a free port.
"""

from __future__ import annotations

import http.server
import itertools
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from redis.exceptions import OutOfMemoryError

from resilience_stack import Bulkhead, Fallback, Policy, ResilienceManager, Retry, RetryBudget
from resilience_stack.integrations.redis.outcomes import Outcomes

ODD = 'odd "name" \\ {x}'
ONCE_MORE = (Retry(on=(ConnectionError,), attempts=2, wait_initial_s=0.0, jitter_s=0.0),)
ROUNDS = 25
"""So often everything is called between two scrapes: enough for the alerts' floors of traffic."""
FAST_S, SLOW_S = 0.02, 0.7
"""How long calls take: within the bucket of 25 ms, and within that of 750 ms."""


class Service:
    """Guards, and a clock that only the guarded calls move."""

    def __init__(self, replace: Callable[[object, str, object], None] = setattr) -> None:
        """Make the guards; ``replace`` puts the clock into the modules of the stack."""
        self.now_s = 0.0
        for name, module in list(sys.modules.items()):
            if name.startswith("resilience_stack.") and hasattr(module, "perf_counter"):
                replace(module, "perf_counter", self.tell_time)
        self.registry = CollectorRegistry()
        self.manager = ResilienceManager(self.registry, sleep=lambda _seconds: None)
        guard = self.manager.guard
        self.stock = guard(
            "stock",
            Policy(fail_max=1_000_000, retries=ONCE_MORE, bulkhead=Bulkhead(limit=7)),
        )
        self.prices = guard("prices", Policy(fail_max=1, retries=()), Fallback(default=dict))
        self.spent = guard(
            "spent",
            Policy(
                fail_max=1_000_000,
                retries=ONCE_MORE,
                budget=RetryBudget(share=0.0, reserve=1),
            ),
        )
        self.flapping = guard("flapping", Policy(fail_max=1, reset_timeout_s=0.0, retries=()))
        self.stale = guard("stale", Policy(fail_max=1_000_000, retries=()), Fallback(stale_s=1e9))
        self.broken = guard(
            "broken", Policy(fail_max=1_000_000, retries=()), Fallback(default=self.fail)
        )
        self.full = guard("full", Policy(bulkhead=Bulkhead(limit=1)))
        self.odd = guard(ODD, Policy())
        self.cache = Outcomes(guard("cache", Policy()))
        self.is_away = False
        self.read = self.stale(self.read_or_fail)
        self.read()
        self.is_away = True
        self.prices.force("open")

    def tell_time(self) -> float:
        """Read the clock."""
        return self.now_s

    def succeed(self, seconds: float = FAST_S) -> None:
        """Take that long."""
        self.now_s += seconds

    def fail(self, seconds: float = FAST_S) -> None:
        """Take that long, then fail."""
        self.now_s += seconds
        raise ConnectionError

    def read_or_fail(self) -> int:
        """Succeed unless the dependency is away."""
        self.succeed()
        if self.is_away:
            raise ConnectionError
        return 1

    def tick(self) -> None:
        """Do what happens between two scrapes."""
        for _ in range(ROUNDS):
            self.run_round()
        self.cache.note_failed_write(OutOfMemoryError())

    def run_round(self) -> None:
        """Call each guard some times."""
        self.repeat(4, lambda: self.stock.call(self.succeed))
        self.repeat(2, lambda: self.stock.call(self.succeed, SLOW_S))
        self.repeat(2, lambda: self.stock.call(self.fail))
        self.repeat(4, lambda: self.prices.call(self.succeed))
        self.repeat(3, lambda: self.spent.call(self.fail))
        self.repeat(1, lambda: self.flapping.call(self.fail))
        self.repeat(1, lambda: self.flapping.call(self.succeed))
        self.repeat(3, self.read)
        self.repeat(2, lambda: self.broken.call(self.fail))
        self.repeat(1, lambda: self.odd.call(self.succeed))

    def hold(self) -> None:
        """Fill a bulkhead for good."""
        threading.Thread(target=self.full.call, args=(threading.Event().wait,), daemon=True).start()

    @staticmethod
    def repeat(times: int, call: Callable[[], object]) -> None:
        """Call that often, whatever comes of it."""
        for _ in range(times):
            with suppress(ConnectionError):
                call()


def serve(folder: Path) -> None:
    """Serve until the end.

    /metrics is the service, /swing a breaker in another state each time, any other path a file of
    the folder.
    """
    service = Service()
    service.hold()
    states = itertools.cycle((0, 2))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                service.tick()
                body = generate_latest(service.registry)
            elif self.path == "/swing":
                family = GaugeMetricFamily("resilience_breaker_state", "", labels=("guard",))
                family.add_metric(("swinging",), next(states))
                registry = CollectorRegistry()
                registry.register(type("Swing", (), {"collect": lambda _self: [family]})())
                body = generate_latest(registry)
            else:
                body = (folder / Path(self.path).name).read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE_LATEST)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
