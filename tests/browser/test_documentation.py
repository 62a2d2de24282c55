"""The pages of the documentation in a browser that is cut off from everything else."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from tests.browser.conftest import CHROMIUM, Silent, visit
from tests.conftest import require


@pytest.fixture(scope="module")
def address(documentation_pages: Path) -> Iterator[str]:
    """Where the documentation is served: below a path of its own."""
    require(CHROMIUM)
    handler = functools.partial(Silent, directory=str(documentation_pages.parents[1]))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/site/docs/"
        server.shutdown()


def test_no_link_of_the_first_pages_is_dead(chromium: Any, address: str) -> None:
    """Every link of the first page and of the guide is answered; nothing comes from elsewhere."""
    with visit(chromium, address) as seen:
        found: set[str] = set()
        for name in ("index.html", "stack/index.html"):
            seen.page.goto(f"{address}{name}", wait_until="networkidle")
            hrefs = seen.page.eval_on_selector_all(
                "a[href]", "all => all.map(each => each.getAttribute('href'))"
            )
            found |= {urljoin(seen.page.url, each).partition("#")[0] for each in hrefs}
            seen.keep(f"docs-{name.replace('/', '-')}")
        mine = sorted(each for each in found if each.startswith(address))
        assert len(mine) >= 40
        answers = {each: seen.page.request.get(each).status for each in mine}
        assert {each for each, status in answers.items() if status != 200} == set()
        seen.assert_clean()


def test_the_search_finds_a_page_without_a_network(chromium: Any, address: str) -> None:
    """A word that is typed leads to the page about it."""
    with visit(chromium, address) as seen:
        page = seen.page
        page.goto(f"{address}index.html", wait_until="networkidle")
        page.locator(".md-search__input").click()
        # What is typed before the index is there is lost.
        page.locator(".md-search-result__meta", has_text="Type to start searching").wait_for()
        page.locator(".md-search__input").press_sequentially("bulkhead")
        hit = page.locator(".md-search-result__link").first
        hit.wait_for()
        addresses = page.eval_on_selector_all(
            ".md-search-result__link", "all => all.map(each => each.href)"
        )
        assert any("stack/" in each for each in addresses)
        hit.click()
        page.wait_for_load_state("networkidle")
        assert "bulkhead" in page.inner_text("main").lower()
        seen.keep("docs-search")
        seen.assert_clean()
