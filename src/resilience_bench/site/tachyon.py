"""asv-tachyon, which shows asv's data without a network."""

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
"""A click misses a card that moves."""
FORMATTED_UNITS: Final = frozenset({"seconds", "bytes"})
"""The units that asv-tachyon shortens itself."""
MAX_UNIT_LENGTH: Final = 2
"""A longer unit cuts off the numbers at the axis."""
NO_UNIT: Final = "unit"
"""A unit that asv-tachyon does not show."""
SHORT_UNITS: Final[Mapping[str, str]] = {
    "bare calls per call": "×",
    "calls per second": "/s",
    "references": "×",
    "times one caller": "×",
    "times the reference": "×",
}
"""Short forms of our units; the benchmarks' names give them in full."""
ASV_PAGE_FILES: Final = ("*.js", "*.css", "vendor", "error.html", "swallow.*")
"""The files of asv's own page, which loads scripts from elsewhere."""


def install(folder: Path, messages: Mapping[str, str], back: str) -> None:
    """Replace asv's page by asv-tachyon's; the data and the feed stay.

    ``messages`` has the first line of each commit's message, by hash; ``back`` is the address of
    the page that links to this one. A missing asv-tachyon is a `HistoryError`.
    """
    done = subprocess.run(  # noqa: S603 - the command is ours
        [sys.executable, "-m", "asv_tachyon", "install", "--no-backup", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
        failed = f"asv-tachyon could not show {format_path(folder)}; it said: {lines[-1]}"
        raise HistoryError(f"{failed}; {INSTALL_HINT}")
    _remove_asv_page(folder)
    index = read_index(folder)
    known = set(index["revision_to_hash"].values())
    by_hash = {commit: text for commit, text in messages.items() if commit in known}
    # The page loads each of these; a missing one would be an error in the browser's console.
    _write_json({"by_hash": by_hash}, folder / "commits.json")
    _write_json([], folder / "regressions-ignore.json")
    _write_json({"paths": {}}, folder / "profiles.json")
    for graph in (folder / "graphs").glob("**/*.json"):
        if graph.parent.name != "summary":
            _write_json({}, folder / "samples" / graph.relative_to(folder / "graphs"))
    _write_json(_adapt_index(index), folder / "index.json")
    _adapt_page(folder / "index.html", str(index["project"]), back)


def _adapt_index(index: dict[str, Any]) -> dict[str, Any]:
    """Adapt asv's list of benchmarks to asv-tachyon."""
    for benchmark in index["benchmarks"].values():
        # asv treats every rise as a regression; asv-tachyon would take a rise of a track as good.
        benchmark.setdefault("less_is_better", True)
        unit = benchmark.get("unit") or NO_UNIT
        if unit not in FORMATTED_UNITS and len(unit) > MAX_UNIT_LENGTH:
            benchmark["unit"] = SHORT_UNITS.get(unit, NO_UNIT)
    return index


def _adapt_page(page: Path, project: str, back: str) -> None:
    """Give a page a title, the feed and a link back, and stop its animation."""
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
    """Read asv's list of what it has published."""
    index: dict[str, Any] = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    return index


def _write_json(content: object, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(json.dumps(content), path)
