"""The summary of a large run: which libraries are cheapest and costliest, and what is doubtful."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from resilience_bench._model import Case, Measurement, Result
from resilience_bench.errors import format_amount
from resilience_bench.files.checked_json import format_path
from resilience_bench.report import blocks, caveats, table, terminal
from resilience_bench.report.real_calls import make_real_blocks
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


HEADERS: Final = {
    terminal.LABEL: "",
    "cheapest": "cheapest",
    "lowest": "per call",
    "costliest": "costliest",
    "highest": "per call",
    "factor": "×",
}
GAP: Final = 2
OPTIONAL: Final = ("highest", "lowest")
"""The columns that a narrow terminal does without, in this order: names and factors stay."""


@dataclass(frozen=True, slots=True)
class SummarySection:
    """Two libraries of each scenario of a family, by the keys of `HEADERS`; others are hidden."""

    title: str
    rows: tuple[dict[str, str], ...]
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """What a screen can hold of a run."""

    sections: tuple[SummarySection, ...]
    doubts: tuple[str, ...]
    failures: tuple[str, ...]
    notes: tuple[str, ...]
    real_calls: tuple[blocks.Block, ...] = ()


@dataclass(frozen=True, slots=True)
class _Ranking:
    """The libraries of one scenario by one quantity, the cheapest first, with their values."""

    quantity: str
    case: Case
    values: dict[str, float]

    @property
    def factor(self) -> float:
        return max(self.values.values()) / min(self.values.values())

    def make_row(self, cheaper: str, costlier: str) -> dict[str, str]:
        pair = [self.values[name] for name in (cheaper, costlier)]
        if self.quantity == "latency_ns":
            unit = blocks.choose_unit(pair)
            costs = [f"{unit.text(value)} {unit.name}" for value in pair]
        else:
            costs = [f"{blocks.format_count(value)} {QUANTITIES[self.quantity]}" for value in pair]
        scenario = blocks.format_title(self.case).removeprefix(f"{self.case.family}.")
        factor = blocks.format_factor(max(pair) / min(pair))
        texts = (f"  {scenario}", cheaper, costs[0], costlier, costs[1], factor)
        return dict(zip(HEADERS, texts, strict=True))


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
        families[ranking.case.family].append(ranking)
    share = max(MAX_ROWS // max(len(families), 1), 1)
    sections = []
    for family, members in families.items():
        main = sorted(members, key=lambda ranking: -len(ranking.values))[:share]
        extremes = [(ranking, [*ranking.values]) for ranking in members if ranking in main]
        rows = tuple(ranking.make_row(names[0], names[-1]) for ranking, names in extremes)
        sections.append(SummarySection(clean_text(family), rows, len(members) - len(rows)))
    compositions = tuple(
        ranking.make_row(REFERENCE_STACK, OBVIOUS)
        for ranking in rankings
        if {REFERENCE_STACK, OBVIOUS} <= ranking.values.keys()
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
        tuple(make_real_blocks(result, measurements)),
    )


def _rank_scenarios(measurements: Sequence[Measurement]) -> list[_Ranking]:
    """Rank the libraries of each scenario, under the load where they differ most.

    Not around real calls, whose shares are shown at a glance.
    """
    best: dict[str, _Ranking] = {}
    synthetic = [measured for measured in measurements if not measured.case.is_real]
    for members in blocks.group_comparable(synthetic):
        ranking = _rank_libraries(members)
        if ranking and len(ranking.values) > 1:
            best[ranking.case.group] = max(
                best.get(ranking.case.group, ranking), ranking, key=lambda found: found.factor
            )
    return list(best.values())


def _rank_libraries(members: Sequence[Measurement]) -> _Ranking | None:
    for quantity in QUANTITIES:
        found = [(blocks.get_value(measured, quantity), measured.case) for measured in members]
        found = [(value, case) for value, case in found if value > 0]
        found.sort(key=lambda pair: pair[0], reverse=quantity == "calls_per_s")
        values: dict[str, float] = {}
        for value, case in found:
            values.setdefault(clean_text(case.library) or blocks.format_label(case), value)
        if values:
            return _Ranking(quantity, found[0][1], values)
    return None


def _describe_doubts(notes: Sequence[caveats.Note], count: int) -> list[str]:
    lines = []
    for kind, words in (("doubt", "doubtful"), ("defect", "wrong under load")):
        found = [note for note in notes if note.kind == kind]
        if found:
            names = {name for note in found for name in note.names}
            most = max(found, key=lambda note: len(note.names)).reason
            lines.append(
                f"{words}: {len(names)} of {format_amount(count, 'case')}; most often: {most}"
            )
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
    lines = [
        f"without {signal}: {format_amount(count, 'case')}" for signal, count in missing.items()
    ]
    if unavailable:
        lines.append(
            f"not available: {format_amount(unavailable, 'case')}; 'resilience-bench list' says why"
        )
    return lines


def render(summary: Summary, result: Result, console: Console, path: Path) -> None:
    """Print a summary of a result in about fifty lines, and where the rest of it is."""
    for line in caveats.describe_run(result):
        terminal.print_prose(line, console, "dim")
    table.print_blocks(summary.real_calls, console)
    cells = [row for section in summary.sections for row in section.rows]
    widths = terminal.choose_widths([(HEADERS, cells)], console.width, optional=OPTIONAL, gap=GAP)
    is_narrow = sum(widths.values()) + GAP * (len(widths) - 1) > console.width
    gap = 1 if is_narrow else GAP
    columns = terminal.Columns(HEADERS, widths, gap, words=["cheapest", "costliest"])
    console.print()
    columns.print_header(console)
    for section in summary.sections:
        more = f"  {section.hidden} more" if section.hidden else ""
        console.print()
        terminal.print_line(Text.assemble((section.title, "bold"), (more, "dim")), console)
        for row in section.rows:
            columns.print_row(row, console)
    console.print()
    doubts = tuple(f"! {doubt}" for doubt in summary.doubts)
    for lines, style in ((summary.failures, "red"), (doubts, "yellow"), (summary.notes, "dim")):
        for line in lines:
            terminal.print_prose(line, console, style)
    name = format_path(path)
    for purpose, what in (
        ("all cases", f"show {name}"),
        ("a page", f"report {name} -o report.html"),
    ):
        terminal.print_line(f"{purpose + ':':<11}resilience-bench {what}", console)
