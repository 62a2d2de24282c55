"""What the site shows of results files: the latest run, the last check, a page a run."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from resilience_bench._model import Judgement, Result
from resilience_bench.errors import UserError
from resilience_bench.files import atomic, results
from resilience_bench.files.checked_json import format_path
from resilience_bench.gate.check import add_defects, find_limits, get_budgets_path, judge_cases
from resilience_bench.gate.evidence import StoredSource
from resilience_bench.quantities import SIGNALS_JUDGED
from resilience_bench.report import html
from resilience_bench.report.page import PageFigure, make_run_page
from resilience_bench.site.saved_runs import SavedRun, SavedRuns, SkippedFile
from resilience_bench.stats.latency import estimate

MAX_PAGES: Final = 20
"""So many runs have a page of their own, the latest ones first."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the site: what is in it, or why there is none and what to type."""

    missing: str = ""
    content: Any = None


@dataclass(slots=True)
class SiteSummary:
    """What a site holds, and what was skipped on the way."""

    pages: int = 0
    skipped: list[SkippedFile] = field(default_factory=list)

    def skip(self, path: Path, why: str) -> None:
        """Note a file that could not be read, once."""
        if path not in {each for each, _ in self.skipped}:
            self.skipped.append((path, why))


def write(text: str, path: Path, made: SiteSummary) -> None:
    """Write a page, and count it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(text, path)
    made.pages += 1


def show_latest_run(runs: SavedRuns, folder: Path) -> Part:
    """Show the latest run, with its pictures and the results file itself beside the page."""
    if not runs.runs:
        return Part("There is no results file yet. Type scripts/bench to measure.")
    newest = runs.runs[0]
    result = results.read(newest.path)
    measurements = estimate(result)
    figures = []
    for name, svg in html.draw_pictures(result, measurements):
        path = folder / "pictures" / f"{name}.svg"
        path.parent.mkdir(exist_ok=True)
        atomic.write_bytes(svg, path)
        figures.append(PageFigure(name, address=f"pictures/{path.name}"))
    data = folder / "data" / newest.path.name
    data.parent.mkdir(exist_ok=True)
    shutil.copyfile(newest.path, data)
    return Part(content=make_run_page(result, measurements, newest.path.name, figures))


def write_run_pages(runs: SavedRuns, folder: Path, made: SiteSummary) -> list[tuple[SavedRun, str]]:
    """Write the pages of runs; every run, and the address of its page if it has one."""
    paged = [*runs.runs[:1], *(each for each in runs.runs[1:] if each.is_kept)][:MAX_PAGES]
    found = []
    for each in runs.runs:
        address = ""
        if each in paged:
            result = results.read(each.path)
            address = f"runs/{each.path.stem}.html"
            page = html.render_report(result, estimate(result), each.path.name)
            write(page, folder / address, made)
        found.append((each, address))
    return found


def judge_last_check(runs: SavedRuns, tidy: Callable[[str], str]) -> Part:
    """Judge the last check again, against the baseline of its environment or budgets alone.

    Args:
        runs: The results files.
        tidy: Takes out of a text where on this machine files lie.
    """
    if not runs.checks:
        return Part("There is no check yet. Type scripts/check to hold this checkout against it.")
    last = runs.checks[0]
    try:
        judgement = _judge_result(results.read(last.path), last)
    except UserError as error:
        return Part(
            f"The last check, {tidy(format_path(last.path))}, could not be judged: "
            f"{tidy(str(error))}"
        )
    headline = tuple(map(tidy, judgement.headline))
    return Part(content=html.make_judgement_view(dataclasses.replace(judgement, headline=headline)))


def _judge_result(result: Result, last: SavedRun) -> Judgement:
    signals = [each for each in SIGNALS_JUDGED if each in result.signals]
    path = get_budgets_path()
    held = find_limits(
        result.environment,
        result.reference_version,
        signals,
        None,
        path if path.exists() else None,
    )
    # What was not selected is no case that has vanished.
    chosen = {record.case.name for record in result.cases}.__contains__
    judgement = add_defects(judge_cases(StoredSource(result), held, chosen), result)
    found = f"measured {result.started}: {format_path(last.path)}"
    return dataclasses.replace(judgement, headline=(held.headline, found, *judgement.headline))
