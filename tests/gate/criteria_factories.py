"""Baselines, verdicts and scripted evidence for the tests of criteria."""

from __future__ import annotations

from typing import Any

from resilience_bench._model import CaseRecord, Estimate
from resilience_bench._verdicts import Outcome, Verdict
from tests.factories import make_case

ONE, TWO, RETRY = make_case("one"), make_case("two"), make_case("tenacity", "retry.first_try")


def known(*records: CaseRecord) -> dict[str, CaseRecord]:
    """Records by name."""
    return {record.case.name: record for record in records}


def verdict(
    outcome: Outcome, signal: str = "latency", seen: float | None = None, **more: Any
) -> Verdict:
    """A verdict on the first case."""
    quantity = None if seen is None else Estimate(seen, seen, seen)
    return Verdict(more.pop("case", ONE.name), signal, "ratio", outcome, seen=quantity, **more)
