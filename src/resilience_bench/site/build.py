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
from resilience_bench.selftest.simulation import HEADERS, WORDS, format_cells
from resilience_bench.site import asv_pages
from resilience_bench.site import runs as site_results
from resilience_bench.site.runs import Part, SiteSummary, write
from resilience_bench.site.saved_runs import describe_error, find_runs
from resilience_bench.site.staging import MARKER, replace_folder

PICTURES: Final = frozenset({".svg", ".png"})
ProgressCallback = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SiteSources:
    """From where a site is made; what is not there is left out, and the site says so."""

    results: Path
    conf_file: Path

    def shorten_paths(self, text: str) -> str:
        """A text in which no path says where the project lies: pages may be published."""
        return text.replace(f"{self.results.absolute().parent}/", "")

    @property
    def proof(self) -> Path:
        """The gate's proof."""
        return self.results / "gate-proof.json"

    @property
    def releases(self) -> Path:
        """The folder of release histories."""
        return self.results / "releases"


def make(sources: SiteSources, place: Path, tell: ProgressCallback) -> SiteSummary:
    """Make the site.

    Args:
        sources: From where.
        place: Where it is to be; the old site stays until the new one is whole.
        tell: Is told what is being made.

    Returns:
        How many pages it has, and which files could not be read, with the reasons.

    Raises:
        UnwritableOutputError: If it cannot be written there.
    """
    made = SiteSummary()
    with replace_folder(place) as folder:
        tell("reading the results")
        runs = find_runs(sources.results)
        made.skipped += runs.skipped
        tell("publishing the history of commits")
        commits = _publish_commits(sources, folder, made)
        releases = _publish_releases(sources, folder, made, tell)
        tell("drawing the runs")
        pages = {
            "runs": site_results.write_run_pages(runs, folder, made),
            "run": site_results.show_latest_run(runs, folder),
            "check": site_results.judge_last_check(runs, sources.shorten_paths),
            "proof": _publish_proof(sources, folder, made),
        }
        text = html.render(
            "index",
            **pages,
            commits=commits,
            releases=releases,
            skipped=[
                tuple(map(sources.shorten_paths, (format_path(path), why)))
                for path, why in made.skipped
            ],
            made=_format_now(),
        )
        write(text, folder / "index.html", made)
        _write_marker(sources, made, folder)
    return made


def _format_now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def _write_marker(sources: SiteSources, made: SiteSummary, folder: Path) -> None:
    told = {
        "made": _format_now(),
        "tool_version": __version__,
        "skipped": [
            {"file": sources.shorten_paths(format_path(path)), "reason": sources.shorten_paths(why)}
            for path, why in made.skipped
        ],
    }
    atomic.write_text(json.dumps(told, indent=1) + "\n", folder / MARKER)
    # GitHub's pages would leave out what begins with an underscore.
    atomic.write_text("", folder / ".nojekyll")


def _publish_commits(sources: SiteSources, folder: Path, made: SiteSummary) -> Part:
    how = "Type scripts/history to measure commits."
    if not sources.conf_file.is_file():
        return Part(
            f"There is no history of commits yet: no {format_path(sources.conf_file)}. {how}"
        )
    try:
        published = asv_pages.publish_commits(sources.conf_file, folder / "history")
    except UserError as error:
        shutil.rmtree(folder / "history", ignore_errors=True)
        return Part(f"There is no history of commits: {sources.shorten_paths(str(error))}")
    made.skipped += published.skipped
    made.pages += 1
    return Part(content=published)


def _publish_releases(
    sources: SiteSources, folder: Path, made: SiteSummary, tell: ProgressCallback
) -> list[tuple[str, ReleasePage]]:
    found = []
    for file in sorted(sources.releases.glob(f"*/{history_file.FILE_NAME}")):
        tell(f"publishing the releases of {format_path(Path(file.parent.name))}")
        try:
            history = history_file.read(file.parent)
        except UserError as error:
            made.skip(file, describe_error(file, error))
            continue
        page = make_release_page(history)
        place = folder / "releases" / file.parent.name
        place.mkdir(parents=True)
        trouble = _publish_release_history(file.parent, page.package, place / "history", made)
        pictures = _copy_pictures(file.parent, place, history.signals)
        text = html.render("release", page=page, pictures=pictures, trouble=trouble)
        write(text, place / "index.html", made)
        shutil.copyfile(file, place / file.name)
        found.append((file.parent.name, page))
    return found


def _publish_release_history(source: Path, package: str, folder: Path, made: SiteSummary) -> str:
    try:
        made.skipped += asv_pages.publish_releases(source, package, folder)
    except UserError as error:
        shutil.rmtree(folder, ignore_errors=True)
        made.skip(source / "asv", describe_error(source, error))
        return str(error).removeprefix(f"{source}: ")
    made.pages += 1
    return ""


def _copy_pictures(source: Path, place: Path, signals: Sequence[str]) -> Sequence[str]:
    """Copy the pictures; the names of those that a page shows: SVG where there is one.

    They are called after their signals, and stand in the same order.
    """
    order = {signal: place for place, signal in enumerate(signals)}
    pictures = sorted(
        (each for each in source.iterdir() if each.suffix in PICTURES),
        key=lambda each: (order.get(each.stem, len(order)), each.name),
    )
    for each in pictures:
        shutil.copyfile(each, place / each.name)
    best: Mapping[str, str] = {each.stem: each.name for each in pictures}
    return list(best.values())


def _publish_proof(sources: SiteSources, folder: Path, made: SiteSummary) -> Part:
    path = sources.proof
    if not path.exists():
        return Part("The gate has not been proved here yet. Type 'resilience-bench prove'.")
    try:
        proven = proof_file.read_rates(path)
    except UserError as error:
        made.skip(path, describe_error(path, error))
        return Part(f"The gate's proof could not be read: {error}")
    rows = [format_cells(each) for each in proven.rates]
    text = html.render("proof", proven=proven, headers=HEADERS, words=WORDS, rows=rows)
    write(text, folder / "gate-proof.html", made)
    shutil.copyfile(path, folder / path.name)
    return Part(content=proven)
