"""What the page shows: read from the service's metrics, its log, Prometheus and the load."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from demo.load import Load, Outcome, count_kinds, find_quantile_ms
from demo.stage import PROMETHEUS, SERVICE, Stage

STATES: Final = ("closed", "half-open", "open")
SECONDS: Final = 60
"""So much of the past is in the picture."""
EVENTS: Final = 50
RECENT_S: Final = 5.0
"""The latency is that of the requests of so long."""
PAUSE_S: Final = 0.5
TRANSITION: Final = "breaker of guard"
"""How the log line of a change of a breaker begins."""


class Watch:
    """Looks at a stage twice a second."""

    def __init__(self, stage: Stage, load: Load) -> None:
        """Look at nothing yet."""
        self._stage, self._load = stage, load
        self._events: deque[dict[str, Any]] = deque(maxlen=EVENTS)
        self._guards: list[dict[str, Any]] = []
        self._alerts: dict[tuple[str, str], str] = {}
        self._ends: dict[str, str] = {}
        self._log_position = 0
        self._began_s = time.time()
        self.note("the demo has started")

    def note(self, text: str, kind: str = "person") -> None:
        """Add an event.

        Args:
            text: What happened.
            kind: Who says so: person, breaker or alert; or end.
        """
        self._events.appendleft({"at_s": time.time(), "text": text, "kind": kind})

    async def run(self) -> None:
        """Look until cancelled; what does not answer is asked again."""
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    text = (await client.get(f"{self._stage.service_url}/metrics")).text
                    self._guards = summarize_guards(text)
                self._note_ends(self._stage.explain_ends())
                self._read_log()
                if self._stage.prometheus is not None:
                    with contextlib.suppress(httpx.HTTPError):
                        self._note_alerts(
                            await asyncio.to_thread(self._stage.prometheus.list_alerts)
                        )
                await asyncio.sleep(PAUSE_S)

    def _note_ends(self, ends: dict[str, str]) -> None:
        """Note what ended by itself since the last time; nothing old is shown of it."""
        for title in ends.keys() - self._ends.keys():
            self.note(ends[title], "end")
        self._ends = ends
        if SERVICE in ends:
            self._guards = []
        if PROMETHEUS in ends:
            self._alerts = {}

    def describe(self) -> dict[str, Any]:
        """Return all that the page shows."""
        now_s = time.time()
        outcomes = list(self._load.outcomes)
        recent = [each for each in outcomes if each.at_s >= now_s - RECENT_S]
        prometheus = self._stage.prometheus
        return {
            "seconds": count_by_second(outcomes, now_s),
            "running_s": now_s - self._began_s,
            "sent": self._load.sent,
            "unsent": self._load.unsent,
            "p50_ms": find_quantile_ms(recent, 0.5),
            "p99_ms": find_quantile_ms(recent, 0.99),
            "guards": self._guards,
            "dependencies": [
                {"name": each.name, "title": each.title, "ways": each.ways, "broken": each.broken}
                for each in self._stage.dependencies.values()
            ],
            "events": list(self._events),
            "alerts": [
                {"name": name, "guard": guard, "state": state}
                for (name, guard), state in sorted(self._alerts.items())
            ],
            "prometheus": prometheus.url if prometheus and PROMETHEUS not in self._ends else "",
            "gone": list(self._ends.values()),
            "missing": self._stage.missing,
        }

    def _read_log(self) -> None:
        """Note the changes of breakers since the last time, by the service's log."""
        with contextlib.suppress(OSError), self._stage.log.open("rb") as log:
            log.seek(self._log_position)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self._log_position += len(line)
                with contextlib.suppress(ValueError):
                    record = json.loads(line)
                    is_change = str(record["message"]).startswith(TRANSITION)
                    # Trial calls that fail are left out: there is one each second.
                    if is_change and "closed" in {record["state_before"], record["state"]}:
                        text = (
                            f"{record['guard']}: {record['state_before']} → {record['state']} "
                            f"(worker {record['worker']}, {record['last_error'] or 'no error'})"
                        )
                        self.note(text, "breaker")

    def _note_alerts(self, listed: list[dict[str, Any]]) -> None:
        """Note which alerts began and ceased to fire since the last time."""
        alerts = {
            (each["labels"]["alertname"], each["labels"].get("guard", "")): str(each["state"])
            for each in listed
        }
        fired, fires = (
            {key for key, state in found.items() if state == "firing"}
            for found in (self._alerts, alerts)
        )
        for name, guard in sorted(fires - fired):
            self.note(f"{name} fires for {guard}", "alert")
        for name, guard in sorted(fired - fires):
            self.note(f"{name} for {guard} is resolved", "alert")
        self._alerts = alerts


def summarize_guards(exposition: str) -> list[dict[str, Any]]:
    """Return the guards of all workers together, by the text of their metrics."""
    guards: dict[str, dict[str, Any]] = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            if not sample.name.startswith("resilience_") or "guard" not in sample.labels:
                continue
            name = sample.labels["guard"]
            guard = guards.setdefault(
                name, {"name": name, "state": "closed", "degraded": False, "calls": {}}
            )
            if sample.name == "resilience_breaker_state":
                guard["state"] = STATES[int(sample.value)]
            elif sample.name == "resilience_guard_degraded":
                guard["degraded"] = bool(sample.value)
            elif sample.name == "resilience_calls_total":
                guard["calls"][sample.labels["outcome"]] = int(sample.value)
            elif sample.name == "resilience_fallbacks_total":
                guard["calls"][sample.labels["source"]] = int(sample.value)
    return [guards[name] for name in sorted(guards)]


def count_by_second(outcomes: Iterable[Outcome], now_s: float) -> list[dict[str, int]]:
    """Return what the requests got in each of the last seconds, the oldest first."""
    first_s = int(now_s) - SECONDS
    buckets: list[list[Outcome]] = [[] for _ in range(SECONDS)]
    for outcome in outcomes:
        if 0 <= (position := int(outcome.at_s) - first_s) < SECONDS:
            buckets[position].append(outcome)
    return [count_kinds(bucket) for bucket in buckets]
