"""Measure a scrape of many guards, and the guarded calls that are made meanwhile."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import logging
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

import click
import numpy as np
from prometheus_client import CollectorRegistry, generate_latest

from resilience_bench.environments.fingerprint import detect_environment
from resilience_stack import Guard, Policy, ResilienceManager

FILE: Final = Path("results/scrape-cost.txt")
CALLERS: Final = 4
CALL_S: Final = 0.001
WINDOW_S: Final = 0.5
SLOW_ROUNDS: Final = 4
"""One in so many rounds: scrapes of prometheus_client, and windows of scrapes once a second."""
INTERVAL_S: Final = 1.0
BUFFER: Final = bytes(20_000_000)
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0"
MOST_MS: Final = 50.0
MOST_TIMES: Final = 1.2
TIMED: Final = ("nothing changed", "everything changed", "the same, OpenMetrics")
HELD: Final = ("back to back", "back to back, asyncio")
SECONDLY: Final = "once a second"
BESIDE: Final = "computing, no lock held"


@dataclass(frozen=True, slots=True)
class Scrape:
    """How long a scrape takes by the clock and by the processor, and how many lines it has."""

    wall_ms: float
    least_ms: float
    cpu_ms: float
    lines: int


@dataclass(frozen=True, slots=True)
class Calls:
    """Median and 99th percentile of calls in ms, without scrapes and during them.

    ``times`` is the median, over pairs of neighbouring windows, of the ratio of their p99.
    """

    p50_ms: tuple[float, float]
    p99_ms: tuple[float, float]
    times: float


class Windows:
    """The calls of windows without scrapes and with them, in turn."""

    def __init__(self, count: int) -> None:
        self.taken_ms: list[list[float]] = [[] for _ in range(count + 1)]
        self.now = 0
        self._last = count

    @property
    def is_over(self) -> bool:
        """Whether the last window has ended."""
        return self.now == self._last

    def note(self, window: int, started_s: float) -> None:
        """Note a call that began and ended in one window."""
        if window == self.now:
            self.taken_ms[window].append((time.perf_counter() - started_s) * 1e3)

    def summarise(self) -> Calls:
        """Return the percentiles of both kinds of windows."""
        kinds = self.taken_ms[0:-1:2], self.taken_ms[1:-1:2]
        p50, p99 = (
            [float(np.quantile(np.concatenate(kind), share)) for kind in kinds]
            for share in (0.5, 0.99)
        )
        times = [
            float(np.quantile(during, 0.99) / np.quantile(without, 0.99))
            for without, during in zip(*kinds, strict=True)
        ]
        return Calls((p50[0], p50[1]), (p99[0], p99[1]), statistics.median(times))


def make_guards(count: int) -> tuple[ResilienceManager, CollectorRegistry, list[Guard]]:
    """Return a manager whose guards have each had a success, a failure and a rejection."""
    registry = CollectorRegistry()
    manager = ResilienceManager(registry)
    policy = Policy(fail_max=1_000_000, retries=())
    guards = [manager.guard(f"dependency-{number}", policy) for number in range(count)]
    use_all(guards)
    return manager, registry, guards


def use_all(guards: list[Guard]) -> None:
    """Let each guard have one call of each outcome more, and changes of its state."""
    for guard in guards:
        guard.call(str)
        with suppress(ConnectionError):
            guard.call(_fail)
        guard.force("open")
        with suppress(Exception):
            guard.call(str)
        guard.release()


def _fail() -> None:
    raise ConnectionError


def _compute() -> bytes:
    """Keep a processor busy without the interpreter's lock: what the machine does to calls."""
    return hashlib.sha256(BUFFER).digest()


def time_scrapes(
    scrape: Callable[[], bytes], rounds: int, before: Callable[[], None] = lambda: None
) -> Scrape:
    """Scrape so often, and return the medians; something else is done before each."""
    lines = scrape().count(b"\n")
    walls, processors = [], []
    for _ in range(rounds):
        before()
        started, started_cpu = time.perf_counter(), time.thread_time()
        scrape()
        walls.append((time.perf_counter() - started) * 1e3)
        processors.append((time.thread_time() - started_cpu) * 1e3)
    return Scrape(statistics.median(walls), min(walls), statistics.median(processors), lines)


@contextmanager
def call_from_threads(guards: list[Guard], windows: Windows) -> Iterator[None]:
    """Call the guards in turn from some threads, until the windows are over."""

    def call(mine: list[Guard]) -> None:
        for guard in cycle(mine):
            if windows.is_over:
                return
            window, started_s = windows.now, time.perf_counter()
            guard.call(time.sleep, CALL_S)
            windows.note(window, started_s)

    callers = [
        threading.Thread(target=call, args=(guards[number::CALLERS] or guards,))
        for number in range(CALLERS)
    ]
    for each in callers:
        each.start()
    yield
    for each in callers:
        each.join()


@contextmanager
def call_from_tasks(guards: list[Guard], windows: Windows) -> Iterator[None]:
    """Call the guards in turn from some tasks of an event loop in a thread of its own."""

    async def call(mine: list[Guard]) -> None:
        for guard in cycle(mine):
            if windows.is_over:
                return
            window, started_s = windows.now, time.perf_counter()
            await guard.call_async(asyncio.sleep, CALL_S)
            windows.note(window, started_s)

    async def call_all() -> None:
        mine = [guards[number::CALLERS] or guards for number in range(CALLERS)]
        await asyncio.gather(*map(call, mine))

    loop = threading.Thread(target=lambda: asyncio.run(call_all()))
    loop.start()
    yield
    loop.join()


def time_calls(
    guards: list[Guard],
    scrape: Callable[[], object],
    rounds: int,
    *,
    as_tasks: bool = False,
    every_s: float = 0.0,
) -> Calls:
    """Return how long calls take in windows without a scrape and with them, in turn."""
    windows = Windows(2 * rounds)
    length_s = max(WINDOW_S, 2 * every_s)
    with (call_from_tasks if as_tasks else call_from_threads)(guards, windows):
        for _ in range(rounds):
            time.sleep(length_s)
            windows.now += 1
            ends = time.perf_counter() + length_s
            while (started := time.perf_counter()) < ends:
                scrape()
                time.sleep(max(started + every_s - time.perf_counter(), 0.0))
            windows.now += 1
    return windows.summarise()


@click.command()
@click.option("-o", "--output", type=Path, default=FILE, show_default=True)
@click.option("--guards", "count", default=1000, show_default=True)
@click.option("--rounds", default=20, show_default=True)
def main(output: Path, count: int, rounds: int) -> None:
    """Measure, and write the figures: about two minutes."""
    logging.disable(logging.WARNING)
    here, load = detect_environment(), ", ".join(f"{each:.1f}" for each in os.getloadavg())
    manager, registry, guards = make_guards(count)
    few = max(rounds // SLOW_ROUNDS, 1)

    def scrape() -> bytes:
        return manager.render_metrics()[0]

    def render() -> bytes:
        return generate_latest(registry)

    scrapes = {
        TIMED[0]: time_scrapes(scrape, rounds),
        TIMED[1]: time_scrapes(scrape, rounds, lambda: use_all(guards)),
        TIMED[2]: time_scrapes(
            lambda: manager.render_metrics(OPENMETRICS)[0], rounds, lambda: use_all(guards)
        ),
        "prometheus_client": time_scrapes(render, few),
    }
    calls = {
        HELD[0]: time_calls(guards, scrape, rounds),
        HELD[1]: time_calls(guards, scrape, rounds, as_tasks=True),
        SECONDLY: time_calls(guards, scrape, few, every_s=INTERVAL_S),
        "prometheus_client": time_calls(guards, render, few),
        BESIDE: time_calls(guards, _compute, rounds),
    }
    text = (
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {here.python}, {here.cpu_count} x {here.cpu_model}; "
        f"load average {load}; nice {os.nice(0)}\n\n"
        f"Scrapes of {count} guards x 3 outcomes with manager.render_metrics, {rounds} of each\n"
        f"(prometheus_client {few}); times in ms\n\n{_make_scrape_table(scrapes)}\n"
        f"Guarded calls of {CALL_S * 1e3:g} ms, of all guards in turn, from {CALLERS} threads or "
        f"tasks, in windows of {WINDOW_S:g} s\nwithout and with scrapes (once a second: "
        f"{2 * INTERVAL_S:g} s); times in ms; `p99 times` is the median of\nneighbouring windows\n"
        f"\n{_make_call_table(calls)}\n{_judge_all(scrapes, calls)}"
    )
    output.write_text(text, encoding="utf-8")
    click.echo(text, nl=False)


def _make_row(name: str, cells: tuple[object, ...]) -> str:
    shown = [f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in cells]
    return f"{name:24}" + "".join(f"{cell:>13}" for cell in shown) + "\n"


def _make_scrape_table(scrapes: dict[str, Scrape]) -> str:
    rows = [_make_row("", ("lines", "median", "least", "CPU"))]
    for name, each in scrapes.items():
        rows.append(_make_row(name, (each.lines, each.wall_ms, each.least_ms, each.cpu_ms)))
    return "".join(rows)


def _make_call_table(calls: dict[str, Calls]) -> str:
    heads = ("p50 without", "during", "p99 without", "during", "p99 times")
    rows = [_make_row("", heads)]
    for name, each in calls.items():
        rows.append(_make_row(name, (*each.p50_ms, *each.p99_ms, each.times)))
    return "".join(rows)


def _judge_all(scrapes: dict[str, Scrape], calls: dict[str, Calls]) -> str:
    slowest = max(scrapes[name].wall_ms for name in TIMED)
    during = max(calls[name].times for name in HELD)
    return (
        f"at most {MOST_MS:g} ms a scrape: {_judge(is_met=slowest <= MOST_MS)}, "
        f"{slowest:.1f} ms, the slowest of the three\n"
        f"p99 of calls during scrapes at most {MOST_TIMES:g} x: "
        f"{_judge(is_met=during <= MOST_TIMES)}, {during:.2f} x, the higher of the two\n"
        f"the same with a scrape {SECONDLY}: {calls[SECONDLY].times:.2f} x\n"
        f"a thread that computes without the interpreter's lock: {calls[BESIDE].times:.2f} x\n"
    )


def _judge(*, is_met: bool) -> str:
    return "met" if is_met else "missed"


if __name__ == "__main__":
    main()
