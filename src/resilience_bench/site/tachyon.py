"""asv-tachyon, which shows what asv has published and needs no network for it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from resilience_bench.errors import HistoryError
from resilience_bench.files import atomic
from resilience_bench.files.checked_json import format_path

INSTALL_HINT: Final = "type: pip install 'resilience-bench[history]'"
FEED: Final = "regressions.xml"
BACK_LINK: Final = (
    '<p style="margin:0;padding:.5rem 1rem;font:14px/1.4 system-ui,sans-serif">{}</p>'
)
NO_ANIMATION: Final = "<style>.fade-in { animation: none }</style>"
"""What is there can be clicked at once: a card that drifts into its place is missed."""
FORMATTED_UNITS: Final = frozenset({"seconds", "bytes"})
"""The units that asv-tachyon writes as short as it can itself."""
MAX_UNIT_LENGTH: Final = 2
"""With a longer unit the numbers at the axis would be cut off."""
NO_UNIT: Final = "unit"
"""What asv-tachyon leaves out."""
SHORT_UNITS: Final[Mapping[str, str]] = {
    "bare calls per call": "×",
    "calls per second": "/s",
    "references": "×",
    "times one caller": "×",
    "times the reference": "×",
}
"""What is written for units of ours; the names of the benchmarks say them in full."""
ASV_PAGE_FILES: Final = ("*.js", "*.css", "vendor", "error.html", "swallow.*")
"""The parts of asv's own page, which loads scripts from elsewhere; asv-tachyon takes its place."""


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
        message = (
            f"asv-tachyon could not show {format_path(folder)}; it said: {said[-1]}; {INSTALL_HINT}"
        )
        raise HistoryError(message)
    _remove_asv_page(folder)
    index = read_index(folder)
    known = set(index["revision_to_hash"].values())
    told = {each: text for each, text in messages.items() if each in known}
    # Each of these is asked for; one that is not there would be an error in the browser's console.
    _write_json({"by_hash": told}, folder / "commits.json")
    _write_json([], folder / "regressions-ignore.json")
    _write_json({"paths": {}}, folder / "profiles.json")
    for graph in (folder / "graphs").glob("**/*.json"):
        if graph.parent.name != "summary":
            _write_json({}, folder / "samples" / graph.relative_to(folder / "graphs"))
    _write_json(_adapt_index(index), folder / "index.json")
    _adapt_page(folder / "index.html", str(index["project"]), back)


def _adapt_index(index: dict[str, Any]) -> dict[str, Any]:
    """What asv says of its benchmarks, as asv-tachyon shows it rightly."""
    for benchmark in index["benchmarks"].values():
        # asv calls every rise a regression; asv-tachyon would call a rise of a track good.
        benchmark.setdefault("less_is_better", True)
        unit = benchmark.get("unit") or NO_UNIT
        if unit not in FORMATTED_UNITS and len(unit) > MAX_UNIT_LENGTH:
            benchmark["unit"] = SHORT_UNITS.get(unit, NO_UNIT)
    return index


def _adapt_page(page: Path, project: str, back: str) -> None:
    """Give a page a title, the feed, and a way back; and keep it still."""
    text = page.read_text(encoding="utf-8")
    feed = f'<link rel="alternate" type="application/atom+xml" title="Regressions" href="{FEED}">'
    head = f"<title>{html.escape(project)}: history</title>\n{feed}\n{NO_ANIMATION}\n</head>"
    way = BACK_LINK.format(f'<a href="{back}" style="color:#4a90d9">← all of the site</a>')
    text = re.sub(r"<title>.*?</title>", "", text, count=1, flags=re.DOTALL)
    text = text.replace("</head>", head, 1)
    atomic.write_text(text.replace('<div id="root">', f'{way}\n<div id="root">', 1), page)


def _remove_asv_page(folder: Path) -> None:

    for pattern in ASV_PAGE_FILES:
        for path in folder.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def read_index(folder: Path) -> dict[str, Any]:
    """What asv says of everything that it has published."""
    found: dict[str, Any] = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    return found


def _write_json(content: object, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(json.dumps(content), path)
