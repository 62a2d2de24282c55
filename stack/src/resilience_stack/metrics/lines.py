"""The lines of one guard in the text of a scrape, made again only when a value has changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from prometheus_client.samples import Exemplar

from resilience_stack.metrics.durations import Durations

__all__ = ["CallLines", "Lines", "Series", "Values"]

Values = tuple[object, ...]
Texts = list[bytes]
Series = tuple[str, dict[str, str]]
"""The name and the labels of a line."""
CALLS: Final = "resilience_calls"
SECONDS: Final = "resilience_call_seconds"


class Lines:
    """Lines that one reading fills, in one text for each family that they belong to.

    Attributes:
        families: Their names.
        made: The values of the last reading, the text of each family, and the same for OpenMetrics,
            which has examples of calls. One tuple, because scrapes may overlap.
    """

    __slots__ = ("_read", "_templates", "families", "made")

    def __init__(
        self, series: Mapping[str, Sequence[Series]], read: Callable[[], Values], number: str = "%a"
    ) -> None:
        """Prepare the lines.

        Args:
            series: Those of each family.
            read: Returns their values, in the same order.
            number: How a value is written.
        """
        self.families = tuple(series)
        self._read = read
        self._templates: list[tuple[bytes, int, int]] = []
        start = 0
        for listed in series.values():
            template = "".join(f"{_write_series(*each)} {number}\n" for each in listed)
            self._templates.append((template.encode(), start, start + len(listed)))
            start += len(listed)
        self.made = self._write(read())

    def refresh(self) -> None:
        """Read the values, and write the lines again if one has changed."""
        values = self._read()
        if values != self.made[0]:
            self.made = self._write(values)

    def _write(self, values: Values) -> tuple[Values, Texts, Texts]:
        texts = [template % values[start:stop] for template, start, stop in self._templates]
        return values, texts, texts


class CallLines:
    """What `Lines` are, for the calls of one outcome: their number, and the histogram."""

    __slots__ = ("_durations", "_template", "_total", "made")
    families = (CALLS, SECONDS)

    def __init__(self, labels: dict[str, str], durations: Durations, bounds: Sequence[str]) -> None:
        """Prepare the lines.

        Args:
            labels: Those of all lines.
            durations: How long the calls took.
            bounds: The upper bounds of the buckets, as they are written.
        """
        self._durations = durations
        self._total = f"{_write_series(f'{CALLS}_total', labels)} %d.0\n".encode()
        bucket = f"{SECONDS}_bucket"
        lines = [f"{_write_series(bucket, {**labels, 'le': bound})} %d.0\n" for bound in bounds]
        lines.append(f"{_write_series(f'{SECONDS}_count', labels)} %d.0\n")
        lines.append(f"{_write_series(f'{SECONDS}_sum', labels)} %a\n")
        self._template = "".join(lines).encode()
        self.made = self._write(*durations.total(), durations.exemplars.copy())

    def refresh(self) -> None:
        """Write the lines again if a call has ended, or is an example now."""
        counts, sum_s = self._durations.total()
        exemplars = self._durations.exemplars
        if (counts[-1], exemplars) != self.made[0]:
            self.made = self._write(counts, sum_s, exemplars.copy())

    def _write(
        self, counts: list[int], sum_s: float, exemplars: dict[int, Exemplar]
    ) -> tuple[Values, Texts, Texts]:
        count = counts[-1]
        total = self._total % count
        text = self._template % (*counts, count, sum_s)
        plain = linked = [total, text]
        if exemplars:
            linked = [total, _add_exemplars(text, exemplars)]
        return (count, exemplars), plain, linked


def _add_exemplars(text: bytes, exemplars: dict[int, Exemplar]) -> bytes:
    """Write an example behind the line of its bucket, by the position of the line."""
    lines = text.split(b"\n")  # not splitlines: a name may have other ends of lines in it
    for position, exemplar in exemplars.items():
        moment = "" if exemplar.timestamp is None else f" {exemplar.timestamp}"
        example = f" # {_write_labels(exemplar.labels)} {exemplar.value!r}{moment}"
        lines[position] += example.encode()
    return b"\n".join(lines)


def _write_series(name: str, labels: dict[str, str]) -> str:
    return f"{name}{_write_labels(labels)}".replace("%", "%%")


def _write_labels(labels: Mapping[str, str]) -> str:
    listed = ",".join(f'{name}="{_escape(labels[name])}"' for name in sorted(labels))
    return f"{{{listed}}}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
