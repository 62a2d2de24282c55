"""Outages for tests: every number in them is made up, and the same each time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from resilience_bench._model import Case, Result
from resilience_bench._outages import Outage, OutagePlan, OutageRecord, Phase, PhaseCounts
from tests.factories import make_case, make_record, make_result

WHEN = ("2026-01-02T03:30:00+00:00", "2026-01-02T03:31:00+00:00")
SECOND_US = 1_000_000
GAP_US = 1000
"""A request arrives every millisecond."""
LETTERS = ("L", "S", "S", "S", "L")
NAMES = ("healthy", "slow", "refusing", "frozen", "back")
MODES = (*NAMES[:-1], "healthy")
SCHEDULE = OutagePlan(
    tuple(
        Phase(name, mode, 0.4, 0.75 if mode == "slow" else 0.0)
        for name, mode in zip(NAMES, MODES, strict=True)
    ),
    rate_per_s=100.0,
    callers=4,
    bare_s=0.2,
    seed=1,
)
"""An outage of two seconds, for real workers."""


def make_outage(letters: tuple[str, ...] = LETTERS, **more: Any) -> Outage:
    """Phases of a second with 1,000 requests each, all answered alike, as fast as their number."""
    count = SECOND_US // GAP_US
    phases = tuple(
        PhaseCounts(
            name,
            mode,
            number * SECOND_US,
            (number + 1) * SECOND_US,
            cpu_us=(200 - 40 * number) * count,
            reached=count if mode == "healthy" else 5,
            log_bytes=10 * number * count,
            threads=60 + number,
            resident_bytes=(50 + number) * 10**6,
        )
        for number, (name, mode) in enumerate(zip(NAMES, MODES, strict=True))
    )
    parts: dict[str, Any] = {
        "callers": 64,
        "bare_requests": 100,
        "bare_cpu_us": 15_000,
        "phases": phases,
        "arrivals_us": tuple(range(0, len(phases) * SECOND_US, GAP_US)),
        "latencies_us": tuple(range(1, count + 1)) * len(phases),
        "answers": "".join(letter * count for letter in letters),
        "opened_us": SECOND_US + 250_000,
    }
    return Outage(**{**parts, **more})


def make_outage_result(outages: Mapping[Case, Outage] | None = None, **more: Any) -> Result:
    """A result of two libraries: one answers with old values, the other raises."""
    made = outages or {
        make_case("stack", payload="outage"): make_outage(),
        make_case("obvious", payload="outage"): make_outage(
            ("L", "U", "E", "E", "E"), opened_us=None
        ),
    }
    records = tuple(OutageRecord(case.name, 0, *WHEN, outage) for case, outage in made.items())
    parts: dict[str, Any] = {"signals": ("outage",), "profile": "chaos", "outages": records}
    return make_result([make_record(case) for case in made], **{**parts, **more})
