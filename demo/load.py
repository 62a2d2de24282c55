"""A load whose requests come when they come: the arrival times are fixed beforehand."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import httpx

from demo.service.observer import CALLS_HEADER, WORKER_HEADER
from demo.service.tables import NAMES
from resilience_stack.edge.request_id import HEADER

KINDS: Final = ("live", "stale", "default", "failed")
"""What a request can get, from the best to the worst."""
ORDER_SHARE: Final = 0.2
OWN_ID_SHARE: Final = 0.9
"""So many requests bring an ID of their own; the others get one of the service."""
SEED: Final = 1
LIMIT_S: Final = 30.0
"""An answer that takes longer is lost: far more than any limit of the service."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one request.

    Attributes:
        at_s: When it was due, in seconds since 1970.
        latency_s: From then until its answer had come.
        status: Of the response; 0 if there was none.
        given_id: The request ID that was sent; empty for none.
        request_id: The one in the response; empty for none.
        worker: The process that answered.
        calls: What the service asked of its dependencies, each as ``dependency=result``.
    """

    at_s: float
    latency_s: float
    status: int
    given_id: str
    request_id: str = ""
    worker: str = ""
    calls: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The worst that is in the answer, one of `KINDS`."""
        if not 0 < self.status < 500:  # noqa: PLR2004 - a server's error
            return "failed"
        results = {call.partition("=")[2] for call in self.calls}
        return next((kind for kind in ("default", "stale") if kind in results), "live")


class Load:
    """Sends requests at a steady rate, whatever becomes of them, up to a limit in flight.

    Attributes:
        outcomes: The outcomes of the requests that have ended, the latest last.
        sent: How many were sent.
        unsent: How many were due while too many were in flight; they were not sent.
    """

    def __init__(
        self, url: str, *, rate: float, in_flight: int = 200, kept: int | None = None
    ) -> None:
        """Send nothing yet.

        Args:
            url: Where the service is.
            rate: Requests a second, on average.
            in_flight: No more requests than this at once.
            kept: How many outcomes are kept; by default all.
        """
        self.outcomes: deque[Outcome] = deque(maxlen=kept)
        self.sent = 0
        self.unsent = 0
        self._rate, self._in_flight = rate, in_flight
        self._random = random.Random(SEED)  # noqa: S311 - a seeded load
        self._tasks: set[asyncio.Task[None]] = set()
        # A new connection for each request: the kernel spreads them over the workers.
        limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=0)
        self._client = httpx.AsyncClient(
            base_url=url, limits=limits, timeout=LIMIT_S, trust_env=False
        )

    async def run(self, is_over: asyncio.Event) -> None:
        """Send until it is over, then wait for the answers that are still to come."""
        at_s = time.time()
        async with self._client:
            # Looked at here as well: a wait of 0 s ends without looking at the event.
            while not is_over.is_set():
                at_s += self._random.expovariate(self._rate)
                wait_s = max(at_s - time.time(), 0.0)
                try:
                    await asyncio.wait_for(is_over.wait(), wait_s)
                except TimeoutError:
                    self._send(at_s)
            await asyncio.gather(*self._tasks)

    def _send(self, at_s: float) -> None:
        path = f"{self._random.randint(1, len(NAMES))}"
        is_order = self._random.random() < ORDER_SHARE
        request = ("POST", f"/orders/{path}") if is_order else ("GET", f"/items/{path}")
        given_id = uuid.uuid4().hex if self._random.random() < OWN_ID_SHARE else ""
        if len(self._tasks) >= self._in_flight:
            self.unsent += 1
            return
        self.sent += 1
        task = asyncio.create_task(self._ask(*request, at_s, given_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, method: str, path: str, at_s: float, given_id: str) -> None:
        headers = {HEADER: given_id} if given_id else {}
        try:
            response = await self._client.request(method, path, headers=headers)
        except httpx.TransportError:
            self.outcomes.append(Outcome(at_s, time.time() - at_s, 0, given_id))
            return
        calls = response.headers.get(CALLS_HEADER, "")
        self.outcomes.append(
            Outcome(
                at_s=at_s,
                latency_s=time.time() - at_s,
                status=response.status_code,
                given_id=given_id,
                request_id=response.headers.get(HEADER, ""),
                worker=response.headers.get(WORKER_HEADER, ""),
                calls=tuple(calls.split(",")) if calls else (),
            )
        )


def count_calls(outcomes: Iterable[Outcome]) -> Counter[str]:
    """Return how often each ``dependency=result`` is in the answers."""
    return Counter(call for outcome in outcomes for call in outcome.calls)


def count_kinds(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Return how many requests got what, with all `KINDS` in it."""
    counted = Counter(outcome.kind for outcome in outcomes)
    return {kind: counted[kind] for kind in KINDS}


def find_quantile_ms(outcomes: Iterable[Outcome], share: float) -> float | None:
    """Return the latency that so large a share of the requests did not exceed; None for none."""
    latencies_s = sorted(outcome.latency_s for outcome in outcomes)
    if not latencies_s:
        return None
    position = min(int(share * len(latencies_s)), len(latencies_s) - 1)
    return 1000 * latencies_s[position]
