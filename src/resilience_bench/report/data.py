"""A result as JSON, for programs: every case, every quantity under its own name."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from resilience_bench._model import CaseRecord, Measurement, Result
from resilience_bench.report import drift_rows, outage_rows
from resilience_bench.report.blocks import SORT_KEYS, is_loaded
from resilience_bench.report.load_rows import LOAD_SORT_KEYS, make_load_sort_key
from resilience_bench.stats.correctness import collect_tallies, describe_defect, sum_tallies
from resilience_bench.stats.drift import estimate_drifts
from resilience_bench.stats.load import estimate_controls


def render(result: Result, measurements: Sequence[Measurement], sort: str) -> str:
    """Return the result as one JSON object; in ``cases``, measured cases come first."""
    by_name = {measured.case.name: measured for measured in measurements}
    ordered = sorted(
        (record for record in result.cases if record.case.name in by_name),
        key=lambda record: _make_sort_key(by_name[record.case.name], sort),
    )
    others = [record for record in result.cases if record.case.name not in by_name]
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
                *(_case_to_json(record, result, by_name[record.case.name]) for record in ordered),
                *(_case_to_json(record, result, None) for record in others),
            ],
            "controls": {
                key: {"workers": measured.workers, "samples": measured.samples}
                | _quantities_to_json(measured)
                for key, measured in estimate_controls(result).items()
            },
            "drifts": drift_rows.drifts_to_json(estimate_drifts(result)),
            "outages": outage_rows.outages_to_json(result),
        },
        indent=2,
    )


def _make_sort_key(measured: Measurement, sort: str) -> tuple[Any, ...]:
    case = measured.case
    if not is_loaded(measured):
        return case.group, 0, SORT_KEYS[sort](measured), case.name
    order = LOAD_SORT_KEYS[sort](measured)
    return case.group, 1, case.payload, make_load_sort_key(case.load), order, case.name


def _quantities_to_json(measured: Measurement) -> dict[str, Any]:
    return {name: dataclasses.asdict(estimate) for name, estimate in measured.quantities.items()}


def _case_to_json(
    record: CaseRecord, result: Result, measured: Measurement | None
) -> dict[str, Any]:
    case = dataclasses.asdict(record.case)
    tally = sum_tallies(collect_tallies(result.loads, record.case.name))
    entry: dict[str, Any] = {
        "case": record.case.name,
        **case,
        "parameters": dict(record.case.parameters),
        "description": record.description,
        "status": record.status,
        "reason": record.reason,
        "missing": record.missing,
        "control": record.control,
        "workers": measured.workers if measured else 0,
        "samples": measured.samples if measured else 0,
        "warnings": list(measured.warnings) if measured else [],
        "marks": list(map(describe_defect, measured.defects)) if measured else [],
        "timed_calls": measured.timed_calls if measured else 0,
    }
    if tally:
        entry["tally"] = dataclasses.asdict(tally)
    return entry | _quantities_to_json(measured) if measured else entry
