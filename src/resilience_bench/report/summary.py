"""The summary of a large run: which libraries are cheapest and costliest, and what is doubtful."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from resilience_bench._model import Measurement, Result
from resilience_bench.report.blocks import (
    TimeUnit,
    choose_unit,
    format_count,
    format_label,
    format_title,
    get_value,
    group_comparable,
)
from resilience_bench.report.caveats import (
    collect_defects,
    collect_missing_signals,
    collect_not_measured,
    collect_warnings,
    list_unavailable_signals,
)
from resilience_bench.report.text import clean_text

MAX_FULL_CASES: Final = 24
"""A run with no more measured cases than this is shown in full."""
MAX_ROWS: Final = 24
"""How many scenarios are shown in all, the same number of each family."""
MAX_FAILURES: Final = 6
OBVIOUS: Final = "tenacity+pybreaker"
"""The composition that people write first, against which the reference stack is held."""
REFERENCE_STACK: Final = "resilience_stack"
QUANTITIES: Final = ("calls_per_s", "latency_ns", "instructions")
"""What libraries are ranked by: the first of these that was measured."""


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """Two libraries of one scenario, each with what it costs; ``factor`` is between the two."""

    scenario: str
    cheaper: str
    cheaper_cost: str
    costlier: str
    costlier_cost: str
    factor: float


@dataclass(frozen=True, slots=True)
class SummarySection:
    """The rows of a family, or of another heading; ``hidden`` scenarios are not among them."""

    title: str
    rows: tuple[SummaryRow, ...]
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """What a screen can hold of a run."""

    sections: tuple[SummarySection, ...]
    doubts: tuple[str, ...]
    failures: tuple[str, ...]
    notes: tuple[str, ...]


def is_large(measurements: Sequence[Measurement]) -> bool:
    """Return whether a full table would fill more than a screen or two."""
    return len(measurements) > MAX_FULL_CASES and bool(_rank_scenarios(measurements))


def summarise_run(result: Result, measurements: Sequence[Measurement]) -> Summary:
    """Choose what a summary shows: main scenarios by family, then doubts and failures.

    The main scenarios of a family are those that most libraries take part in; among equals those
    that are defined first.
    """
    families: dict[str, list[list[Measurement]]] = defaultdict(list)
    for ranking in _rank_scenarios(measurements):
        families[ranking[0].case.family].append(ranking)
    share = max(MAX_ROWS // max(len(families), 1), 1)
    sections = [
        SummarySection(
            clean_text(family),
            tuple(_make_row(ranking[0], ranking[-1]) for ranking in _choose_main(rankings, share)),
            max(len(rankings) - share, 0),
        )
        for family, rankings in families.items()
    ]
    if compositions := _compare_compositions(itertools.chain.from_iterable(families.values())):
        title = f"the obvious composition ({OBVIOUS}) against the reference stack"
        sections.append(SummarySection(title, compositions))
    return Summary(
        tuple(sections),
        tuple(_describe_doubts(measurements)),
        tuple(_describe_failures(result)),
        tuple(_describe_gaps(result)),
    )


def _rank_scenarios(measurements: Sequence[Measurement]) -> list[list[Measurement]]:
    """Rank the libraries of each scenario, cheapest first; under load where they differ most."""
    best: dict[str, list[Measurement]] = {}
    for members in group_comparable(measurements):
        cheapest: dict[str, Measurement] = {}
        for measured in sorted(members, key=_get_cost):
            cheapest.setdefault(_format_library(measured), measured)
        ranking = [measured for measured in cheapest.values() if _get_quantity(measured)]
        group = members[0].case.group
        if len(ranking) > 1 and _get_factor(ranking) > _get_factor(best.get(group, [])):
            best[group] = ranking
    return list(best.values())


def _choose_main(rankings: Sequence[list[Measurement]], count: int) -> list[list[Measurement]]:
    chosen = sorted(range(len(rankings)), key=lambda index: -len(rankings[index]))[:count]
    return [rankings[index] for index in sorted(chosen)]


def _compare_compositions(rankings: itertools.chain[list[Measurement]]) -> tuple[SummaryRow, ...]:
    found = []
    for ranking in rankings:
        libraries = {_format_library(measured): measured for measured in ranking}
        if OBVIOUS in libraries and REFERENCE_STACK in libraries:
            found.append(_make_row(libraries[REFERENCE_STACK], libraries[OBVIOUS]))
    return tuple(found)


def _make_row(cheaper: Measurement, costlier: Measurement) -> SummaryRow:
    title = format_title(cheaper.case).removeprefix(f"{cheaper.case.family}.")
    unit = choose_unit(get_value(measured, "latency_ns") for measured in (cheaper, costlier))
    return SummaryRow(
        title,
        _format_library(cheaper),
        _format_cost(cheaper, unit),
        _format_library(costlier),
        _format_cost(costlier, unit),
        _get_factor([cheaper, costlier]),
    )


def _format_library(measured: Measurement) -> str:
    return clean_text(measured.case.library) or format_label(measured.case)


def _get_quantity(measured: Measurement) -> str:
    return next((name for name in QUANTITIES if get_value(measured, name) > 0), "")


def _get_cost(measured: Measurement) -> float:
    """Return a number that is larger where a call costs more."""
    name = _get_quantity(measured)
    value = get_value(measured, name)
    return -value if name == "calls_per_s" else value


def _get_factor(ranking: Sequence[Measurement]) -> float:
    if not ranking:
        return 0.0
    values = [abs(_get_cost(measured)) for measured in (ranking[0], ranking[-1])]
    return max(values) / min(values)


def _format_cost(measured: Measurement, unit: TimeUnit) -> str:
    name = _get_quantity(measured)
    value = get_value(measured, name)
    if name == "latency_ns":
        return f"{unit.text(value)} {unit.name}"
    return f"{format_count(value)} {'calls/s' if name == 'calls_per_s' else 'instr'}"


def _describe_doubts(measurements: Sequence[Measurement]) -> list[str]:
    lines = []
    for found, kind in (
        (collect_warnings(measurements), "doubtful"),
        (collect_defects(measurements), "wrong under load"),
    ):
        names = {name for members in found.values() for name in members}
        if names:
            most = max(found, key=lambda text: len(found[text]))
            lines.append(f"{kind}: {len(names)} of {len(measurements)} cases; most often: {most}")
    return lines


def _describe_failures(result: Result) -> list[str]:
    failures = [
        f"{status}: {name}: {reason}"
        for (status, reason), names in collect_not_measured(result).items()
        if status != "not available"
        for name in names
    ]
    more = [f"and {len(failures) - MAX_FAILURES} more"] if len(failures) > MAX_FAILURES else []
    return failures[:MAX_FAILURES] + more


def _describe_gaps(result: Result) -> list[str]:
    statuses = Counter(record.status for record in result.cases)
    missing: Counter[str] = Counter()
    for (signal, _), names in collect_missing_signals(result).items():
        missing[signal] += len(names)
    lines = [f"without {signal}: {_count_cases(count)}" for signal, count in missing.items()]
    if count := statuses["not available"]:
        lines.append(f"not available: {_count_cases(count)}; 'resilience-bench list' says why")
    return lines + list_unavailable_signals(result)


def _count_cases(count: int) -> str:
    return f"{count} {'case' if count == 1 else 'cases'}"
