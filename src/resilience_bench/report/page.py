"""A run as pages show it: tables, doubts, pictures, and where it was measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from resilience_bench._model import Measurement, Result
from resilience_bench.report import caveats
from resilience_bench.report.blocks import Block, explain_columns, make_blocks
from resilience_bench.report.drift_rows import make_drift_blocks
from resilience_bench.report.load_rows import make_load_blocks
from resilience_bench.report.outage_rows import make_outage_blocks
from resilience_bench.report.real_calls import make_real_blocks
from resilience_bench.report.text import clean_text
from resilience_bench.stats.drift import Drift, estimate_drifts


@dataclass(frozen=True, slots=True)
class PageFigure:
    """A picture of a page: either its SVG, or the address of its file."""

    title: str
    svg: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Chapter:
    """The blocks of a family, and the meaning of their columns."""

    title: str
    anchor: str
    blocks: tuple[Block, ...]
    legend: str


def make_sections(
    result: Result, measurements: Sequence[Measurement], drifts: Sequence[Drift], sort: str
) -> dict[str, list[Block]]:
    """Return the real calls at a glance, then all blocks by how they were measured.

    The headings are the keys; that of cases without a load is empty. Rows are sorted by ``sort``,
    see `blocks.SORT_KEYS`.
    """
    sections = {
        "at a glance": make_real_blocks(result, measurements),
        "": make_blocks(result, measurements, sort),
        "under load": make_load_blocks(result, measurements, sort),
        "in long runs": make_drift_blocks(drifts),
        "in an outage": make_outage_blocks(result),
    }
    return {heading: blocks for heading, blocks in sections.items() if blocks}


def make_run_page(
    result: Result,
    measurements: Sequence[Measurement],
    name: str,
    figures: Sequence[PageFigure] = (),
) -> dict[str, Any]:
    """Return what a page shows of a results file of this name, with these pictures.

    ``facts`` say where, when and from what it was measured.
    """
    drifts = estimate_drifts(result)
    packages = result.environment.packages
    return {
        "name": clean_text(name),
        "headline": caveats.describe_run(result),
        "chapters": _make_chapters(result, measurements, drifts),
        "notes": caveats.collect_notes(result, measurements, drifts),
        "unavailable": caveats.list_unavailable_signals(result),
        "figures": figures,
        "facts": collect_facts(result),
        "packages": {clean_text(name): clean_text(packages[name]) for name in packages},
    }


def _make_chapters(
    result: Result, measurements: Sequence[Measurement], drifts: Sequence[Drift]
) -> list[Chapter]:
    chapters: list[Chapter] = []
    for heading, blocks in make_sections(result, measurements, drifts, "latency").items():
        families: dict[str, list[Block]] = defaultdict(list)
        for block in blocks:
            families[block.family].append(block)
        for family, members in families.items():
            anchor = f"tables-{len(chapters) + 1}"
            legend = explain_columns(members)
            chapters.append(Chapter(f"{family} {heading}".strip(), anchor, tuple(members), legend))
    return chapters


def collect_facts(result: Result) -> dict[str, str]:
    """Return where, when and from what a run was measured, each fact by its name."""
    environment = result.environment
    commit = "outside git"
    if result.commit:
        changed = "" if result.commit.clean else ", with uncommitted changes"
        commit = f"{result.commit.revision}{changed}"
    facts = {
        "started": result.started,
        "ended": result.ended if result.complete else f"{result.ended}, before its end",
        "commit": commit,
        "Python": f"{caveats.describe_python(result)} ({environment.python_build})",
        "processor": f"{environment.cpu_count} × {environment.cpu_model} ({environment.machine})",
        "system": f"{environment.os}, kernel {environment.kernel}",
        "load average": ", ".join(f"{load:g}" for load in result.load_average),
        "profile": result.profile,
        "selected": ", ".join(result.selectors) or "everything",
        "signals": ", ".join(result.signals),
        "cases": f"{len(result.cases):,}",
        "measured with": f"resilience-bench {result.tool_version}, reference version "
        f"{result.reference_version}",
    }
    return {key: clean_text(text) for key, text in facts.items()}
