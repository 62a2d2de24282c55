"""statsd: nothing is kept; every change is one UDP datagram."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any

from statsd import StatsClient

from benchmarks import vocabulary
from benchmarks.vocabulary import Operation, Payload
from resilience_bench import Counted, Unsupported

RECEIVE_BUFFER_BYTES = 1
"""Asks for the smallest buffer there is. Nobody reads it while the clock runs: it is full after a
few datagrams and the kernel drops the rest, so that every call finds the socket in one state."""
LONGEST_DATAGRAM = 512


class Metrics(vocabulary.Metrics):
    """A client of statsd, and the socket that it sends to."""

    @contextlib.contextmanager
    def opened(self, attributes: int = 0) -> Iterator[Meter]:
        """Open a socket on the loopback interface and a client of it; close both."""
        del attributes
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            server.bind(("127.0.0.1", 0))
            server.settimeout(0)
            host, port = server.getsockname()
            client = StatsClient(host, port)
            try:
                yield Meter(client, server)
            finally:
                # Before 4.0 a client had no close().
                getattr(client, "close", client._sock.close)()  # noqa: SLF001


class Meter(vocabulary.Meter):
    """Metrics of one client; what is counted is the datagrams that arrive."""

    def __init__(self, client: StatsClient, server: socket.socket) -> None:
        self._client = client
        self._server = server
        self._received = 0

    def counter_inc(self) -> Counted:
        """Send the increment of a counter."""
        return Counted(partial(self._client.incr, "requests"), self._receive, is_lossy=True)

    def labels_positional_inc(self) -> Counted:
        """Refuse: a metric is a name."""
        raise Unsupported(_NO_LABELS)

    def labels_keyword_inc(self) -> Counted:
        """Refuse: a metric is a name."""
        raise Unsupported(_NO_LABELS)

    def child_inc(self) -> Counted:
        """Refuse: a metric is a name."""
        raise Unsupported(_NO_LABELS)

    def gauge_set(self) -> Counted:
        """Send the value of a gauge."""
        return Counted(partial(self._client.gauge, "in_flight", 3), self._receive, is_lossy=True)

    def histogram_observe(self) -> Counted:
        """Send a timing, which the server makes a histogram of."""
        return Counted(partial(self._client.timing, "latency", 200), self._receive, is_lossy=True)

    def summary_observe(self) -> Counted:
        """Refuse: there is one kind of observation, measured as a histogram."""
        raise Unsupported("it has no summary: its one kind of observation is histogram_observe")

    def timer(self, payload: Payload) -> Counted:
        """Time a block and send its timing."""
        timer = self._client.timer

        def timed() -> Any:
            with timer("latency"):
                return payload()

        return Counted(timed, self._receive, is_lossy=True)

    def multiprocess_counter_inc(self, directory: str) -> Counted:
        """Refuse: processes share nothing."""
        del directory
        raise Unsupported("it has no multiprocess mode: the server adds the processes up")

    def scrape(self, series: int) -> Operation:
        """Refuse: every change is sent at once."""
        del series
        raise Unsupported("nothing is scraped: every change is sent at once")

    def _receive(self) -> float:
        with contextlib.suppress(BlockingIOError):
            while self._server.recv(LONGEST_DATAGRAM):
                self._received += 1
        return self._received


_NO_LABELS = "it has no labels: a metric is a name"
