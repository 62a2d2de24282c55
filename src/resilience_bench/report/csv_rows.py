"""A result as CSV: one line a case and quantity, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from typing import Final

from resilience_bench._model import Result
from resilience_bench.report.exported import ExportedFigure, collect_figures

COLUMNS: Final = (
    "case",
    "family",
    "scenario",
    "library",
    "parameters",
    "load",
    "payload",
    "quantity",
    "unit",
    "value",
    "low",
    "high",
    "workers",
    "warnings",
)


def render(result: Result) -> str:
    """Return every figure of a result below a line of names; UserError if there is none.

    Numbers are written in full, in the unit of their line. Names with separators, quotes or line
    breaks are quoted (RFC 4180); lines end with a line feed.
    """
    file = io.StringIO(newline="")
    plain = csv.writer(file, lineterminator="\n")
    # A carriage return alone ends a line for readers; before Python 3.13 it is not quoted.
    quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writerow(COLUMNS)
    for row in map(_make_row, collect_figures(result)):
        (quoting if any("\r" in str(cell) for cell in row) else plain).writerow(row)
    return file.getvalue()


def _make_row(figure: ExportedFigure) -> tuple[object, ...]:
    case, measured = figure.measured.case, figure.measured
    return (
        case.name,
        case.family,
        case.scenario,
        case.library,
        " ".join(f"{key}={value}" for key, value in case.parameters),
        case.load,
        case.payload,
        figure.quantity,
        figure.unit,
        figure.estimate.value,
        figure.estimate.low,
        figure.estimate.high,
        measured.workers,
        "; ".join(measured.warnings),
    )
