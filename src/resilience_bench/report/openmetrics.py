"""A result as metrics: one text that is both OpenMetrics and Prometheus's text format.

node_exporter's textfile collector reads the older format, in which ``# UNIT`` and ``# EOF`` are
comments and the type ``info`` does not exist. So what describes the run is a gauge of 1, as
``go_info`` and ``prometheus_build_info`` are. No sample has a timestamp: the collector refuses
files with timestamps.

The ends of an interval are metrics of their own and not a label: a query that names no label must
not add an estimate and its ends together (Prometheus, "Metric and label naming": the sum or the
average over all labels of a metric has to mean something).

Source: OpenMetrics 1.0 (https://prometheus.io/docs/specs/om/open_metrics_spec/).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from resilience_bench._model import Case, Result
from resilience_bench.report.exported import (
    ExportedFigure,
    collect_figures,
    explain_quantity,
    is_main,
)

PREFIX: Final = "resilience_bench"
UNITS: Final[Mapping[str, tuple[str, float]]] = {
    "ns": ("seconds", 1e-9),
    "B": ("bytes", 1.0),
    "instructions": ("instructions", 1.0),
    "": ("ratio", 1.0),
}
"""Prometheus's base unit, and the factor to it, by the unit of a figure."""
ENDS: Final = {
    "": "",
    "low": " Lower end of the 95 % interval, or the least of a few processes.",
    "high": " Upper end of the 95 % interval, or the most of a few processes.",
}


def render(result: Result) -> str:
    """Return the main figures, the run's environment and its time; UserError if there are none."""
    families: dict[str, dict[str, ExportedFigure]] = {}
    for figure in collect_figures(result):
        if is_main(figure.quantity):
            # By name, because a series that comes twice makes the whole file unreadable.
            families.setdefault(figure.quantity, {})[figure.name] = figure
    lines = list(_render_run(result))
    for quantity, figures in families.items():
        for end in ENDS:
            lines += _render_family(quantity, list(figures.values()), end)
    return "\n".join([*lines, "# EOF"]) + "\n"


def make_name(quantity: str, unit: str, end: str = "") -> tuple[str, str]:
    """Return the name of a metric and its unit, which the name ends with as OpenMetrics wants."""
    if unit == "1/s":
        base = f"{quantity.removesuffix('_per_s').rpartition('_')[2]}_per_second"
        stem = quantity.removesuffix("_per_s").rpartition("_")[0]
    else:
        base = UNITS[unit][0]
        stem = quantity.removesuffix("_ns").removesuffix("_bytes")
        stem = stem.removesuffix("instructions").rstrip("_")
        stem = "latency" if quantity == "ratio" else stem
    return "_".join(filter(None, (PREFIX, stem, end, base))), base


def _render_family(quantity: str, figures: Sequence[ExportedFigure], end: str) -> Iterator[str]:
    name, base = make_name(quantity, figures[0].unit, end)
    factor = UNITS.get(figures[0].unit, ("", 1.0))[1]
    yield from _render_head(name, explain_quantity(quantity) + ENDS[end], base)
    for figure in figures:
        value: float = getattr(figure.estimate, end or "value")
        yield _render_sample(name, _make_labels(figure.measured.case), value * factor)


def _render_run(result: Result) -> Iterator[str]:
    environment, commit = result.environment, result.commit
    labels = {
        "python": environment.python,
        "free_threaded": str(environment.free_threaded).lower(),
        "cpu": environment.cpu_model,
        "cpu_count": str(environment.cpu_count),
        "machine": environment.machine,
        "os": environment.os,
        "commit": commit.revision if commit else "",
        "clean": str(commit.clean).lower() if commit else "",
        "date": result.started,
        "profile": result.profile,
        "tool_version": result.tool_version,
        "reference_version": str(result.reference_version),
    }
    name = f"{PREFIX}_run_info"
    yield from _render_head(name, "The run that the other metrics are of; always 1.", "")
    yield _render_sample(name, labels, 1.0)
    if (ended_s := _parse_time_s(result.ended)) is not None:
        name = f"{PREFIX}_run_timestamp_seconds"
        yield from _render_head(name, "When the run ended, in seconds since 1970.", "seconds")
        yield _render_sample(name, {}, ended_s)


def _render_head(name: str, text: str, unit: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} gauge"
    if unit:
        yield f"# UNIT {name} {unit}"


def _render_sample(name: str, labels: Mapping[str, str], value: float) -> str:
    listed = ",".join(f'{label}="{_escape(text)}"' for label, text in labels.items())
    return f"{name}{{{listed}}} {value!r}" if listed else f"{name} {value!r}"


def _make_labels(case: Case) -> dict[str, str]:
    return {
        "case": case.name,
        "family": case.family,
        "scenario": case.scenario,
        "library": case.library,
        "load": case.load,
        "payload": case.payload,
    }


def _escape(text: str) -> str:
    """Escape as both formats ask; what cannot be printed is written as in Python."""
    shown = (
        character
        if character.isprintable() or character == "\n"
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
    return "".join(shown).replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _parse_time_s(text: str) -> float | None:
    try:
        return dt.datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None  # a file that somebody edited
