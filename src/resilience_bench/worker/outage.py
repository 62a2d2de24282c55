"""An outage: the dependency goes down on a fixed schedule while requests keep arriving."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from resilience_bench._outages import Outage, OutagePlan, Phase, PhaseCounts
from resilience_bench.scenarios.definition import RESULT
from resilience_bench.scenarios.payload_definition import ServerAddress
from resilience_bench.worker.drift import read_resident_bytes
from resilience_bench.worker.open_loop import OpenLoop, draw_arrivals_ns

HEALTHY: Final = "healthy"
CONTROL_S: Final = 10.0
"""How long the dependency may take to change its behaviour."""
LOOK_S: Final = 0.05
"""Time between two looks at threads and memory."""
FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@dataclass(frozen=True, slots=True)
class ReadValue:
    """A value that was read from the dependency, with its number among all that were read."""

    value: object
    number: int


class Watch:
    """Counts the calls of the dependency, and judges what a request was answered with."""

    def __init__(self, work: Callable[[], Any], value: object) -> None:
        """Note what is called.

        Args:
            work: Calls the dependency.
            value: What it returns.
        """
        self._work = work
        self._value = value
        self._lock = threading.Lock()
        self._calls = 0
        self._read = 0
        self.opened_ns: int | None = None
        self.looks_for_opening = False

    def make_payload(self) -> Callable[[], ReadValue]:
        """Return what the guard is put around, a plain function."""

        def payload() -> ReadValue:
            with self._lock:
                self._calls += 1
            value = self._work()
            with self._lock:
                self._read += 1
                return ReadValue(value, self._read)

        return payload

    def make_server(self, operation: Callable[[], Any]) -> Callable[[], str]:
        """Return what serves a request with the guarded operation, see `OpenLoop`."""

        def serve() -> str:
            calls, read = self._calls, self._read
            try:
                answer = self._judge(operation(), read)
            except Exception:  # noqa: BLE001 - guards raise what they like
                answer = "E"
            if self.looks_for_opening and calls == self._calls and self.opened_ns is None:
                self.opened_ns = time.perf_counter_ns()
            return answer

        return serve

    def _judge(self, seen: object, read: int) -> str:
        if isinstance(seen, ReadValue):
            if seen.value != self._value:
                return "W"
            return "L" if seen.number > read else "S"
        return "D" if isinstance(seen, str) and seen == RESULT else "W"

    def serve_bare(self) -> str:
        """Serve a request without a guard."""
        try:
            return "L" if self._work() == self._value else "W"
        except Exception:  # noqa: BLE001 - drivers raise what they like
            return "E"


class LogCounter(logging.Handler):
    """Writes log records out like a file would, and counts their bytes instead of keeping them."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(FORMAT))
        self.bytes = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count a record."""
        self.bytes += len(self.format(record).encode(errors="replace")) + 1

    @contextlib.contextmanager
    def attached(self) -> Iterator[None]:
        """Be the only handler of the root logger, whose level stays what it is by default."""
        root = logging.getLogger()
        before, root.handlers = root.handlers, [self]
        try:
            yield
        finally:
            root.handlers = before


class Control:
    """The control port of the dependency."""

    def __init__(self, server: ServerAddress) -> None:
        self._connection = socket.create_connection((server.host, server.control_port), CONTROL_S)
        self._file = self._connection.makefile("rwb")

    def behave(self, mode: str, delay_s: float = 0.0) -> int:
        """Have it behave so; return how many calls have reached it before."""
        self._file.write(f"{mode} {delay_s}\n".encode())
        self._file.flush()
        line = self._file.readline()
        if not line:
            raise ConnectionError("the control port of the dependency closed without an answer")
        return int(line)

    def close(self) -> None:
        """Leave it as it is."""
        self._connection.close()


@dataclass(slots=True)
class _Readings:
    """The counters at the beginning of a phase, and the most that was seen since."""

    cpu_ns: int
    reached: int
    log_bytes: int
    threads: int = 0
    resident_bytes: int = 0

    def look(self) -> None:
        """Look at threads and memory."""
        self.threads = max(self.threads, threading.active_count())
        self.resident_bytes = max(self.resident_bytes, read_resident_bytes())


@dataclass(slots=True)
class OutageRun:
    """Puts one operation through an outage."""

    plan: OutagePlan
    watch: Watch
    control: Control
    between: Callable[[], None]
    _log: LogCounter = field(default_factory=LogCounter)

    def measure_bare(self) -> tuple[int, int]:
        """Return how many requests were served without a guard, and their processor time in us."""
        self.control.behave(HEALTHY)
        plan = self.plan
        arrivals_ns = draw_arrivals_ns(plan.rate_per_s, plan.bare_s, plan.seed)
        loop = OpenLoop(self.watch.serve_bare, arrivals_ns, plan.callers)
        loop.prepare()
        before_ns = time.process_time_ns()
        loop.begin()
        self._wait_until(loop.started_ns + int(plan.bare_s * 1e9))
        cpu_ns = time.process_time_ns() - before_ns
        loop.end()
        return len(arrivals_ns), cpu_ns // 1000

    def measure(self, operation: Callable[[], Any], bare: tuple[int, int]) -> Outage:
        """Serve requests with the operation in all phases; ``bare`` is from `measure_bare`."""
        plan = self.plan
        seconds = sum(phase.seconds for phase in plan.phases)
        arrivals_ns = draw_arrivals_ns(plan.rate_per_s, seconds, plan.seed)
        loop = OpenLoop(self.watch.make_server(operation), arrivals_ns, plan.callers)
        with self._log.attached():
            loop.prepare()
            phases = tuple(self._run_phases(loop))
            loop.end()
        opened_ns = self.watch.opened_ns
        return Outage(
            plan.callers,
            *bare,
            phases,
            tuple(arrival_ns // 1000 for arrival_ns in arrivals_ns),
            tuple(loop.latencies_us),
            "".join(loop.answers),
            None if opened_ns is None else (opened_ns - loop.started_ns) // 1000,
        )

    def _run_phases(self, loop: OpenLoop) -> Iterator[PhaseCounts]:
        ends_ns = 0
        phases: Sequence[Phase] = self.plan.phases
        readings = self._read(phases[0])
        loop.begin()
        for number, phase in enumerate(phases):
            starts_ns, ends_ns = ends_ns, ends_ns + int(phase.seconds * 1e9)
            self._wait_until(loop.started_ns + ends_ns, readings)
            following = self._read(phases[min(number + 1, len(phases) - 1)])
            self.watch.looks_for_opening = True
            yield PhaseCounts(
                phase.name,
                phase.mode,
                starts_ns // 1000,
                ends_ns // 1000,
                (following.cpu_ns - readings.cpu_ns) // 1000,
                following.reached - readings.reached,
                following.log_bytes - readings.log_bytes,
                readings.threads,
                readings.resident_bytes,
            )
            readings = following

    def _read(self, following: Phase) -> _Readings:
        """Read all counters once, and begin the following phase."""
        reached = self.control.behave(following.mode, following.delay_s)
        readings = _Readings(time.process_time_ns(), reached, self._log.bytes)
        readings.look()
        return readings

    def _wait_until(self, ends_ns: int, readings: _Readings | None = None) -> None:
        while (left_s := (ends_ns - time.perf_counter_ns()) / 1e9) > 0:
            time.sleep(min(left_s, LOOK_S))
            self.between()
            if readings is not None:
                readings.look()
