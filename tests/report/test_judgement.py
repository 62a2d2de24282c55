"""The table of verdicts in a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from resilience_bench._verdicts import Judgement
from resilience_bench.report import judgement_markdown, judgement_table
from resilience_bench.report import verdicts as judged
from tests.report.judgement_factories import LONG, bare, budgeted, make_judgement, regressed, sample


def shown(judgement: Judgement, width: int = 100) -> str:
    """The judgement as it is printed where there is no terminal."""
    file = io.StringIO()
    judgement_table.render(judgement, Console(file=file, width=width))
    return file.getvalue()


def test_failures_come_first_and_the_sum_last() -> None:
    """The order is failures, improvements, doubts, notes, headline, sum."""
    text = shown(sample())
    words = (
        "REGRESSED  breaker.closed_success[pybreaker]",
        "improved  retry.no_retry[tenacity]",
        "inconclusive  breaker.half_open[pybreaker]",
        "not measured (8 cases): valgrind is not installed",
        "note: tenacity 9.1.2",
        "check against the baseline",
        "baseline: baselines/debian-12.json",
        "15 cases judged",
    )
    places = [text.index(word) for word in words]
    assert places == sorted(places)
    assert "15 cases judged" in text.splitlines()[-1] + text.splitlines()[-2]


def test_a_failure_shows_its_evidence() -> None:
    """Change, what was seen with its interval, what was expected, the range, and the chance."""
    lines = [line.split() for line in shown(make_judgement(regressed())).splitlines()]
    row = "latency +23.4 % 1.617 (1.580 - 1.660) 1.310 1.179 - 1.441"
    assert row.split() in lines
    assert ["by", "chance:", "1", "in", "40,000"] in lines


def test_the_reason_of_a_budget_stands_below_it() -> None:
    """Who breaks a budget reads why it is there."""
    text = shown(make_judgement(budgeted()))
    row = "latency: overhead_ns  28.0 % over  512 ns (505 - 519)         -  at most 400 ns"
    assert f"  {row}" in [line.rstrip() for line in text.splitlines()]
    assert text.index("at most 400 ns") < text.index("checkout calls this a thousand times")


def test_verdicts_of_a_case_stand_together_largest_change_first() -> None:
    """A case is named once; the case that got worst leads."""
    text = shown(sample())
    assert text.count("REGRESSED") == 3
    places = [text.index(value) for value in ("composed.guarded[stack]", "pybreaker]", "tenacity+")]
    assert places == sorted(places)
    assert text.index("+23.4 %") < text.index("+6.5 %")


@pytest.mark.parametrize("width", [100, 80])
def test_no_line_is_wider_than_the_console(width: int) -> None:
    """Only a name that is longer than that is: it is not cut in two."""
    text = shown(sample(), width)
    lines = [line.rstrip() for line in text.splitlines()]
    assert max(len(line) for line in lines if LONG not in line) <= width
    assert any(LONG in line for line in lines)


def test_a_very_narrow_console_shows_everything_too() -> None:
    """Nothing is cut off at 60 columns, and nothing raises at 10."""
    shown(sample(), 10)
    text = "".join(shown(sample(), 60).split())
    assert all(value in text for value in ("+23.4%", "1.617", "14,954", "15,931", "1in40,000"))


def test_names_and_reasons_are_shown_as_they_are() -> None:
    """Markup is text, and what could steer a terminal or start a line is gone."""
    text = shown(sample())
    assert "[red]x|y`z*" in text
    assert "[red]SIGSEGV[/red] ::error::x" in text
    assert "[bold]baseline[/bold]" in text
    assert "\x1b" not in text
    assert "\x00" not in text
    assert "\n::error" not in text


def test_cases_within_their_range_are_only_counted() -> None:
    """A page of good news is one line."""
    many = [regressed(f"a.b[c{number}]", outcome="within") for number in range(500)]
    text = shown(make_judgement(*many))
    assert "a.b[" not in text
    assert "500 cases judged: 0 regressed, 500 within their ranges (500 decisions)" in text


def test_many_cases_without_numbers_are_grouped() -> None:
    """Equal reasons are said once, with six names and how many more."""
    text = shown(sample())
    assert text.count("valgrind is not installed") == 1
    assert "lib5] (latency)" in text
    assert "lib6]" not in text
    assert "and 2 more" in text


def test_a_case_lacks_several_signals_for_one_reason() -> None:
    """Its name stands once, with the signals."""
    verdicts = [bare("a.b", "not measured", "no", value) for value in ("latency", "instructions")]
    assert judged.collect_not_measured(make_judgement(*verdicts)) == {
        "no": ["a.b (latency, instructions)"]
    }
    nameless = make_judgement(bare("a.b", "not measured", signal=""))
    assert judged.collect_not_measured(nameless) == {"no reason given": ["a.b"]}


def test_colour_is_only_for_terminals() -> None:
    """A terminal gets colours; the words say the same without them."""
    file = io.StringIO()
    judgement_table.render(sample(), Console(file=file, force_terminal=True, width=100))
    assert "\x1b[" in file.getvalue()
    assert "REGRESSED" in file.getvalue()


def test_an_empty_judgement_says_so() -> None:
    """No case at all is no success."""
    text = shown(Judgement("", (), ()))
    assert "nothing was judged, for there is no case" in text
    assert judgement_markdown.render(Judgement("", (), ())).startswith("**NOTHING JUDGED**")
