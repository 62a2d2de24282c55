"""A result as JSON, for programs: every case, every quantity under its own name."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from resilience_bench._model import CaseRecord, Measurement, Result
from resilience_bench.report.rows import NAME_LAST


def render(result: Result, measurements: Sequence[Measurement], sort: str) -> str:
    """The result as one JSON object; ``cases`` holds measured cases first, then the others."""
    measured = {each.case.name: each for each in measurements}
    key = NAME_LAST[sort]
    ordered = sorted(
        (record for record in result.cases if record.case.name in measured),
        key=lambda record: (
            record.case.group,
            key(measured[record.case.name]),
            record.case.name,
        ),
    )
    others = [record for record in result.cases if record.case.name not in measured]
    return json.dumps(
        {
            "schema": result.schema,
            "tool_version": result.tool_version,
            "reference_version": result.reference_version,
            "profile": result.profile,
            "signals": list(result.signals),
            "not_available": result.not_available,
            "started": result.started,
            "ended": result.ended,
            "complete": result.complete,
            "commit": dataclasses.asdict(result.commit) if result.commit else None,
            "environment": dataclasses.asdict(result.environment),
            "cases": [
                *(_entry(record, measured[record.case.name]) for record in ordered),
                *(_entry(record, None) for record in others),
            ],
        },
        indent=2,
    )


def _entry(record: CaseRecord, measured: Measurement | None) -> dict[str, Any]:
    case = record.case
    entry: dict[str, Any] = {
        "case": case.name,
        "family": case.family,
        "scenario": case.scenario,
        "library": case.library,
        "parameters": dict(case.parameters),
        "load": case.load,
        "payload": case.payload,
        "description": record.description,
        "status": record.status,
        "reason": record.reason,
        "missing": record.missing,
        "workers": measured.workers if measured else 0,
        "samples": measured.samples if measured else 0,
        "warnings": list(measured.warnings) if measured else [],
    }
    if measured:
        for name, quantity in measured.quantities.items():
            entry[name] = dataclasses.asdict(quantity)
    return entry
