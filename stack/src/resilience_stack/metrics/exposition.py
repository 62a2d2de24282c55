"""The text of a scrape, made from what changed since the one before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

__all__ = ["Block", "Breather", "Family", "Quiet", "render"]

Values = tuple[object, ...]


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


class Block:
    """The lines of one guard in one family; made again only when a value has changed."""

    __slots__ = ("_read", "_template", "_text", "_values", "exemplars")

    def __init__(
        self,
        lines: Iterable[tuple[str, dict[str, str]]],
        read: Callable[[], Values],
        exemplars: dict[int, Exemplar] | None = None,
    ) -> None:
        """Prepare the lines.

        Args:
            lines: The name and the labels of each.
            read: Returns the values, one a line.
            exemplars: By the position of a line: an example of what it counts.
        """
        self._template = "".join(f"{_write_series(*line)} %r\n" for line in lines)
        self._read = read
        self._values: Values = ()
        self._text = ""
        self.exemplars = exemplars

    def render(self) -> str:
        """Return the lines as they are now."""
        values = self._read()
        if values != self._values or not self._text:
            self._text = self._template % values
            self._values = values
        return self._text

    def render_with_exemplars(self) -> str:
        """Return the lines as they are now, for OpenMetrics."""
        text = self.render()
        if not self.exemplars:
            return text
        lines = text.splitlines()
        for position, exemplar in self.exemplars.copy().items():
            labels = _write_labels(dict(exemplar.labels))
            moment = "" if exemplar.timestamp is None else f" {exemplar.timestamp}"
            lines[position] += f" # {labels} {exemplar.value!r}{moment}"
        return "\n".join([*lines, ""])


class Family(NamedTuple):
    """A metric with the lines of all guards; a counter's name is without ``_total``."""

    name: str
    kind: str
    documentation: str
    blocks: list[Block]


class Breather:
    """Lets other threads run now and then, while a long text is made.

    A thread that wants to run waits up to 5 ms for one that computes (``sys.getswitchinterval``),
    which is long for a call of a guard. Where the others compute as well, the interpreter divides
    the time by itself, and a scrape that gave way each time would never end.
    """

    __slots__ = ("_last_s", "_left_s")

    EVERY_S: Final = 0.0002
    MOST_S: Final = 0.1
    """So long a scrape gives way in all."""

    def __init__(self) -> None:
        self._last_s = time.perf_counter()
        self._left_s = self.MOST_S

    def breathe(self) -> None:
        """Give way, if it is time."""
        now_s = time.perf_counter()
        if self._left_s > 0 and now_s - self._last_s > self.EVERY_S:
            time.sleep(1e-6)
            self._last_s = time.perf_counter()
            self._left_s -= self._last_s - now_s


def render(families: Iterable[Family], *, as_openmetrics: bool) -> str:
    """Return the text of the families, without the end mark of OpenMetrics."""
    return "".join(_render(families, as_openmetrics=as_openmetrics))


def _render(families: Iterable[Family], *, as_openmetrics: bool) -> Iterator[str]:
    breather = Breather()
    for name, kind, documentation, blocks in families:
        shown = f"{name}_total" if kind == "counter" and not as_openmetrics else name
        yield f"# HELP {shown} {documentation}\n# TYPE {shown} {kind}\n"
        for number, block in enumerate(blocks.copy()):
            yield block.render_with_exemplars() if as_openmetrics else block.render()
            if not number % 10:
                breather.breathe()


def _write_series(name: str, labels: dict[str, str]) -> str:
    return f"{name}{_write_labels(labels)}".replace("%", "%%")


def _write_labels(labels: dict[str, str]) -> str:
    listed = ",".join(f'{name}="{_escape(labels[name])}"' for name in sorted(labels))
    return f"{{{listed}}}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
