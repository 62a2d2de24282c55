"""Runs a drill: breaks and heals on schedule, and gathers the evidence."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from demo.drill.checks import read_counts
from demo.drill.evidence import Evidence, Firing, PhaseTimes
from demo.drill.phases import PHASES, Alert, Phase
from demo.errors import DemoError
from demo.load import Load
from demo.prometheus import EVALUATION_MS, PrometheusClient, Series
from demo.stage import Stage

PATIENCE_S: Final = 90.0
"""A phase that lasts longer ends, and its alerts are missing."""
SETTLE_S: Final = 15.0
"""So long the last counts may take to reach Prometheus: a second to a file, a scrape, and more."""
PAUSE_S: Final = 0.25
GAP_S: Final = 8 * EVALUATION_MS / 1000
"""An alert that was not evaluated for longer has ended in between."""
REQUESTS: Final = "demo.requests"
"""The logger of the lines of requests."""


async def run_drill(
    stage: Stage, rate: float, spans_folder: Path, say: Callable[[str], None]
) -> Evidence:
    """Run all phases under load; the service is ended in the end.

    Args:
        stage: With Redis, PostgreSQL and Prometheus.
        rate: Requests a second.
        spans_folder: Where the workers leave the IDs of their spans.
        say: Gets a word about each phase as it begins.

    Raises:
        DemoError: If Prometheus does not scrape the service.
    """
    prometheus = stage.prometheus
    assert prometheus is not None
    await _wait(lambda: bool(prometheus.query("up == 1")), PATIENCE_S)
    if not prometheus.query("up == 1"):
        raise DemoError("Prometheus does not scrape the service; type: scripts/drill again")
    load, is_over = Load(stage.service_url, rate=rate), asyncio.Event()
    sending = asyncio.create_task(load.run(is_over))
    passed = []
    for phase in PHASES:
        say(phase.name)
        passed.append(await _pass_through(phase, stage, prometheus))
    is_over.set()
    await sending
    outcomes = tuple(load.outcomes)
    await _wait(lambda: _is_counted(prometheus, outcomes), SETTLE_S)
    counted = _read_counters(prometheus)
    [up] = prometheus.read_samples("up")
    logged = _read_log(stage.log)
    firings, still_firing = _read_firings(prometheus), tuple(sorted(_list_alerts(prometheus)))
    await asyncio.to_thread(stage.end_service)
    return Evidence(
        phases=tuple(passed),
        outcomes=outcomes,
        unsent=load.unsent,
        counted=counted,
        scrapes_s=tuple(at_s for at_s, value in up.samples if value == 1),
        firings=firings,
        still_firing=still_firing,
        waits_s=prometheus.read_waits(),
        logged=logged,
        spans=_read_spans(spans_folder),
    )


async def _pass_through(phase: Phase, stage: Stage, prometheus: PrometheusClient) -> PhaseTimes:
    """Break or heal, and wait until the alerts have seen it."""
    began_s = time.time()
    if phase.way == "heal":
        await asyncio.to_thread(stage.dependencies[phase.dependency].heal)
    elif phase.way:
        await asyncio.to_thread(stage.dependencies[phase.dependency].damage, phase.way)

    def is_seen() -> bool:
        if time.time() < began_s + phase.least_s:
            return False
        if phase.alerts:
            return set(phase.alerts) <= _list_alerts(prometheus, "firing")
        return not _list_alerts(prometheus)

    await _wait(is_seen, PATIENCE_S)
    return PhaseTimes(phase, began_s, time.time())


async def _wait(holds: Callable[[], bool], patience_s: float) -> None:
    """Ask again and again until it holds, or patience is at an end."""
    ends_s = time.monotonic() + patience_s
    while not await asyncio.to_thread(holds) and time.monotonic() < ends_s:  # noqa: ASYNC110
        await asyncio.sleep(PAUSE_S)


def _list_alerts(prometheus: PrometheusClient, state: str = "") -> set[Alert]:
    """Return the alerts of a state; of all states by default."""
    return {
        (alert["labels"]["alertname"], alert["labels"].get("guard", ""))
        for alert in prometheus.list_alerts()
        if state in {"", alert["state"]}
    }


def _is_counted(prometheus: PrometheusClient, outcomes: tuple[object, ...]) -> bool:
    counts = read_counts(outcomes, _read_counters(prometheus))  # type: ignore[arg-type]
    return all(count.by_load == count.by_prometheus for count in counts)


def _read_counters(prometheus: PrometheusClient) -> dict[str, float]:
    """Return the counters of the guards as they were scraped last, see `Evidence.counted`."""
    found = {}
    for labels, value in prometheus.query('{__name__=~"resilience_.*_total"}'):
        name = labels.pop("__name__")
        for place in ("instance", "job"):
            labels.pop(place)
        found[",".join([name, *(labels[key] for key in sorted(labels))])] = value
    return found


def _read_firings(prometheus: PrometheusClient) -> tuple[Firing, ...]:
    """Return each time that an alert fired."""
    pending = {
        _get_alert(series): list_runs([at_s for at_s, _ in series.samples])
        for series in prometheus.read_samples('ALERTS{alertstate="pending"}')
    }
    firings = []
    for series in prometheus.read_samples('ALERTS{alertstate="firing"}'):
        alert = _get_alert(series)
        for first_s, last_s in list_runs([at_s for at_s, _ in series.samples]):
            earlier_s = [began_s for began_s, _ in pending.get(alert, []) if began_s < first_s]
            firings.append(Firing(alert, max(earlier_s, default=first_s), first_s, last_s))
    return tuple(sorted(firings, key=lambda firing: firing.firing_s))


def list_runs(times_s: list[float]) -> list[tuple[float, float]]:
    """Return the first and the last time of each run of evaluations without a gap."""
    runs: list[tuple[float, float]] = []
    for at_s in times_s:
        if runs and at_s - runs[-1][1] <= GAP_S:
            runs[-1] = runs[-1][0], at_s
        else:
            runs.append((at_s, at_s))
    return runs


def _get_alert(series: Series) -> Alert:
    return series.labels["alertname"], series.labels.get("guard", "")


def _read_log(log: Path) -> Counter[str]:
    """Count the request IDs in the log lines of requests."""
    lines = log.read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines if line.startswith("{")]
    return Counter(record["request_id"] for record in records if record["logger"] == REQUESTS)


def _read_spans(folder: Path) -> Counter[str]:
    """Count the request IDs of the spans of all workers."""
    return Counter(
        request_id or ""
        for path in folder.glob("spans-*.json")
        for request_id in json.loads(path.read_text(encoding="utf-8"))
    )
