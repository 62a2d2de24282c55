"""The site: a first page, the history of commits, those of releases, and the gate's proof."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from resilience_bench import __version__
from resilience_bench.errors import UserError
from resilience_bench.files import atomic
from resilience_bench.files.checked_json import format_path
from resilience_bench.releases import history_file
from resilience_bench.releases.page import ReleasePage, make_release_page
from resilience_bench.report import html
from resilience_bench.selftest import proof_file
from resilience_bench.selftest.builds import HEADERS, WORDS, describe_noise_floor, format_cells
from resilience_bench.site import asv_pages, documentation
from resilience_bench.site import runs as site_runs
from resilience_bench.site.runs import CHECK, NO_RUN, Part, SiteSummary, write_page
from resilience_bench.site.staging import MARKER, replace_folder

PICTURES: Final = frozenset({".svg", ".png"})
ProgressCallback = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SiteSources:
    """The files that a site is made from; a part whose files are missing says so."""

    results: Path
    conf_file: Path
    docs_file: Path | None = None

    def shorten_paths(self, text: str) -> str:
        """Remove from a text where the project is on this machine: pages may be published."""
        return text.replace(f"{self.results.absolute().parent}/", "")


def make(sources: SiteSources, place: Path, show_progress: ProgressCallback) -> SiteSummary:
    """Make the site in its place, where the old one stays until the new one is complete.

    Return how many pages it has, and which files could not be read, with the reasons; raise
    `UnwritableOutputError` if it cannot be written.
    """
    summary = SiteSummary()
    with replace_folder(place) as folder:
        show_progress("reading the results")
        found = site_runs.find_runs(sources.results, summary)
        show_progress("publishing the history of commits")
        commits = _publish_commits(sources, folder, summary)
        releases = _publish_releases(sources, folder, summary, show_progress)
        show_progress("drawing the latest run")
        runs = [run for run in found if run.profile != CHECK]
        whole_runs = site_runs.select_whole_runs(runs)
        shown = next(iter(whole_runs or runs), None)
        last_check = next((run for run in found if run.profile == CHECK), None)
        parts = {
            "run": site_runs.show_run(shown, folder) if shown else Part(NO_RUN),
            "is_whole": bool(whole_runs),
            "real": site_runs.show_real_calls(runs),
            "runs": site_runs.write_run_pages(runs, shown, folder, summary, show_progress),
            "check": site_runs.judge_check(last_check, sources.shorten_paths),
            "commits": commits,
            "releases": releases,
            "docs": _publish_documentation(sources, folder, summary, show_progress),
            "proof": _publish_proof(sources.results / "gate-proof.json", folder, summary),
        }
        show_progress("writing the first page")
        made = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        skipped = [
            {"file": sources.shorten_paths(format_path(path)), "reason": sources.shorten_paths(why)}
            for path, why in summary.skipped
        ]
        write_page(
            html.render("index", **parts, skipped=skipped, made=made),
            folder / "index.html",
            summary,
        )
        marker = {"made": made, "tool_version": __version__, "skipped": skipped}
        atomic.write_text(json.dumps(marker, indent=1) + "\n", folder / MARKER)
        # GitHub's pages would leave out what begins with an underscore.
        atomic.write_text("", folder / ".nojekyll")
    return summary


def _publish_commits(sources: SiteSources, folder: Path, summary: SiteSummary) -> Part:
    if not sources.conf_file.is_file():
        found = f"no {format_path(sources.conf_file)}"
        message = f"There is no history of commits yet: {found}. Type scripts/history to measure"
        return Part(f"{message} commits.")
    try:
        published = asv_pages.publish_commits(sources.conf_file, folder / "history")
    except UserError as error:
        shutil.rmtree(folder / "history", ignore_errors=True)
        return Part(f"There is no history of commits: {sources.shorten_paths(str(error))}")
    summary.skipped += published.skipped
    summary.pages += 1
    return Part(content=published)


def _publish_documentation(
    sources: SiteSources, folder: Path, summary: SiteSummary, show_progress: ProgressCallback
) -> Part:
    file = sources.docs_file
    if file is None or not file.is_file():
        return Part()  # few projects have pages of documentation
    show_progress("making the pages of the documentation")
    place = folder / "docs"
    try:
        documentation.publish(file, place)
    except UserError as error:
        shutil.rmtree(place, ignore_errors=True)
        summary.skip(file, error)
        return Part(f"There is no documentation: {sources.shorten_paths(str(error))}")
    summary.pages += 1
    return Part(content="docs/index.html")


def _publish_releases(
    sources: SiteSources, folder: Path, summary: SiteSummary, show_progress: ProgressCallback
) -> list[tuple[str, ReleasePage]]:
    found = []
    for file in sorted(sources.results.glob(f"releases/*/{history_file.FILE_NAME}")):
        show_progress(f"publishing the releases of {format_path(Path(file.parent.name))}")
        try:
            history = history_file.read(file.parent)
        except UserError as error:
            summary.skip(file, error)
            continue
        page = make_release_page(history)
        place = folder / "releases" / file.parent.name
        place.mkdir(parents=True)
        problem = _publish_release_curves(file.parent, page.package, place / "history", summary)
        pictures = _copy_pictures(file.parent, place, history.signals)
        text = html.render("release", page=page, pictures=pictures, problem=problem)
        write_page(text, place / "index.html", summary)
        shutil.copyfile(file, place / file.name)
        found.append((file.parent.name, page))
    return found


def _publish_release_curves(source: Path, package: str, folder: Path, summary: SiteSummary) -> str:
    """Publish a history's curves; return why there are none, or nothing."""
    try:
        summary.skipped += asv_pages.publish_releases(source, package, folder)
    except UserError as error:
        shutil.rmtree(folder, ignore_errors=True)
        summary.skip(source / "asv", error)
        return site_runs.describe_error(source / "asv", error)
    summary.pages += 1
    return ""


def _copy_pictures(source: Path, place: Path, signals: Sequence[str]) -> Sequence[str]:
    """Copy the pictures, and return the names to show, in the order of their signals."""
    order = {signal: number for number, signal in enumerate(signals)}
    pictures = sorted(
        (path for path in source.iterdir() if path.suffix in PICTURES),
        key=lambda path: (order.get(path.stem, len(order)), path.name),
    )
    for path in pictures:
        shutil.copyfile(path, place / path.name)
    # The last one of a name counts: the SVG, if there is one.
    shown: Mapping[str, str] = {path.stem: path.name for path in pictures}
    return list(shown.values())


def _publish_proof(path: Path, folder: Path, summary: SiteSummary) -> Part:
    if not path.exists():
        return Part("The gate has not been proved here yet. Type 'resilience-bench prove'.")
    try:
        proven = proof_file.read_rates(path)
    except UserError as error:
        summary.skip(path, error)
        return Part(f"The gate's proof could not be read: {error}")
    rows = list(map(format_cells, proven.rates))
    floors = list(map(describe_noise_floor, proven.noise_floors))
    text = html.render(
        "proof", proven=proven, headers=HEADERS, words=WORDS, rows=rows, floors=floors
    )
    write_page(text, folder / "gate-proof.html", summary)
    shutil.copyfile(path, folder / path.name)
    return Part(content=proven)
