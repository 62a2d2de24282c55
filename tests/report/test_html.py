"""The page of a run: what stands on it, that nothing on it runs, and that it stands alone."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from resilience_bench._model import Result
from resilience_bench.report import blocks, html, two_runs
from resilience_bench.report.plots.inline import inline_svg
from resilience_bench.stats.latency import estimate
from tests.drift_factories import make_drift_result
from tests.factories import (
    make_case,
    make_environment,
    make_result,
    measured_result,
    sample_result,
    with_all_signals,
)
from tests.load_factories import (
    loaded_result,
    make_loads,
    make_tally,
)

EVIL = "<script>alert(1)</script>\"'&"


class Elements(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        self.texts.append(data)

    @property
    def text(self) -> str:
        """All that is read on the page."""
        return "".join(self.texts)


def page_of(result: Result, **more: Any) -> str:
    """The page of a result."""
    return html.render_report(result, estimate(result), "run.json", **more)


def lossy() -> Result:
    """A result under load in which a library loses counts."""
    case = make_case("naive", "metrics.labels_inc", load="threads-8")
    loads = [
        make_loads(case, [900.0 + index] * 6, index=index, tallies={case.name: make_tally(12)})
        for index in range(6)
    ]
    return loaded_result(loads, [case])


def test_it_holds_the_tables_of_show() -> None:
    """Every block, every number, what is missing and why."""
    result = with_all_signals(sample_result())
    seen = Elements(page_of(result).replace("<wbr>", ""))
    shown = blocks.make_blocks(result, estimate(result), "latency")
    assert len(shown) == 6
    for block in shown:
        assert block.description in seen.text
        for row in block.rows:
            assert {row.label, *row.cells.values()} <= set(seen.texts)
    assert "failed: was ended by SIGSEGV (1)" in seen.text
    assert "not installed: type: pip install aiobreaker (1)" in seen.text
    titles = [
        text.replace("<wbr>", "") for text in re.findall(r"<h4[^>]*>(.*?)</h4>", page_of(result))
    ]
    assert titles[:2] == ["breaker.closed_success", "breaker.open_rejects"]


def test_it_holds_what_was_done_wrong_under_load() -> None:
    """A mark beneath the row, and the bare call to hold it against."""
    seen = Elements(page_of(lossy()))
    assert "! loses counts" in seen.text
    assert "(bare call)" in seen.text
    assert "calls/s" in seen.text


def test_it_holds_what_grows() -> None:
    """A case that was run for long has a row, and growth is written large."""
    page = page_of(make_drift_result())
    assert "breaker in long runs" in page
    assert re.search(r'class="bad">[^<]*GROW', page)


def test_it_says_where_it_was_measured() -> None:
    """Commit, environment, packages and when."""
    text = Elements(page_of(sample_result())).text
    for value in (
        "0123456789abcdef0123456789abcdef01234567, with uncommitted changes",
        "2 × AMD EPYC 7B13",
        "2026-01-02T03:04:05+00:00",
        "tenacity 9.2.1",
    ):
        assert value in text


@pytest.mark.parametrize("make", [sample_result, lossy, make_drift_result, make_result])
def test_it_needs_nothing_else(make: Any) -> None:
    """No address leads out of the page, and no script is in it."""
    seen = Elements(page_of(make()))
    for tag, attributes in seen.found:
        assert tag not in {"script", "iframe", "object", "embed", "base"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"href", "src", "xlink:href"}:
                assert str(value).startswith(("#", "data:")), (tag, value)
    assert "default-src 'none'" in page_of(make())


def test_names_never_become_elements() -> None:
    """Whatever a library, a reason, a machine or a file is called."""
    result = measured_result(
        {make_case(EVIL): 900.0, make_case("b"): 1000.0},
        environment=make_environment(cpu_model=EVIL, packages={EVIL: EVIL}),
    )
    records = [replace(case, description=EVIL) for case in result.cases]
    evil = replace(result, cases=tuple(records), profile=EVIL, selectors=(EVIL,))
    beside = two_runs.compare_runs(evil, EVIL, evil, EVIL)
    page = html.render_report(evil, estimate(evil), EVIL, beside)
    seen = Elements(page)
    assert "script" not in {tag for tag, _ in seen.found}
    assert "<script" not in page
    assert EVIL in seen.text


def test_the_pictures_are_in_it() -> None:
    """As SVG, each with identifiers of its own, and none that is missing."""
    page = page_of(sample_result())
    seen = Elements(page)
    assert [tag for tag, _ in seen.found].count("svg") == 4
    names = [each["id"] for _, each in seen.found if "id" in each]
    assert len(names) == len(set(names))
    used = {*re.findall(r"url\(#([^)]+)\)", page), *re.findall(r'href="#([^"]+)"', page)}
    assert used
    assert used <= set(names)


def test_a_run_with_nothing_in_it_is_a_page() -> None:
    """It says so."""
    text = Elements(page_of(make_result())).text
    assert "Nothing was measured" in text
    assert "nothing under load to draw" in text


def test_a_picture_keeps_its_text_and_its_proportions() -> None:
    """Text stays text, sizes are those of the page, and metadata are left out."""
    svg = (
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9pt" height="4pt" '
        b'viewBox="0 0 9 4"><metadata>who</metadata><defs><path id="m"/><path id="unused"/></defs>'
        b'<g clip-path="url(#m)"><text>a &lt; b</text></g></svg>'
    )
    root = ET.fromstring(inline_svg(svg, 'a "title"', 3))
    assert root.attrib == {"viewBox": "0 0 9 4", "role": "img", "aria-label": 'a "title"'}
    assert "".join(root.itertext()) == "a < b"
    assert [each.get("id") for each in root.iter() if each.get("id")] == ["p3-m"]
    assert [each.get("clip-path") for each in root.iter() if each.get("clip-path")] == [
        "url(#p3-m)"
    ]


def test_long_names_may_be_broken_where_their_parts_meet() -> None:
    """And nowhere else is anything put into them."""
    assert html.allow_line_breaks("a.b[c,<d>]") == "a.<wbr>b[<wbr>c,<wbr>&lt;d&gt;]"
