"""asv's data on the site: published by asv, shown by asv-tachyon, which needs no network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from resilience_bench import results
from resilience_bench.errors import HistoryError
from resilience_bench.history.site_runs import Skipped
from resilience_bench.jsonfile import shown

EXTRA: Final = "type: pip install 'resilience-bench[history]'"
OURS: Final = "resilience_bench"
FEED: Final = "regressions.xml"
WAY_BACK: Final = '<p style="margin:0;padding:.5rem 1rem;font:14px/1.4 system-ui,sans-serif">{}</p>'
ASVS_OWN: Final = ("*.js", "*.css", "vendor", "error.html", "swallow.*")
"""The parts of asv's own page, which loads scripts from elsewhere; asv-tachyon takes its place."""


@dataclass(frozen=True, slots=True)
class Commits:
    """The history of this project's commits, as far as it was published.

    ``unbuilt`` are the commits that do not build: their hashes, and the first line of each message.
    """

    benchmarks: int
    commits: int
    regressions: int
    unbuilt: Mapping[str, str]
    skipped: tuple[Skipped, ...]


def publish_commits(conf_file: Path, folder: Path) -> Commits:
    """Publish what asv measured of this project's commits, with a page that needs no network.

    Args:
        conf_file: The ``asv.conf.json``.
        folder: Where to; a folder that there is not yet.

    Raises:
        UserError: If there is nothing to publish, or asv is missing or fails.
    """
    try:
        # Extras: the site is made without them, too.
        from resilience_bench.history.publish import publish  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(OURS):
            raise
        message = f"{error.name or 'asv'} is not installed; {EXTRA}"
        raise HistoryError(message) from error
    published = publish(conf_file, folder)
    subjects = _subjects(conf_file.absolute().parent)
    unbuilt = {each: subjects.get(each, "") for each in published.unbuilt}
    messages = {
        each: f"DOES NOT BUILD: {text}" if each in unbuilt else text
        for each, text in subjects.items()
    }
    install(folder, messages, "../index.html")
    return Commits(
        published.benchmarks,
        published.commits,
        regressions_in(folder),
        unbuilt,
        tuple((path, text) for path, text in published.skipped),
    )


def publish_releases(history: Path, package: str, folder: Path) -> None:
    """Publish what was measured of a package's releases, with the same page.

    Args:
        history: The folder that 'resilience-bench releases' wrote.
        package: What it is of.
        folder: Where to; a folder that there is not yet.

    Raises:
        UserError: If there is nothing to publish, or asv is missing or fails.
    """
    from resilience_bench.history.releases_site import publish  # noqa: PLC0415 - as above

    publish(history, folder)
    index = _index(folder)
    hashes = index["revision_to_hash"]
    tags = {hashes[str(revision)]: tag for tag, revision in index["tags"].items()}
    messages = {each: f"{package} {tag.removeprefix('v')}" for each, tag in tags.items()}
    install(folder, messages, "../index.html")


def install(folder: Path, messages: Mapping[str, str], back: str) -> None:
    """Put asv-tachyon's page over the data that asv has published; the feed stays.

    Args:
        folder: What asv has published.
        messages: The first line of the message of each commit.
        back: The address of the page that links to this one.

    Raises:
        HistoryError: If asv-tachyon is missing, or refuses the folder.
    """
    done = subprocess.run(  # noqa: S603 - the command is ours
        [sys.executable, "-m", "asv_tachyon", "install", "--no-backup", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
        message = f"asv-tachyon could not show {shown(folder)}; it said: {said[-1]}; {EXTRA}"
        raise HistoryError(message)
    _take_away_asvs_own(folder)
    known = set(_index(folder)["revision_to_hash"].values())
    told = {each: text for each, text in messages.items() if each in known}
    # Each of these is asked for; one that is not there would be an error in the browser's console.
    _write({"by_hash": told}, folder / "commits.json")
    _write([], folder / "regressions-ignore.json")
    _write({"paths": {}}, folder / "profiles.json")
    page = folder / "index.html"
    text = page.read_text(encoding="utf-8")
    feed = f'<link rel="alternate" type="application/atom+xml" title="Regressions" href="{FEED}">'
    way = WAY_BACK.format(f'<a href="{back}" style="color:#4a90d9">← all of the site</a>')
    text = text.replace("</head>", f"{feed}\n</head>", 1)
    results.write_text(text.replace('<div id="root">', f'{way}\n<div id="root">', 1), page)


def _take_away_asvs_own(folder: Path) -> None:

    for pattern in ASVS_OWN:
        for path in folder.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def regressions_in(folder: Path) -> int:
    """How many regressions asv has listed."""
    stored = json.loads((folder / "regressions.json").read_text(encoding="utf-8"))
    return len(stored["regressions"])


def _index(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    return found


def _write(content: object, path: Path) -> None:
    results.write_text(json.dumps(content), path)


def _subjects(repository: Path) -> dict[str, str]:
    """The first lines of the messages of all commits; nothing where git does not tell."""
    done = subprocess.run(
        ["git", "log", "--all", "--format=%H %s"],  # noqa: S607 - the user's git
        cwd=repository,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    pairs = (line.partition(" ") for line in done.stdout.splitlines())
    return {name: subject for name, _, subject in pairs}
