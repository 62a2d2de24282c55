"""Outages for people: tables that fit, a picture that is read without colour, and JSON."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from resilience_bench.report import data, html, markdown, outage_rows, table
from resilience_bench.report.plots.pictures import plan_pictures
from tests.outage_factories import NAMES, make_outage_result
from tests.report.drawing import assert_readable, drawn, texts


def printed(width: int) -> str:
    """What a terminal of this width shows."""
    file = io.StringIO()
    table.render(make_outage_result(), [], "latency", Console(file=file, width=width))
    return file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_tables_fit_the_terminal(width: int) -> None:
    """A block for each phase, in their order, then all together, then the whole."""
    lines = printed(width).splitlines()
    assert max(map(len, lines)) <= width
    heads = [line.split("  ")[0] for line in lines if line.startswith("breaker.closed_success:")]
    wanted = [*NAMES, "all phases", "in all"]
    assert heads == [f"breaker.closed_success: {name}" for name in wanted]


def test_a_row_says_how_requests_were_answered() -> None:
    """The share, then live, stale and default; what is not known is a dash."""
    text = markdown.render(make_outage_result(), [], "latency")
    rows = [line for line in text.splitlines() if line.startswith(("| `stack`", "| `obvious`"))]
    assert len(rows) == 14
    healthy, refusing, whole = rows[0], rows[4:6], rows[12:]
    assert "| 100 % | 1,000+0+0 | 0.50 | 0.99 | - | 1.00 | 1,000 | +50 | 0 |" in healthy
    assert "| 100 % | 0+1,000+0 |" in refusing[0]
    assert "| 0 % | 0+0+0 |" in refusing[1]
    assert "| 0.25 | 0.00 | 0 | 0 | 64 | 54 | 150 |" in whole[0]
    assert "| - | - | 3,000 | 1,000 | 64 | 54 | 150 |" in whole[1]


def test_only_all_requests_are_100_percent() -> None:
    """One that failed among many is seen."""
    result = make_outage_result()
    figures = outage_rows.estimate_outages(result)[0].phases[0]
    nearly = outage_rows.PhaseFigures(
        "x", 100_000, {}, {**figures.answers, "live": 99_999}, 0.0, 0, 0.0, 1, 1
    )
    assert outage_rows.format_share(nearly) == "99.9 %"
    assert outage_rows.format_share(figures) == "100 %"


def test_programs_get_every_figure() -> None:
    """As numbers, with null for what is not known."""
    outages = json.loads(data.render(make_outage_result(), [], "latency"))["outages"]
    assert [each["case"] for each in outages] == [
        "breaker.closed_success[stack,outage]",
        "breaker.closed_success[obvious,outage]",
    ]
    assert outages[1]["opened_s"] is None
    assert [phase["name"] for phase in outages[0]["phases"]] == [*NAMES, "all phases"]
    assert outages[0]["phases"][2]["answers"]["stale"] == 1000


def test_the_picture_names_phases_libraries_and_answers() -> None:
    """One picture a scenario, with each phase named in every panel."""
    [picture] = plan_pictures(make_outage_result(), [])
    assert picture.name == "outage-breaker.closed_success"
    figure = drawn(picture)
    assert_readable(figure)
    said = [text.get_text() for text in texts(figure)]
    for name in NAMES:
        assert said.count(name) == 2
    assert "stack: 100 % answered" in said
    assert "obvious: 20 % answered" in said
    assert {"median", "slowest", "live", "stale", "default", "error", "unserved"} <= set(said)


def test_kinds_of_answers_differ_without_colour() -> None:
    """Each has a hatching of its own, or is the lightest or the darkest."""
    from resilience_bench.report.plots.outage import ANSWERS

    hatched = [hatch for _, hatch in ANSWERS.values() if hatch]
    plain = [colour for colour, hatch in ANSWERS.values() if not hatch]
    assert len(set(hatched)) == len(hatched)
    assert plain == ["#DCEBF7", "#000000"]


def test_a_page_has_tables_and_picture() -> None:
    """The report of a results file is one page."""
    page = html.render_report(make_outage_result(), [], "chaos.json")
    assert "in an outage" in page
    assert page.count("<svg") == 1
