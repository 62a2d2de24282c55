"""The pages of the documentation: whole, without dead links or anything from elsewhere."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from resilience_bench.errors import UserError
from resilience_bench.site import documentation
from resilience_bench.site.build import SiteSources, make
from tests.conftest import ROOT

SECTIONS = ["Start here", "Measure", "Gate", "History", "Stack", "Monitoring", "Reference"]
LOADED = re.compile(r'<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)="((?:https?:)?//[^"]*)"')


def list_links(page: Path) -> list[tuple[Path, str]]:
    """The files that a page leads to, each with the place in it."""
    found = []
    for href in re.findall(r'<a\b[^>]*\bhref="([^"]*)"', page.read_text()):
        address, _, place = unquote(unescape(href)).partition("#")
        if not re.match(r"[a-z]+:|//", address) and page.name != "404.html":
            target = (page.parent / address).resolve() if address else page
            found.append((target, place))
    return found


def test_every_page_of_docs_is_there_and_in_a_section(documentation_pages: Path) -> None:
    """Each file of docs/ is a page; the tabs are the sections, in the order in which one reads."""
    for source in (ROOT / "docs").glob("**/*.md"):
        place = source.relative_to(ROOT / "docs").with_suffix(".html")
        name = place.with_name("index.html") if place.stem == "README" else place
        assert (documentation_pages / name).is_file(), source
    text = (documentation_pages / "index.html").read_text()
    tabs = re.findall(r'<li class="md-tabs__item[^"]*">\s*<a[^>]*>\s*([^<]*?)\s*</a>', text)
    assert tabs == SECTIONS


def test_no_link_is_dead(documentation_pages: Path) -> None:
    """Every link of every page leads to a file, and to a place in it, that are there."""
    names: dict[Path, set[str]] = {}
    for page in documentation_pages.glob("**/*.html"):
        for target, place in list_links(page):
            file = target / "index.html" if target.is_dir() else target
            assert file.is_file(), f"{page.relative_to(documentation_pages)}: {target}"
            if place and file.suffix == ".html":
                if file not in names:
                    names[file] = set(re.findall(r'\b(?:id|name)="([^"]*)"', file.read_text()))
                assert unescape(place) in {unescape(name) for name in names[file]}, (page, place)


def test_nothing_is_loaded_from_elsewhere(documentation_pages: Path) -> None:
    """Scripts, styles, fonts and pictures are files of the site."""
    for page in documentation_pages.glob("**/*.html"):
        assert LOADED.findall(page.read_text()) == []
    for style in documentation_pages.glob("**/*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//", style.read_text())


def test_the_search_knows_every_page(documentation_pages: Path) -> None:
    """The index of the search has the text of the guide, of runbooks, and of docstrings."""
    index = json.loads((documentation_pages / "search" / "search_index.json").read_text())["docs"]
    found = {entry["location"].partition("#")[0] for entry in index}
    assert {
        "index.html",
        "monitoring.html",
        "stack/runbooks/breaker-open.html",
        "reference/resilience_stack.html",
    } <= found
    assert any("resilience_bench.scenario" in entry["location"] for entry in index)


def test_a_file_that_mkdocs_refuses_is_skipped_with_the_reason(tmp_path: Path) -> None:
    """The site is made without the pages, and its first page says why."""
    project = tmp_path / "project"
    (project / "results").mkdir(parents=True)
    file = project / "mkdocs.yml"
    file.write_text("site_name: 'no end\n")
    sources = SiteSources(project / "results", project / "asv.conf.json", file)
    summary = make(sources, project / "site", lambda _text: None)
    assert [path for path, _ in summary.skipped] == [file]
    page = (project / "site" / "index.html").read_text()
    assert "There is no documentation: mkdocs could not make the pages of mkdocs.yml" in page
    assert not (project / "site" / "docs").exists()


def test_without_mkdocs_the_reason_is_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(UserError, match=r"needs mkdocs.*type pip install"):
        documentation.publish(tmp_path / "mkdocs.yml", tmp_path / "docs")


def test_a_site_links_to_its_documentation(tmp_path: Path) -> None:
    """The first page leads to the pages, which are below it."""
    (tmp_path / "results").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Guide\n")
    file = tmp_path / "mkdocs.yml"
    file.write_text("site_name: guide\ntheme: {name: material, font: false}\n")
    sources = SiteSources(tmp_path / "results", tmp_path / "asv.conf.json", file)
    summary = make(sources, tmp_path / "site", lambda _text: None)
    assert summary.skipped == []
    assert 'href="docs/index.html"' in (tmp_path / "site" / "index.html").read_text()
    assert "Guide" in (tmp_path / "site" / "docs" / "index.html").read_text()
