"""Measure a scrape of many guards, and the guarded calls that are made meanwhile."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import os
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import numpy as np
from prometheus_client import CollectorRegistry, generate_latest

from resilience_bench.environments.fingerprint import detect_environment
from resilience_stack import Policy, ResilienceManager

FILE: Final = Path("results/scrape-cost.txt")
CALLERS: Final = 4
CALL_S: Final = 0.001
WINDOW_S: Final = 0.5
BUFFER: Final = bytes(20_000_000)
MOST_MS: Final = 50.0
MOST_TIMES: Final = 1.2
MINE: Final = "manager.render_metrics"
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
    """Median and 99th percentile of calls in milliseconds, without scrapes and during them."""

    p50_ms: tuple[float, float]
    p99_ms: tuple[float, float]


def make_guards(count: int) -> tuple[ResilienceManager, CollectorRegistry]:
    """Return a manager whose guards have each had a success, a failure and a rejection."""
    registry = CollectorRegistry()
    manager = ResilienceManager(registry)
    policy = Policy(fail_max=1, retries=(), reset_timeout_s=1e6)
    for number in range(count):
        guard = manager.guard(f"dependency-{number}", policy)
        guard.call(str)
        for _ in range(2):
            with suppress(Exception):
                guard.call(_fail)
    return manager, registry


def _fail() -> None:
    raise ConnectionError


def _compute() -> bytes:
    """Keep a processor busy without the interpreter's lock: what the machine does to calls."""
    return hashlib.sha256(BUFFER).digest()


def time_scrapes(scrape: Callable[[], bytes], rounds: int) -> Scrape:
    """Scrape so often, and return the medians."""
    lines = scrape().count(b"\n")
    walls, processors = [], []
    for _ in range(rounds):
        started, started_cpu = time.perf_counter(), time.thread_time()
        scrape()
        walls.append((time.perf_counter() - started) * 1e3)
        processors.append((time.thread_time() - started_cpu) * 1e3)
    return Scrape(statistics.median(walls), min(walls), statistics.median(processors), lines)


def time_calls(manager: ResilienceManager, scrape: Callable[[], bytes], rounds: int) -> Calls:
    """Call from some threads in windows without a scrape, and with one after the other, in turn."""
    guard = manager.guard("called", Policy(fail_max=1_000_000, retries=()))
    taken: tuple[list[float], list[float]] = [], []
    is_scraping, is_over = 0, False

    def call() -> None:
        while not is_over:
            window = is_scraping
            started = time.perf_counter()
            guard.call(time.sleep, CALL_S)
            if window == is_scraping:
                taken[window].append((time.perf_counter() - started) * 1e3)

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    for each in callers:
        each.start()
    for _ in range(rounds):
        is_scraping = 0
        time.sleep(WINDOW_S)
        is_scraping, ends = 1, time.perf_counter() + WINDOW_S
        while time.perf_counter() < ends:
            scrape()
    is_over = True
    for each in callers:
        each.join()
    p50, p99 = ([float(np.quantile(each, share)) for each in taken] for share in (0.5, 0.99))
    return Calls((p50[0], p50[1]), (p99[0], p99[1]))


@click.command()
@click.option("-o", "--output", type=Path, default=FILE, show_default=True)
@click.option("--guards", default=1000, show_default=True)
@click.option("--rounds", default=20, show_default=True)
def main(output: Path, guards: int, rounds: int) -> None:
    """Measure, and write the figures."""
    logging.disable(logging.WARNING)
    here, load = detect_environment(), ", ".join(f"{each:.1f}" for each in os.getloadavg())
    manager, registry = make_guards(guards)
    ways: dict[str, Callable[[], bytes]] = {
        MINE: lambda: manager.render_metrics()[0],
        "prometheus_client": lambda: generate_latest(registry),
        BESIDE: _compute,
    }
    found = {
        name: (time_scrapes(scrape, rounds), time_calls(manager, scrape, rounds))
        for name, scrape in ways.items()
    }
    text = (
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {here.python}, {here.cpu_count} x {here.cpu_model}; "
        f"load average {load}; nice {os.nice(0)}\n"
        f"{guards} guards x 3 outcomes; {rounds} scrapes of each; {CALLERS} threads whose guarded "
        f"calls take {CALL_S * 1e3:g} ms,\n{rounds} windows of {WINDOW_S:g} s without and with "
        f"scrapes in turn; times in ms\n\n{_make_table(found)}\n{_judge_all(found)}"
    )
    output.write_text(text, encoding="utf-8")
    click.echo(text, nl=False)


def _make_table(found: dict[str, tuple[Scrape, Calls]]) -> str:
    heads = ("lines", "median", "least", "CPU", "p50 without", "during", "p99 without", "during")
    lines = ["".join([" " * 24, *(f"{head:>13}" for head in heads)])]
    for name, (scrape, calls) in found.items():
        times = (scrape.wall_ms, scrape.least_ms, scrape.cpu_ms, *calls.p50_ms, *calls.p99_ms)
        lines.append(f"{name:24}{scrape.lines:13}" + "".join(f"{each:13.2f}" for each in times))
    return "\n".join([*lines, ""])


def _judge_all(found: dict[str, tuple[Scrape, Calls]]) -> str:
    scrape, calls = found[MINE]
    times = calls.p99_ms[1] / calls.p99_ms[0]
    beside = calls.p99_ms[1] / found[BESIDE][1].p99_ms[1]
    return (
        f"at most {MOST_MS:g} ms a scrape: {_judge(is_met=scrape.wall_ms <= MOST_MS)} by the "
        f"clock, {_judge(is_met=scrape.cpu_ms <= MOST_MS)} by the processor\n"
        f"p99 of calls during scrapes at most {MOST_TIMES:g} x: "
        f"{_judge(is_met=times <= MOST_TIMES)}, {times:.2f} x\n"
        f"the same against a thread that computes without the interpreter's lock: {beside:.2f} x\n"
    )


def _judge(*, is_met: bool) -> str:
    return "met" if is_met else "missed"


if __name__ == "__main__":
    main()
