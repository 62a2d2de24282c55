"""Small release histories for tests: every number in them is made up."""

from __future__ import annotations

from typing import Any

from resilience_bench._model import Estimate
from resilience_bench.releases.history_file import SCHEMA, CaseCost, Decision, History, Release
from tests.factories import make_environment

CASE = "retry.first_try[tenacity]"
OTHER = "composed.guarded[tenacity+pybreaker]"


def about(value: float) -> Estimate:
    """A value that is known to within a hundredth."""
    return Estimate(value, value * 0.99, value * 1.01)


def make_release(version: str, date: str = "", cost: float = 1000.0, **more: Any) -> Release:
    """A release in which both cases cost so many nanoseconds, and ten times as many counts."""
    quantities = {
        "latency_ns": about(cost),
        "ratio": about(cost / 500),
        "instructions": about(10 * cost),
        "peak_bytes": about(448.0),
    }
    parts: dict[str, Any] = {
        "status": "measured",
        "values": {name: CaseCost("measured", "", dict(quantities)) for name in (CASE, OTHER)},
    }
    return Release(version, date, **{**parts, **more})


def make_step(release: str, before: str, change: float, **more: Any) -> Decision:
    """A step of the latency of a case."""
    parts: dict[str, Any] = {
        "case": CASE,
        "signal": "latency",
        "quantity": "ratio",
        "outcome": "regressed" if change > 1 else "improved",
        "change": about(change),
        "p_value": 1e-12,
        "level": 1e-6,
        "workers": 12,
        "reason": "",
    }
    return Decision(release, before, **{**parts, **more})


def make_history(**more: Any) -> History:
    """Ten releases, one of which does not import; the sixth makes everything slower by half."""
    releases = [
        make_release(f"1.{number}.0", f"2024-{number + 1:02}-03T10:00:00+00:00", 1000.0)
        if number < 5
        else make_release(f"1.{number}.0", f"2024-{number + 1:02}-03T10:00:00+00:00", 1500.0)
        for number in range(10)
    ]
    reason = "ModuleNotFoundError: No module named 'six'"
    broken = Release("0.9.0", "2023-12-03T10:00:00+00:00", "does not import", reason)
    parts: dict[str, Any] = {
        "schema": SCHEMA,
        "package": "tenacity",
        "tool_version": "0.1.0",
        "reference_version": 1,
        "started": "2026-01-02T03:04:05+00:00",
        "ended": "2026-01-02T03:44:05+00:00",
        "complete": True,
        "environment": make_environment(),
        "selectors": (),
        "signals": ("latency", "instructions", "allocations"),
        "not_available": {},
        "tolerances": {"ratio": 0.05, "instructions": 0.01},
        "cases": {CASE: "The first attempt succeeds.", OTHER: "A call succeeds."},
        "releases": (broken, *releases),
        "steps": (
            make_step("1.5.0", "1.4.0", 1.5),
            make_step(
                "1.5.0",
                "1.4.0",
                1.5,
                case=OTHER,
                signal="instructions",
                quantity="instructions",
                p_value=None,
                level=None,
                workers=3,
            ),
        ),
        "undecided": (make_step("1.7.0", "1.6.0", 1.03, outcome="inconclusive", reason="not yet"),),
        "counts": {"regressed": 2, "within": 50, "inconclusive": 1},
        "headline": ("53 decisions",),
    }
    return History(**{**parts, **more})
