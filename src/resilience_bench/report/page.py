"""What a page shows of a run: the tables, the doubts, the pictures, and where it was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from resilience_bench._model import Environment, Measurement, Result
from resilience_bench.report import drift_rows
from resilience_bench.report.blocks import Block, explain_columns, make_blocks
from resilience_bench.report.caveats import (
    Note,
    collect_notes,
    describe_python,
    describe_run,
    list_unavailable_signals,
)
from resilience_bench.report.drift_rows import DriftRow
from resilience_bench.report.load_rows import make_load_blocks
from resilience_bench.report.text import clean_text
from resilience_bench.stats.drift import estimate_drifts


@dataclass(frozen=True, slots=True)
class PageFigure:
    """A picture of a page: either its SVG, or the address of its file."""

    title: str
    svg: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Chapter:
    """The blocks of a family, and what their columns say."""

    title: str
    anchor: str
    blocks: tuple[Block, ...]
    legend: str


@dataclass(frozen=True, slots=True)
class RunPage:
    """A run as pages show it; ``facts`` say where, when and from what it was measured."""

    name: str
    headline: tuple[str, ...]
    chapters: tuple[Chapter, ...]
    drifts: tuple[DriftRow, ...]
    drift_headers: Mapping[str, str]
    drift_legend: str
    notes: tuple[Note, ...]
    unavailable: tuple[str, ...]
    figures: tuple[PageFigure, ...]
    facts: Mapping[str, str]
    packages: Mapping[str, str]


def make_run_page(
    result: Result,
    measurements: Sequence[Measurement],
    name: str,
    figures: Sequence[PageFigure] = (),
) -> RunPage:
    """What a page shows of a results file.

    Args:
        result: The file.
        measurements: What `latency.estimate` returned of it.
        name: What the file is called.
        figures: The pictures of it.
    """
    drifts = estimate_drifts(result)
    return RunPage(
        name=clean_text(name),
        headline=tuple(describe_run(result)),
        chapters=tuple(_make_chapters(result, measurements)),
        drifts=tuple(map(drift_rows.make_drift_row, drifts)),
        drift_headers=drift_rows.HEADERS,
        drift_legend=drift_rows.LEGEND,
        notes=tuple(collect_notes(result, measurements, drifts)),
        unavailable=tuple(list_unavailable_signals(result)),
        figures=tuple(figures),
        facts=collect_facts(result),
        packages={
            clean_text(key): clean_text(each) for key, each in result.environment.packages.items()
        },
    )


def _make_chapters(result: Result, measurements: Sequence[Measurement]) -> list[Chapter]:
    found: list[Chapter] = []
    for under, each in (
        ("", make_blocks(result, measurements, "latency")),
        (" under load", make_load_blocks(result, measurements, "latency")),
    ):
        ordered = sorted(each, key=lambda block: _find_family_place(block, each))
        for _, members in groupby(ordered, key=lambda block: _find_family_place(block, each)):
            told = tuple(members)
            family = told[0].title.partition(".")[0]
            anchor = f"tables-{len(found) + 1}"
            found.append(Chapter(f"{family}{under}", anchor, told, explain_columns(told)))
    return found


def _find_family_place(block: Block, among: Sequence[Block]) -> int:
    """The place of the first block of the same family."""
    family = block.title.partition(".")[0]
    return next(i for i, each in enumerate(among) if each.title.partition(".")[0] == family)


def collect_facts(result: Result) -> dict[str, str]:
    """Where, when and from what a run was measured, by what each fact is called."""
    environment = result.environment
    commit = "outside git"
    if result.commit:
        changed = "" if result.commit.clean else ", with uncommitted changes"
        commit = f"{result.commit.revision}{changed}"
    facts = {
        "started": result.started,
        "ended": result.ended if result.complete else f"{result.ended}, before its end",
        "commit": commit,
        "Python": f"{describe_python(result)} ({environment.python_build})",
        **_describe_machine(environment),
        "load average": ", ".join(f"{each:g}" for each in result.load_average),
        "profile": result.profile,
        "selected": ", ".join(result.selectors) or "everything",
        "signals": ", ".join(result.signals),
        "cases": f"{len(result.cases):,}",
        "measured with": f"resilience-bench {result.tool_version}, reference version "
        f"{result.reference_version}",
    }
    return {key: clean_text(text) for key, text in facts.items()}


def _describe_machine(environment: Environment) -> dict[str, str]:
    return {
        "processor": f"{environment.cpu_count} × {environment.cpu_model} ({environment.machine})",
        "system": f"{environment.os}, kernel {environment.kernel}",
    }
