"""The summary of a large run: which libraries are cheapest and costliest, and what is doubtful."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from resilience_bench._model import Measurement, Result
from resilience_bench.report import blocks, caveats
from resilience_bench.report.text import clean_text

MAX_FULL_CASES: Final = 24
"""A run with no more measured cases than this is shown in full."""
MAX_ROWS: Final = 24
"""How many scenarios are shown in all, the same number of each family."""
MAX_FAILURES: Final = 6
OBVIOUS: Final = "tenacity+pybreaker"
"""The composition that people write first, against which the reference stack is held."""
REFERENCE_STACK: Final = "resilience_stack"
QUANTITIES: Final = {"calls_per_s": "calls/s", "latency_ns": "ns", "instructions": "instr"}
"""What libraries are ranked by, the first that was measured, with its unit."""


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


@dataclass(frozen=True, slots=True)
class _Ranking:
    """The libraries of one scenario by one quantity, the cheapest first."""

    quantity: str
    libraries: dict[str, Measurement]

    @property
    def first(self) -> Measurement:
        return next(iter(self.libraries.values()))

    def make_row(self, cheaper: str, costlier: str) -> SummaryRow:
        pair = [self.libraries[name] for name in (cheaper, costlier)]
        values = [blocks.get_value(measured, self.quantity) for measured in pair]
        if self.quantity == "latency_ns":
            unit = blocks.choose_unit(values)
            costs = [f"{unit.text(value)} {unit.name}" for value in values]
        else:
            costs = [
                f"{blocks.format_count(value)} {QUANTITIES[self.quantity]}" for value in values
            ]
        scenario = blocks.format_title(pair[0].case).removeprefix(f"{pair[0].case.family}.")
        factor = max(values) / min(values)
        return SummaryRow(scenario, cheaper, costs[0], costlier, costs[1], factor)

    def compare_extremes(self) -> SummaryRow:
        names = list(self.libraries)
        return self.make_row(names[0], names[-1])


def is_large(measurements: Sequence[Measurement]) -> bool:
    """Return whether a full table would fill more than a screen or two."""
    return len(measurements) > MAX_FULL_CASES and bool(_rank_scenarios(measurements))


def summarise_run(result: Result, measurements: Sequence[Measurement]) -> Summary:
    """Choose what a summary shows: main scenarios by family, then warnings and failures.

    The main scenarios of a family are those measured with most libraries; among equals those that
    are defined first.
    """
    rankings = _rank_scenarios(measurements)
    families: dict[str, list[_Ranking]] = defaultdict(list)
    for ranking in rankings:
        families[ranking.first.case.family].append(ranking)
    share = max(MAX_ROWS // max(len(families), 1), 1)
    sections = []
    for family, members in families.items():
        main = sorted(members, key=lambda ranking: -len(ranking.libraries))[:share]
        rows = tuple(ranking.compare_extremes() for ranking in members if ranking in main)
        sections.append(SummarySection(clean_text(family), rows, len(members) - len(rows)))
    compositions = tuple(
        ranking.make_row(REFERENCE_STACK, OBVIOUS)
        for ranking in rankings
        if {REFERENCE_STACK, OBVIOUS} <= ranking.libraries.keys()
    )
    if compositions:
        title = f"the obvious composition ({OBVIOUS}) against the reference stack"
        sections.append(SummarySection(title, compositions))
    notes = caveats.collect_notes(result, measurements)
    return Summary(
        tuple(sections),
        tuple(_describe_doubts(notes, len(measurements))),
        tuple(_describe_failures(notes)),
        (*_describe_gaps(notes), *caveats.list_unavailable_signals(result)),
    )


def _rank_scenarios(measurements: Sequence[Measurement]) -> list[_Ranking]:
    """Rank the libraries of each scenario, under the load where they differ most."""
    best: dict[str, _Ranking] = {}
    for members in blocks.group_comparable(measurements):
        ranking = _rank_libraries(members)
        scenario = members[0].case.group
        if len(ranking.libraries) > 1 and (
            scenario not in best
            or ranking.compare_extremes().factor > best[scenario].compare_extremes().factor
        ):
            best[scenario] = ranking
    return list(best.values())


def _rank_libraries(members: Sequence[Measurement]) -> _Ranking:
    for quantity in QUANTITIES:
        found = [measured for measured in members if blocks.get_value(measured, quantity) > 0]
        if found:
            found.sort(
                key=lambda measured: blocks.get_value(measured, quantity),
                reverse=quantity == "calls_per_s",
            )
            libraries: dict[str, Measurement] = {}
            for measured in found:
                name = clean_text(measured.case.library) or blocks.format_label(measured.case)
                libraries.setdefault(name, measured)
            return _Ranking(quantity, libraries)
    return _Ranking("", {})


def _describe_doubts(notes: Sequence[caveats.Note], count: int) -> list[str]:
    lines = []
    for kind, words in (("doubt", "doubtful"), ("defect", "wrong under load")):
        found = [note for note in notes if note.kind == kind]
        if found:
            names = {name for note in found for name in note.names}
            most = max(found, key=lambda note: len(note.names)).reason
            lines.append(f"{words}: {len(names)} of {count} cases; most often: {most}")
    return lines


def _describe_failures(notes: Sequence[caveats.Note]) -> list[str]:
    failures = [
        f"{note.subject}: {name}: {note.reason}"
        for note in notes
        if note.kind == "not measured" and note.subject != "not available"
        for name in note.names
    ]
    more = [f"and {len(failures) - MAX_FAILURES} more"] if len(failures) > MAX_FAILURES else []
    return failures[:MAX_FAILURES] + more


def _describe_gaps(notes: Sequence[caveats.Note]) -> list[str]:
    missing: Counter[str] = Counter()
    unavailable = 0
    for note in notes:
        if note.kind == "missing signal":
            missing[note.subject] += len(note.names)
        elif note.subject == "not available":
            unavailable += len(note.names)
    lines = [f"without {signal}: {_count_cases(count)}" for signal, count in missing.items()]
    if unavailable:
        lines.append(
            f"not available: {_count_cases(unavailable)}; 'resilience-bench list' says why"
        )
    return lines


def _count_cases(count: int) -> str:
    return f"{count} {'case' if count == 1 else 'cases'}"
