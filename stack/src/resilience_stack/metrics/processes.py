"""prometheus_client's multiprocess mode: what a guard counts itself is written to its files too."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final
from weakref import WeakMethod

from prometheus_client import values
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

__all__ = ["ProcessFiles", "is_multiprocess"]

INTERVAL_S: Final = 1.0
"""A scrape of another process sees what was counted until so long ago."""
GAUGE_MODES: Final = {
    "resilience_bulkhead_limit": "livesum",
    "resilience_calls_in_flight": "livesum",
    "resilience_guard_degraded": "livemax",
}
LIMIT: Final = "resilience_bulkhead_limit"
ENDED: Final = "resilience_calls_total"
Key = tuple[str, tuple[str, ...]]


def is_multiprocess() -> bool:
    """Whether prometheus_client keeps its values in files that several processes share."""
    return bool(getattr(values.ValueClass, "_multiprocess", False))


class ProcessFiles:
    """Copies the series of collectors to the files of the multiprocess mode, once a second.

    A guard counts in memory, which costs less than prometheus_client's own metrics and which its
    multiprocess mode does not see. The files have absolute values: to write them twice changes
    nothing. A child of a fork writes what was counted since; the rest is in its parent's files.
    """

    def __init__(self, sources: Iterable[Collector], reset_locks: Callable[[], None]) -> None:
        """Write from now on, at the end of the process, and in forked children.

        Args:
            sources: What has the guards' own counts.
            reset_locks: Called in a forked child: it forgets who held the locks of the sources.
        """
        self._sources = tuple(sources)
        self._reset_locks = reset_locks
        self._make_value = values.ValueClass
        self._is_stopped = False
        self._values: dict[Key, values.ValueClass] = {}
        self._inherited: dict[Key, float] = {}
        self._ended_at_fork: dict[str, float] = {}
        self._lock = threading.Lock()
        self._start()
        atexit.register(_call_weakly(self.write))
        os.register_at_fork(
            before=_call_weakly(self._lock_for_fork),
            after_in_parent=_call_weakly(self._unlock_after_fork),
            after_in_child=_call_weakly(self._go_on_in_child),
        )

    def write(self) -> None:
        """Write the series as they are now."""
        with self._lock:
            if self._is_stopped:
                return
            ended = self._count_ended() if self._ended_at_fork else {}
            for metric, key, sample in self._read():
                value = self._values.get(key)
                if value is None:
                    value = self._values[key] = self._make(metric, sample)
                if sample.name == LIMIT and self._only_forks(sample.labels["guard"], ended):
                    value.set(0.0)
                else:
                    value.set(sample.value - self._inherited.get(key, 0.0))

    def stop(self) -> None:
        """Write no more: the files are about to be closed."""
        with self._lock:
            self._is_stopped = True

    def _count_ended(self) -> dict[str, float]:
        """Return how many calls of each guard have ended in this process and before its fork."""
        ended: dict[str, float] = {}
        for _, _, sample in self._read():
            if sample.name == ENDED:
                guard = sample.labels["guard"]
                ended[guard] = ended.get(guard, 0.0) + sample.value
        return ended

    def _only_forks(self, guard: str, ended: dict[str, float]) -> bool:
        """Say whether this process has forked, and made no call of a guard since.

        It is a master that serves nothing: the places of its bulkhead are none of the service.
        """
        return self._ended_at_fork.get(guard) == ended.get(guard, 0.0)

    def _make(self, metric: Metric, sample: Sample) -> values.ValueClass:
        return self._make_value(
            metric.type,
            metric.name,
            sample.name,
            tuple(sample.labels),
            tuple(sample.labels.values()),
            metric.documentation,
            multiprocess_mode=GAUGE_MODES.get(metric.name, ""),
        )

    def _read(self) -> Iterator[tuple[Metric, Key, Sample]]:
        for source in self._sources:
            for metric in source.collect():
                below = 0.0
                for sample in metric.samples:
                    plain = sample
                    if sample.name.endswith("_bucket"):
                        # In the files a bucket holds its own calls only.
                        plain = sample._replace(value=sample.value - below)
                        below = 0.0 if sample.labels["le"] == "+Inf" else sample.value
                    elif metric.type == "histogram" and sample.name.endswith("_count"):
                        continue  # the sum of the buckets
                    yield metric, (sample.name, tuple(sample.labels.values())), plain

    def _start(self) -> None:
        run = _call_weakly(self.write)

        def write_until_dropped() -> None:
            is_there = True
            while is_there:
                time.sleep(INTERVAL_S)
                is_there = run()

        name = "resilience_stack: metrics to files"
        threading.Thread(target=write_until_dropped, name=name, daemon=True).start()

    def _lock_for_fork(self) -> None:
        self._lock.acquire()

    def _unlock_after_fork(self) -> None:
        self._ended_at_fork = self._count_ended()
        self._lock.release()

    def _go_on_in_child(self) -> None:
        self._reset_locks()
        self._inherited = {
            key: sample.value for metric, key, sample in self._read() if metric.type != "gauge"
        }
        self._ended_at_fork = {}
        self._lock.release()
        self._start()


def _call_weakly(method: Callable[[], None]) -> Callable[[], bool]:
    """Return a function that calls a method while its object is there, and says whether it is."""
    reference = WeakMethod(method)

    def call() -> bool:
        alive = reference()
        if alive is None:
            return False
        alive()
        return True

    return call
