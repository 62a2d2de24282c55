"""Criteria, verdicts and builds of the simulated gate."""

from __future__ import annotations

from typing import Any

from resilience_bench.gate.trial import Criterion


def make_criterion(case: str, *, is_null: bool = False, **more: Any) -> Criterion:
    """The criterion that a case costs what it did."""
    return Criterion(case, "latency", "ratio", 1.1, 0.9, 1.0, is_null=is_null, **more)
