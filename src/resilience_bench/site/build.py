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
from resilience_bench.files.checked_json import shown
from resilience_bench.releases import history_file
from resilience_bench.releases.page import ReleasePage, release_page
from resilience_bench.report import html
from resilience_bench.selftest import proof_file
from resilience_bench.selftest.simulation import HEADERS, WORDS, cells
from resilience_bench.site import asv_pages
from resilience_bench.site import runs as site_results
from resilience_bench.site.runs import Made, Part, write
from resilience_bench.site.saved_runs import found_in, reason
from resilience_bench.site.staging import MARK, staged

PICTURES: Final = frozenset({".svg", ".png"})
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sources:
    """From where a site is made; what is not there is left out, and the site says so."""

    results: Path
    conf_file: Path

    def tidy(self, text: str) -> str:
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


def make(sources: Sources, place: Path, tell: Tell) -> Made:
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
    made = Made()
    with staged(place) as folder:
        tell("reading the results")
        runs = found_in(sources.results)
        made.skipped += runs.skipped
        tell("publishing the history of commits")
        commits = _commits(sources, folder, made)
        releases = _releases(sources, folder, made, tell)
        tell("drawing the runs")
        pages = {
            "runs": site_results.pages(runs, folder, made),
            "run": site_results.latest(runs, folder),
            "check": site_results.check(runs, sources.tidy),
            "proof": _proof(sources, folder, made),
        }
        text = html.render(
            "index",
            **pages,
            commits=commits,
            releases=releases,
            skipped=[tuple(map(sources.tidy, (shown(path), why))) for path, why in made.skipped],
            made=_now(),
        )
        write(text, folder / "index.html", made)
        _write_mark(sources, made, folder)
    return made


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def _write_mark(sources: Sources, made: Made, folder: Path) -> None:
    told = {
        "made": _now(),
        "tool_version": __version__,
        "skipped": [
            {"file": sources.tidy(shown(path)), "reason": sources.tidy(why)}
            for path, why in made.skipped
        ],
    }
    atomic.write_text(json.dumps(told, indent=1) + "\n", folder / MARK)
    # GitHub's pages would leave out what begins with an underscore.
    atomic.write_text("", folder / ".nojekyll")


def _commits(sources: Sources, folder: Path, made: Made) -> Part:
    how = "Type scripts/history to measure commits."
    if not sources.conf_file.is_file():
        return Part(f"There is no history of commits yet: no {shown(sources.conf_file)}. {how}")
    try:
        published = asv_pages.publish_commits(sources.conf_file, folder / "history")
    except UserError as error:
        shutil.rmtree(folder / "history", ignore_errors=True)
        return Part(f"There is no history of commits: {sources.tidy(str(error))}")
    made.skipped += published.skipped
    made.pages += 1
    return Part(content=published)


def _releases(
    sources: Sources, folder: Path, made: Made, tell: Tell
) -> list[tuple[str, ReleasePage]]:
    found = []
    for file in sorted(sources.releases.glob(f"*/{history_file.NAME}")):
        tell(f"publishing the releases of {shown(Path(file.parent.name))}")
        try:
            history = history_file.read(file.parent)
        except UserError as error:
            made.skip(file, reason(file, error))
            continue
        page = release_page(history)
        place = folder / "releases" / file.parent.name
        place.mkdir(parents=True)
        trouble = _release_history(file.parent, page.package, place / "history", made)
        pictures = _copied(file.parent, place, history.signals)
        text = html.render("release", page=page, pictures=pictures, trouble=trouble)
        write(text, place / "index.html", made)
        shutil.copyfile(file, place / file.name)
        found.append((file.parent.name, page))
    return found


def _release_history(source: Path, package: str, folder: Path, made: Made) -> str:
    try:
        made.skipped += asv_pages.publish_releases(source, package, folder)
    except UserError as error:
        shutil.rmtree(folder, ignore_errors=True)
        made.skip(source / "asv", reason(source, error))
        return str(error).removeprefix(f"{source}: ")
    made.pages += 1
    return ""


def _copied(source: Path, place: Path, signals: Sequence[str]) -> Sequence[str]:
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


def _proof(sources: Sources, folder: Path, made: Made) -> Part:
    path = sources.proof
    if not path.exists():
        return Part("The gate has not been proved here yet. Type 'resilience-bench prove'.")
    try:
        proven = proof_file.read_rates(path)
    except UserError as error:
        made.skip(path, reason(path, error))
        return Part(f"The gate's proof could not be read: {error}")
    rows = [cells(each) for each in proven.rates]
    text = html.render("proof", proven=proven, headers=HEADERS, words=WORDS, rows=rows)
    write(text, folder / "gate-proof.html", made)
    shutil.copyfile(path, folder / path.name)
    return Part(content=proven)
