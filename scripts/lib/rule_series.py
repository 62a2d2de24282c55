"""Series of a guard for promtool's tests, from what happens in each phase of a story."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

STEP_S: Final = 30
"""The time between two scrapes of a story."""
COUNTERS: Final[Mapping[str, tuple[str, str]]] = {
    "success": ("resilience_calls_total", 'outcome="success"'),
    "failure": ("resilience_calls_total", 'outcome="failure"'),
    "rejected": ("resilience_calls_total", 'outcome="rejected"'),
    "retries": ("resilience_retries_total", ""),
    "budget_refusals": ("resilience_retry_budget_exhausted_total", ""),
    "stale": ("resilience_fallbacks_total", 'source="stale"'),
    "default": ("resilience_fallbacks_total", 'source="default"'),
    "fallback_failures": ("resilience_fallback_failures_total", ""),
    "refused_writes": ("resilience_cache_failed_writes_total", 'reason="out_of_memory"'),
}
"""What is counted, by its name here: the metric, and its label."""
GAUGES: Final[Mapping[str, str]] = {
    "state": "resilience_breaker_state",
    "degraded": "resilience_guard_degraded",
    "in_flight": "resilience_calls_in_flight",
    "limit": "resilience_bulkhead_limit",
}
UP: Final = "up"


@dataclass(frozen=True, slots=True)
class Phase:
    """What happens for some time.

    Attributes:
        per_minute: Calls and the like per minute, by the names of `COUNTERS`; what is not named
            does not happen. ``slow`` is how many of the calls took longer than the objective.
        gauges: By the names of `GAUGES`; those that are not named are 0, and the limit 20.
        is_scraped: Whether Prometheus reaches the service.
    """

    minutes: int
    per_minute: Mapping[str, int] = field(default_factory=dict)
    gauges: Mapping[str, int] = field(default_factory=dict)
    is_scraped: bool = True


def make_series(phases: Sequence[Phase], guard: str, instance: str = "a:1") -> list[dict[str, str]]:
    """Return the series of a guard, in the notation of promtool's tests."""
    target = f'job="shop", instance="{instance}"'
    labels = f'{target}, guard="{guard}"'
    made = []
    for name, (metric, label) in COUNTERS.items():
        rates = [phase.per_minute.get(name, 0) for phase in phases]
        made.append(_write(metric, f"{labels}, {label}".rstrip(", "), _count(phases, rates)))
    for outcome, label in (("success", 'outcome="success"'), ("failure", 'outcome="failure"')):
        calls = [phase.per_minute.get(outcome, 0) for phase in phases]
        # Slow calls fail first, as those do that run into a time limit.
        failures = [phase.per_minute.get("failure", 0) for phase in phases]
        slow = [phase.per_minute.get("slow", 0) for phase in phases]
        slow_failures = list(map(min, slow, failures))
        mine = (
            slow_failures
            if outcome == "failure"
            else [every - failed for every, failed in zip(slow, slow_failures, strict=True)]
        )
        fast = [every - late for every, late in zip(calls, mine, strict=True)]
        bucket = f'{labels}, {label}, le="0.5"'
        made.append(_write("resilience_call_seconds_bucket", bucket, _count(phases, fast)))
        made.append(
            _write("resilience_call_seconds_count", f"{labels}, {label}", _count(phases, calls))
        )
    for name, metric in GAUGES.items():
        values = [phase.gauges.get(name, 20 if name == "limit" else 0) for phase in phases]
        made.append(_write(metric, labels, _hold(phases, values)))
    ups = [int(phase.is_scraped) for phase in phases]
    always = [Phase(phase.minutes) for phase in phases]
    made.append(_write(UP, target, _hold(always, ups)))
    return made


def _write(metric: str, labels: str, values: Iterator[str]) -> dict[str, str]:
    return {"series": f"{metric}{{{labels}}}", "values": " ".join(values)}


def _count(phases: Sequence[Phase], per_minute: Sequence[int]) -> Iterator[str]:
    value = 0.0
    for phase, rate in zip(phases, per_minute, strict=True):
        steps = phase.minutes * 60 // STEP_S
        grown = rate * STEP_S / 60
        if phase.is_scraped:
            yield f"{value + grown:g}+{grown:g}x{steps - 1}"
        else:
            yield _skip(steps)
        value += grown * steps


def _hold(phases: Sequence[Phase], values: Sequence[int]) -> Iterator[str]:
    for phase, value in zip(phases, values, strict=True):
        steps = phase.minutes * 60 // STEP_S
        yield f"{value}x{steps - 1}" if phase.is_scraped else _skip(steps)


def _skip(steps: int) -> str:
    # A target that is not scraped has stale series at first, then none.
    return f"stale _x{steps - 1}" if steps > 1 else "stale"


def repeat(phases: Sequence[Phase], times: int) -> list[Phase]:
    """Return the phases again and again."""
    return list(itertools.chain.from_iterable([phases] * times))
