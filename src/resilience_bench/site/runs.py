"""The runs on the site: the latest run of the whole suite, the last check, a page per run."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from resilience_bench._model import Result
from resilience_bench._verdicts import Judgement
from resilience_bench.errors import UnreadableResultError, UserError, WrongFileKindError
from resilience_bench.files import atomic, results
from resilience_bench.files.checked_json import format_path
from resilience_bench.gate.check import add_defects, find_limits, get_budgets_path, judge_cases
from resilience_bench.gate.evidence import StoredSource
from resilience_bench.measure.selection import PROFILE_LOADS
from resilience_bench.quantities import SIGNALS_JUDGED
from resilience_bench.report import html
from resilience_bench.report.page import PageFigure, make_run_page
from resilience_bench.report.real_calls import REAL_CALLS
from resilience_bench.report.text import clean_text
from resilience_bench.report.verdicts import make_judgement_view
from resilience_bench.scenarios.load_patterns import REAL
from resilience_bench.stats.latency import estimate

CHECK: Final = "check"
"""The profile of a results file that a check has written."""
UNCOMMITTED: Final = "run-*"
"""Results files of this name are not committed; there may be hundreds."""
MAX_PAGES: Final = 20
"""The maximum number of runs with a page of their own, the latest ones first."""
MIN_SUITE_SHARE: Final = 0.5
"""A run with a smaller share of the largest run's cases measured another, smaller suite."""
LONG_AGO: Final = dt.datetime.min.replace(tzinfo=dt.UTC)
NO_RUN: Final = "There is no results file yet. Type scripts/bench to measure."

SkippedFile = tuple[Path, str]
"""A file that could not be read, and why."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the site: its content, or why there is none and what to type."""

    missing: str = ""
    content: Any = None


@dataclass(slots=True)
class SiteSummary:
    """The number of pages of a site, and the files that were skipped."""

    pages: int = 0
    skipped: list[SkippedFile] = field(default_factory=list)

    def skip(self, path: Path, error: UserError) -> None:
        """Note a file that could not be read, once."""
        if path not in dict(self.skipped):
            self.skipped.append((path, describe_error(path, error)))


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A results file that can be read, in a line; no selectors select the whole suite."""

    path: Path
    started: str
    profile: str
    selectors: tuple[str, ...]
    cases: int
    measured: int
    commit: str
    complete: bool

    @property
    def is_kept(self) -> bool:
        """Whether it was given a name to be kept under."""
        return not self.path.match(UNCOMMITTED)


def find_runs(folder: Path, summary: SiteSummary) -> list[SavedRun]:
    """Find the results files of a folder, the latest first; note those that cannot be read.

    Other files of this tool are ignored, and subfolders are not searched.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(_make_saved_run(path, results.read(path)))
        except WrongFileKindError:
            continue
        except UnreadableResultError as error:
            summary.skip(path, error)
    return sorted(found, key=_make_sort_key, reverse=True)


def select_whole_runs(runs: Sequence[SavedRun]) -> list[SavedRun]:
    """Select the runs of the whole suite: complete, with no selector, and of nearly all cases.

    A profile with loads of its own measures other cases, however many.
    """
    whole = [run for run in runs if is_whole(run) and run.profile not in PROFILE_LOADS]
    largest = max((run.cases for run in whole), default=0)
    return [run for run in whole if run.cases >= MIN_SUITE_SHARE * largest]


def is_whole(run: SavedRun) -> bool:
    """Return whether a run measured all that its profile has."""
    return run.complete and not run.selectors


def describe_error(path: Path, error: UserError) -> str:
    """Say why a file could not be read, without its name or its folder's at the front."""
    return str(error).removeprefix(f"{path}: ").removeprefix(f"{path.parent}: ")


def _make_saved_run(path: Path, result: Result) -> SavedRun:
    return SavedRun(
        path,
        clean_text(result.started),
        clean_text(result.profile),
        result.selectors,
        len(result.cases),
        sum(record.status == "measured" for record in result.cases),
        clean_text(result.commit.revision[:10]) if result.commit else "",
        result.complete,
    )


def _make_sort_key(run: SavedRun) -> tuple[dt.datetime, str]:
    try:
        moment = dt.datetime.fromisoformat(run.started)
    except ValueError:  # somebody edited the file: it comes last
        moment = LONG_AGO
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC), run.path.name


def write_page(text: str, path: Path, summary: SiteSummary) -> None:
    """Write a page, and count it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(text, path)
    summary.pages += 1


def show_run(run: SavedRun, folder: Path) -> Part:
    """Make the part of a run, with its pictures and the results file itself beside the page."""
    result = results.read(run.path)
    measurements = estimate(result)
    figures = []
    for name, svg in html.draw_pictures(result, measurements):
        path = folder / "pictures" / f"{name}.svg"
        path.parent.mkdir(exist_ok=True)
        atomic.write_bytes(svg, path)
        figures.append(PageFigure(name, address=f"pictures/{path.name}"))
    data = folder / "data" / run.path.name
    data.parent.mkdir(exist_ok=True)
    shutil.copyfile(run.path, data)
    return Part(content=make_run_page(result, measurements, run.path.name, figures))


def show_real_calls(runs: Sequence[SavedRun]) -> Part:
    """Make the part of the latest whole run of the profile of real calls: its shares at a glance.

    Empty if there is no such run.
    """
    last = next((run for run in runs if is_whole(run) and run.profile == REAL), None)
    if last is None:
        return Part()
    result = results.read(last.path)
    page = make_run_page(result, estimate(result), last.path.name)
    tables = [block for chapter in page["chapters"] for block in chapter.blocks]
    shown = [block for block in tables if block.family == REAL_CALLS]
    return Part(content={"path": last.path, "headline": page["headline"], "blocks": shown})


def write_run_pages(
    runs: Sequence[SavedRun],
    shown: SavedRun | None,
    folder: Path,
    summary: SiteSummary,
    show_progress: Callable[[str], None],
) -> list[tuple[SavedRun, str]]:
    """Write pages of the latest runs; return all runs, each with its page's address or nothing.

    The ``shown`` run is that of the first page; it has a page of its own too.
    """
    kept = [run for run in runs if run is not shown and run.is_kept]
    paged = [*([shown] if shown else []), *kept][:MAX_PAGES]
    addresses = {run.path: f"runs/{run.path.stem}.html" for run in paged}
    for number, run in enumerate(paged, start=1):
        name = format_path(Path(run.path.name))
        show_progress(f"page of run {number} of {len(paged)}: {name}")
        result = results.read(run.path)
        page = html.render_report(result, estimate(result), run.path.name)
        write_page(page, folder / addresses[run.path], summary)
    return [(run, addresses.get(run.path, "")) for run in runs]


def judge_check(last: SavedRun | None, shorten_paths: Callable[[str], str]) -> Part:
    """Judge the last check again, against the baseline of its environment or budgets alone."""
    if last is None:
        return Part("There is no check yet. Type scripts/check to hold this checkout against it.")
    try:
        judgement = _judge_result(results.read(last.path), last)
    except UserError as error:
        message = f"The last check, {format_path(last.path)}, could not be judged: {error}"
        return Part(shorten_paths(message))
    headline = tuple(map(shorten_paths, judgement.headline))
    return Part(content=make_judgement_view(replace(judgement, headline=headline)))


def _judge_result(result: Result, last: SavedRun) -> Judgement:
    signals = [signal for signal in SIGNALS_JUDGED if signal in result.signals]
    path = get_budgets_path()
    budgets = path if path.exists() else None
    limits = find_limits(result.environment, result.reference_version, signals, None, budgets)
    # A case that was not selected has not vanished.
    chosen = {record.case.name for record in result.cases}.__contains__
    judgement = add_defects(judge_cases(StoredSource(result), limits, chosen), result)
    found = f"measured {result.started}: {format_path(last.path)}"
    return replace(judgement, headline=(limits.headline, found, *judgement.headline))
