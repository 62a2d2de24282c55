"""The text of a scrape, made from what changed since the one before."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from resilience_stack.metrics.lines import CallLines, Lines

__all__ = ["Breather", "Family", "Quiet"]

PIECES: Final = 200
"""So many pieces of text are collected between two looks at the clock."""


class Quiet(Collector):
    """Several collectors as one, which a registry leaves out while their text is made elsewhere."""

    def __init__(self, parts: Iterable[Collector]) -> None:
        """Join the parts, in the order of a scrape."""
        self._parts = tuple(parts)
        self._is_left_out = ContextVar("resilience_left_out", default=False)

    @contextmanager
    def left_out(self) -> Iterator[None]:
        """Leave all series out, in this thread or task, while the block lasts."""
        token = self._is_left_out.set(True)
        try:
            yield
        finally:
            self._is_left_out.reset(token)

    def describe(self) -> Iterator[Metric]:
        """Name the metrics, so that a registry that has them already refuses these."""
        for part in self._parts:
            yield from part.describe()  # type: ignore[attr-defined]

    def collect(self) -> Iterator[Metric]:
        """Return all series, or none."""
        if not self._is_left_out.get():
            for part in self._parts:
                yield from part.collect()


class Family:
    """A metric with the lines of all guards; a counter's name is without ``_total``."""

    __slots__ = ("_documentation", "_kind", "_name", "entries")

    def __init__(self, metric: Metric) -> None:
        """Begin without lines."""
        self._name, self._kind, self._documentation = metric.name, metric.type, metric.documentation
        self.entries: list[tuple[Lines | CallLines, int]] = []
        """What has lines of this family, and where among its texts."""

    def write(self, breather: Breather, *, as_openmetrics: bool) -> list[bytes]:
        """Return the text in pieces."""
        is_total = self._kind == "counter" and not as_openmetrics
        shown = f"{self._name}_total" if is_total else self._name
        head = f"# HELP {shown} {self._documentation}\n# TYPE {shown} {self._kind}\n"
        pieces = [head.encode()]
        for start in range(0, len(self.entries), PIECES):
            some = self.entries[start : start + PIECES]
            if as_openmetrics:
                pieces += [lines.made[2][position] for lines, position in some]
            else:
                pieces += [lines.made[1][position] for lines, position in some]
            breather.breathe()
        return pieces


class Breather:
    """Lets other threads run now and then, while a long text is made.

    A thread that wants to run waits up to 5 ms for one that computes (``sys.getswitchinterval``),
    which is long for a call of a guard. Where the others compute as well, the interpreter divides
    the time by itself, and a scrape that gave way each time would never end.
    """

    __slots__ = ("_every_s", "_last_s", "_left_s")

    EVERY_S: Final = 0.0001
    OFTEN_S: Final = 0.015
    """So long a scrape gives way every `EVERY_S`; then it is long, and has to end."""
    SELDOM_S: Final = 0.0004
    MOST_S: Final = 0.1
    """So long a scrape gives way in all."""

    def __init__(self) -> None:
        self._last_s = time.perf_counter()
        self._left_s = self.MOST_S
        self._every_s = self.EVERY_S

    def breathe(self) -> None:
        """Give way, if it is time."""
        now_s = time.perf_counter()
        if self._left_s > 0 and now_s - self._last_s > self._every_s:
            time.sleep(1e-6)
            self._last_s = time.perf_counter()
            self._left_s -= self._last_s - now_s
            if self._left_s < self.MOST_S - self.OFTEN_S:
                self._every_s = self.SELDOM_S
