"""A site that is served below a sub-path, and a browser that is cut off from everything else."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from resilience_bench.site.build import SiteSources, make
from tests.conftest import require
from tests.site.site_factories import make_sources

PICTURES = "RESILIENCE_BENCH_PICTURES"
"""An environment variable that names a folder for pictures of the pages; else none are kept."""
CHROMIUM = "chromium"
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP = {"width": 1300, "height": 900}
TABLET = {"width": 800, "height": 1000}
PHONE = {"width": 390, "height": 844}
SIZES = {"desktop": DESKTOP, "tablet": TABLET, "phone": PHONE}
CLIPPED = """() => [...document.querySelectorAll('table')].flatMap(table => {
  for (let each = table; each; each = each.parentElement) {
    if (each.tagName === 'DETAILS') each.open = true;
  }
  let frame = table.parentElement;
  while (frame.parentElement && getComputedStyle(frame).overflowX === 'visible') {
    frame = frame.parentElement;
  }
  const scrolls = ['auto', 'scroll'].includes(getComputedStyle(frame).overflowX);
  if (scrolls) frame.scrollLeft = frame.scrollWidth;
  const rights = [...table.querySelectorAll('tr > :last-child')]
    .map(cell => cell.getBoundingClientRect().right);
  const limit = frame.getBoundingClientRect().left + frame.clientLeft + frame.clientWidth;
  if (scrolls) frame.scrollLeft = 0;
  return Math.max(0, ...rights) > limit + 1 ? [table.innerText.slice(0, 80)] : [];
})"""
"""The tables whose last column stays out of sight, even when their frame is scrolled."""
SCROLLING = """() => [...document.querySelectorAll('.scroll')]
  .filter(frame => frame.scrollWidth > frame.clientWidth).map(frame => frame.innerText.slice(0, 80))
"""
"""The frames of tables that are wider than the page has room for."""


class Silent(http.server.SimpleHTTPRequestHandler):
    """A plain file server."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its parent's name
        """Say nothing."""


@dataclass
class Site:
    """A site that is served: its address, and the commit that made something slower."""

    folder: Path
    address: str
    slower: str


@dataclass
class Visit:
    """A page in the browser, and all that went wrong while it was open."""

    page: Any
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def assert_clean(self) -> None:
        """Nothing in the console, nothing from elsewhere, nothing missing."""
        assert (self.errors, self.foreign, self.failed) == ([], [], [])

    def overflow(self) -> int:
        """How many pixels the page is wider than the window."""
        script = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.page.evaluate(script))

    def clipped_tables(self) -> list[str]:
        """The beginnings of the tables whose last column cannot be seen."""
        return list(self.page.evaluate(CLIPPED))

    def scrolling_tables(self) -> list[str]:
        """The beginnings of the tables that have to be scrolled to the side."""
        return list(self.page.evaluate(SCROLLING))

    def keep(self, name: str, *, full_page: bool = False) -> None:
        """Take a picture of what is seen, and keep it where a folder for pictures is named."""
        picture = self.page.screenshot(full_page=full_page)
        if folder := os.environ.get(PICTURES):
            Path(folder).mkdir(parents=True, exist_ok=True)
            (Path(folder) / f"{name}.png").write_bytes(picture)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A whole site, below a path of its own on a plain file server."""
    require(CHROMIUM)
    project = tmp_path_factory.mktemp("project") / "it"
    slower = make_sources(project)
    root = tmp_path_factory.mktemp("www")
    folder = root / "some" / "sub path"
    make(SiteSources(project / "results", project / "asv.conf.json"), folder, lambda _text: None)
    handler = functools.partial(Silent, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Site(folder, f"http://127.0.0.1:{server.server_address[1]}/some/sub%20path/", slower)
        server.shutdown()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, with nothing of an earlier run.

    Of the module, whose tests run one after another: its driver keeps an event loop running, which
    no other test could stand.
    """
    path = require(CHROMIUM)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@contextlib.contextmanager
def visit(
    browser: Any, home: str, size: dict[str, int] | None = None, scheme: str = "light"
) -> Iterator[Visit]:
    """A page that may load what is below ``home``, and nothing else."""
    context = browser.new_context(viewport=size or DESKTOP, color_scheme=scheme)
    context.set_default_timeout(300_000)
    made = Visit(context.new_page())

    def guard(route: Any) -> None:
        if route.request.url.startswith((home, "data:", "blob:")):
            route.continue_()
        else:
            made.foreign.append(route.request.url)
            route.abort()

    context.route("**/*", guard)
    page = made.page
    page.on("console", lambda said: made.errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: made.errors.append(str(error)))
    page.on("dialog", lambda dialog: (made.errors.append("a dialog"), dialog.dismiss()))
    page.on("response", lambda got: made.failed.append(got.url) if got.status >= 400 else None)
    page.on("requestfailed", lambda asked: made.failed.append(asked.url))
    try:
        yield made
    finally:
        context.close()
