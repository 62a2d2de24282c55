"""A result as JSON, for programs: every case, every quantity under its own name."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from resilience_bench._model import CaseRecord, Measurement, Result
from resilience_bench.report import drift_rows
from resilience_bench.report.blocks import NAME_LAST, is_loaded
from resilience_bench.report.load_rows import BEST_FIRST, load_order
from resilience_bench.stats.correctness import tallies_of, together
from resilience_bench.stats.drift import measure_drifts
from resilience_bench.stats.load import measure_controls


def render(result: Result, measurements: Sequence[Measurement], sort: str) -> str:
    """The result as one JSON object; ``cases`` holds measured cases first, then the others."""
    measured = {each.case.name: each for each in measurements}
    ordered = sorted(
        (record for record in result.cases if record.case.name in measured),
        key=lambda record: _place(measured[record.case.name], sort),
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
                *(_entry(record, result, measured[record.case.name]) for record in ordered),
                *(_entry(record, result, None) for record in others),
            ],
            "controls": {
                key: {"workers": each.workers, "samples": each.samples} | _quantities(each)
                for key, each in measure_controls(result).items()
            },
            "drifts": drift_rows.entries(measure_drifts(result)),
        },
        indent=2,
    )


def _place(measured: Measurement, sort: str) -> tuple[Any, ...]:
    case = measured.case
    if not is_loaded(measured):
        return case.group, 0, NAME_LAST[sort](measured), case.name
    order = BEST_FIRST[sort](measured)
    return case.group, 1, case.payload, load_order(case.load), order, case.name


def _quantities(measured: Measurement) -> dict[str, Any]:
    return {name: dataclasses.asdict(each) for name, each in measured.quantities.items()}


def _entry(record: CaseRecord, result: Result, measured: Measurement | None) -> dict[str, Any]:
    case = record.case
    tally = together(tallies_of(result.loads, case.name))
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
        "control": record.control,
        "workers": measured.workers if measured else 0,
        "samples": measured.samples if measured else 0,
        "warnings": list(measured.warnings) if measured else [],
        "marks": list(measured.marks) if measured else [],
        "timed_calls": measured.timed_calls if measured else 0,
    }
    if tally:
        entry["tally"] = dataclasses.asdict(tally)
    return entry | _quantities(measured) if measured else entry
