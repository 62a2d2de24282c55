"""Blocks of cases that went through an outage: a block for each phase, a row for each library."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from resilience_bench._model import CaseRecord, Result
from resilience_bench.report import blocks
from resilience_bench.report.blocks import NO_VALUE, Block, BlockRow
from resilience_bench.report.text import clean_text
from resilience_bench.stats.outage import OutageFigures, PhaseFigures, estimate_outages

KIND: Final = "outage"
KIND_OF_WHOLE: Final = "outage as a whole"
HEADERS: Final = {
    "answered": "answered",
    "answers": "live+stale+default",
    "out_p50": "p50",
    "out_p99": "p99",
    "out_p999": "p99.9",
    "out_max": "max",
    "reached": "reached",
    "cpu": "CPU µs",
    "log": "log B",
}
WHOLE_HEADERS: Final = {
    "opened": "opened s",
    "recovered": "recovered s",
    "errors": "errors",
    "unserved": "unserved",
    "threads": "threads",
    "resident": "MB",
    "bare_cpu": "bare CPU µs",
}
MILLION: Final = 1e6


def make_outage_blocks(result: Result) -> list[Block]:
    """Return a block for each phase of each scenario that went through an outage, then one more."""
    cases = {record.case.name: record for record in result.cases}
    groups: dict[str, list[OutageFigures]] = {}
    for figures in estimate_outages(result):
        groups.setdefault(cases[figures.case].case.group, []).append(figures)
    return [block for members in groups.values() for block in _make_blocks(members, cases)]


def _make_blocks(members: Sequence[OutageFigures], cases: Mapping[str, CaseRecord]) -> list[Block]:
    first = cases[members[0].case]
    family, group = clean_text(first.case.family), clean_text(first.case.group)
    labels = [blocks.format_label(cases[figures.case].case) for figures in members]
    names = dict.fromkeys(phase.name for figures in members for phase in figures.phases)
    found: list[Block] = []
    for name in names:
        rows = [
            _make_row(label, phase)
            for label, figures in zip(labels, members, strict=True)
            for phase in figures.phases
            if phase.name == name
        ]
        title = f"{group}: {clean_text(name)}"
        description = clean_text(first.description) if not found else ""
        found.append(
            Block(family, title, description, HEADERS, tuple(rows), KIND, ("out_p999", "out_max"))
        )
    whole = tuple(map(_make_whole_row, labels, members))
    return [*found, Block(family, f"{group}: in all", "", WHOLE_HEADERS, whole, KIND_OF_WHOLE)]


def _make_row(label: str, phase: PhaseFigures) -> BlockRow:
    answers = (phase.answers[kind] for kind in ("live", "stale", "default"))
    cells = {
        "answered": format_share(phase),
        "answers": "+".join(map(blocks.format_count, answers)),
        "reached": blocks.format_count(phase.reached),
        "cpu": f"{round(phase.cpu_us) + 0:+,}",
        "log": _format_bytes(phase.log_bytes),
    }
    for name in ("p50", "p99", "p999", "max"):
        cells[f"out_{name}"] = _format_ms(phase.percentiles_us.get(name))
    return BlockRow(label, cells)


def format_share(phase: PhaseFigures) -> str:
    """Return the share of requests that were answered; 100 % only if all of them were."""
    percent = 100 * phase.answered
    return f"{min(percent, 99.9) if percent < 100 else 100:.3g} %"  # noqa: PLR2004 - per cent


def _format_bytes(count: float) -> str:
    # A line in a while is something else than none.
    return f"{count:.1f}" if 0 < count < 10 else blocks.format_count(count)  # noqa: PLR2004


def _format_ms(latency_us: float | None) -> str:
    if latency_us is None:
        return NO_VALUE
    milliseconds = latency_us / 1e3
    return f"{milliseconds:,.2f}" if milliseconds < 10 else f"{milliseconds:,.0f}"  # noqa: PLR2004


def _make_whole_row(label: str, figures: OutageFigures) -> BlockRow:
    whole = figures.phases[-1]
    resident = whole.resident_bytes
    return BlockRow(
        label,
        {
            "opened": _format_s(figures.opened_s),
            "recovered": _format_s(figures.recovered_s),
            "errors": blocks.format_count(whole.answers["error"] + whole.answers["wrong"]),
            "unserved": blocks.format_count(whole.answers["unserved"]),
            "threads": blocks.format_count(whole.threads),
            "resident": f"{resident / MILLION:,.0f}" if resident else NO_VALUE,
            "bare_cpu": blocks.format_count(figures.bare_cpu_us),
        },
    )


def _format_s(seconds: float | None) -> str:
    return NO_VALUE if seconds is None else f"{seconds:.2f}"


def outages_to_json(result: Result) -> list[dict[str, Any]]:
    """Return the same for programs; what is not known is null, or missing."""
    return [dataclasses.asdict(figures) for figures in estimate_outages(result)]
