"""The site in a browser with the network blocked, below a sub-path of a plain file server."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urljoin

import pytest

from resilience_bench.files import results
from resilience_bench.report import html
from resilience_bench.report.page import make_run_page
from resilience_bench.stats.latency import estimate
from tests.browser.conftest import DESKTOP, SIZES, Site, Visit, visit
from tests.conftest import ROOT
from tests.site.site_factories import EVIL

BENCHMARK = "breaker.Breaker000.track_ratio"
DRAWN = """canvas => {
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  const colours = {};
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] > 200) {
      const colour = [data[at], data[at + 1], data[at + 2]].join(',');
      colours[colour] = (colours[colour] || 0) + 1;
    }
  }
  return colours;
}"""


def links(page: Any) -> list[str]:
    """The pages of the site that this one leads to."""
    found = page.eval_on_selector_all("a[href]", "all => all.map(a => a.getAttribute('href'))")
    pages = {urljoin(page.url, each).partition("#")[0] for each in found}
    return sorted(each for each in pages if each.endswith((".html", "/")))


def every_page(browser: Any, site: Site) -> list[str]:
    """All pages that the first one leads to, at whatever distance."""
    known: list[str] = []
    ahead = [f"{site.address}index.html"]
    with visit(browser, site.address) as seen:
        while ahead:
            address = ahead.pop()
            known.append(address)
            seen.page.goto(address, wait_until="networkidle")
            ahead += [each for each in links(seen.page) if each not in (*known, *ahead)]
    return known


def short(address: str, site: Site) -> str:
    """The name of the screenshot of a page."""
    return re.sub(r"[^a-z0-9]+", "-", address.removeprefix(site.address).removesuffix(".html"))


@pytest.fixture(scope="module")
def addresses(chromium: Any, site: Site) -> list[str]:
    """The pages of the site."""
    return every_page(chromium, site)


def test_every_page_is_linked(addresses: list[str], site: Site) -> None:
    """The first page leads to the runs, the commits, the releases and the proof, and back."""
    found = [each.removeprefix(site.address) for each in addresses]
    assert sorted(found) == [
        "gate-proof.html",
        "history/index.html",
        "index.html",
        "releases/tenacity/history/index.html",
        "releases/tenacity/index.html",
        "runs/quick.html",
        "runs/run-newest.html",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_every_page_loads_whole(
    chromium: Any, site: Site, addresses: list[str], size: dict[str, int], scheme: str
) -> None:
    """No error, no request that leaves the host, no page wider than its window, no cut table."""
    for address in addresses:
        with visit(chromium, site.address, size, scheme) as seen:
            seen.page.goto(address, wait_until="networkidle")
            seen.keep(f"{short(address, site)}-{size['width']}-{scheme}")
            seen.assert_clean()
            assert seen.overflow() <= 0, address
            assert seen.clipped_tables() == [], address
            assert seen.overflow() <= 0, address
            assert seen.page.title()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_the_last_column_of_a_whole_run_can_be_read(
    chromium: Any, site: Site, size: dict[str, int], scheme: str
) -> None:
    """Every table of the committed run; on a desktop without scrolling to the side."""
    result = results.read(ROOT / "results" / "quick.json")
    run = make_run_page(result, estimate(result), "quick.json", [])
    page = site.folder / "whole.html"
    page.write_text(html.render("report", run=run, against=None, judgement=None))
    with visit(chromium, site.address, size, scheme) as seen:
        seen.page.goto(f"{site.address}whole.html", wait_until="networkidle")
        assert seen.page.get_by_text("peak B", exact=True).count() > 10
        assert seen.clipped_tables() == []
        assert size != DESKTOP or seen.scrolling_tables() == []
    page.unlink()


def test_the_first_page_shows_the_latest_run_of_the_whole_suite(chromium: Any, site: Site) -> None:
    """A later run of some cases is listed below, and no more."""
    with visit(chromium, site.address) as seen:
        seen.page.goto(f"{site.address}index.html")
        title = seen.page.get_by_role("heading", name="Latest run of the whole suite")
        assert title.count() == 2
        assert seen.page.locator("a[href^='data/']").all_inner_texts() == ["run-newest.json"]
        rows = seen.page.locator("#runs ~ .scroll tbody tr").all_inner_texts()
        assert [row.split()[0] for row in rows] == [
            "run-some.json",
            "run-newest.json",
            "quick.json",
        ]
        assert "some cases" in rows[0]


def test_what_goes_wrong_on_a_page_is_noticed(chromium: Any, site: Site) -> None:
    """The guard itself is able to fail: by a request elsewhere, a missing file, an error."""
    (site.folder / "bad.html").write_text(
        '<img src="https://example.org/a.png"><img src="gone.png"><script>nothing()</script>'
    )
    with visit(chromium, site.address) as seen:
        seen.page.goto(f"{site.address}bad.html", wait_until="networkidle")
        assert seen.foreign == ["https://example.org/a.png"]
        assert f"{site.address}gone.png" in seen.failed
        assert any("nothing is not defined" in error for error in seen.errors)
        with pytest.raises(AssertionError):
            seen.assert_clean()
        seen.page.set_content(
            "<div style='width:99px;overflow:hidden'><table><tr><td style='min-width:200px'>cut"
        )
        assert seen.clipped_tables() == ["cut"]
    (site.folder / "bad.html").unlink()


def test_names_are_read_and_never_run(chromium: Any, site: Site) -> None:
    """A library that is named like a script is text: in tables, in pictures, in reasons."""
    for address in ("index.html", "runs/run-newest.html", "runs/quick.html"):
        with visit(chromium, site.address) as seen:
            seen.page.goto(site.address + address, wait_until="networkidle")
            assert seen.page.get_by_text(EVIL).count() > 0
            assert seen.page.locator("script").count() == 0
            seen.assert_clean()


def test_dark_is_dark(chromium: Any, site: Site) -> None:
    """The page follows what the reader's system prefers; pictures stay on white."""
    found = {}
    for scheme in ("light", "dark"):
        with visit(chromium, site.address, scheme=scheme) as seen:
            seen.page.goto(f"{site.address}runs/quick.html")
            style = "each => getComputedStyle(each).backgroundColor"
            found[scheme] = seen.page.eval_on_selector("body", style)
            assert seen.page.eval_on_selector("figure", style) == "rgb(255, 255, 255)"
    assert found["light"] == "rgb(255, 255, 255)"
    assert found["dark"] != found["light"]


def opened(seen: Visit, site: Site) -> None:
    """Find a benchmark by searching, and open it."""
    page = seen.page
    page.goto(f"{site.address}history/index.html", wait_until="networkidle")
    assert page.get_by_text("breaker.Breaker001.track_ratio").count() > 0
    page.get_by_placeholder(re.compile("Search")).fill("Breaker000")
    page.get_by_text("breaker.Breaker001.track_ratio").wait_for(state="detached")
    page.get_by_text(BENCHMARK).first.click()
    page.locator(".uplot canvas").wait_for()
    page.wait_for_load_state("networkidle")


def drawn(seen: Visit) -> dict[str, int]:
    """The colours of the curves, and how many pixels each has."""
    return dict(seen.page.locator(".uplot canvas").evaluate(DRAWN))


def test_a_benchmark_is_found_and_its_curve_drawn(chromium: Any, site: Site) -> None:
    """By searching; the first libraries have a line in their colour."""
    with visit(chromium, site.address) as seen:
        opened(seen, site)
        assert seen.page.locator("h1").inner_text() == BENCHMARK
        chips = seen.page.locator(".param-chip.on .swatch")
        colours = chips.evaluate_all("all => all.map(each => each.style.backgroundColor)")
        assert colours
        pixels = drawn(seen)
        for colour in colours:
            assert pixels.get(",".join(re.findall(r"\d+", colour)), 0) > 50, colour
        seen.keep("history-benchmark", full_page=True)
        seen.assert_clean()


def test_a_parameter_is_switched(chromium: Any, site: Site) -> None:
    """Another library's line appears when its chip is pressed, and goes when pressed again."""
    with visit(chromium, site.address) as seen:
        opened(seen, site)
        chip = seen.page.get_by_role("button", name="library='tenacity', load='single'")
        swatch = chip.locator(".swatch")
        colour = swatch.evaluate("each => each.style.backgroundColor")
        key = ",".join(re.findall(r"\d+", colour))
        assert drawn(seen).get(key, 0) == 0
        chip.click()
        seen.page.locator(".chart-legend").get_by_text("tenacity").wait_for()
        seen.page.wait_for_load_state("networkidle")
        assert drawn(seen).get(key, 0) > 50
        chip.click()
        seen.page.locator(".chart-legend").get_by_text("tenacity").wait_for(state="detached")
        assert drawn(seen).get(key, 0) == 0
        seen.assert_clean()


def test_the_regression_is_listed(chromium: Any, site: Site) -> None:
    """Exactly the commit that made the first library slower, for its cases alone."""
    with visit(chromium, site.address) as seen:
        page = seen.page
        page.goto(f"{site.address}index.html")
        page.get_by_role("link", name=re.compile("regressions?$")).click()
        page.get_by_role("cell", name=re.compile(re.escape(BENCHMARK))).first.wait_for()
        rows = page.locator("tbody tr").all_inner_texts()
        assert len(rows) == 2
        for row, load in zip(sorted(rows), ("single", "threads-8"), strict=True):
            assert f"{BENCHMARK}('pybreaker', '{load}')" in row
            assert site.slower[:8] in row
        seen.keep("history-regressions")
        seen.assert_clean()


def test_a_release_is_a_step_on_a_curve(chromium: Any, site: Site) -> None:
    """The page of a package leads to the curves of its cases, an entry a release."""
    with visit(chromium, site.address) as seen:
        page = seen.page
        page.goto(f"{site.address}releases/tenacity/index.html")
        assert page.get_by_role("cell", name="+50.0%").count() == 2  # its release, and its step
        page.get_by_role("link", name="Curves of every case").click()
        page.get_by_text("retry.first_try.track_ratio").first.click()
        page.locator(".uplot canvas").wait_for()
        page.wait_for_load_state("networkidle")
        assert drawn(seen)
        seen.keep("release-benchmark", full_page=True)
        seen.assert_clean()
