"""A judgement for people: what got worse comes first, and no name breaks a page."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
from rich.console import Console

from resilience_bench._model import Estimate, Judgement, Outcome, Verdict
from resilience_bench.gate.verdicts import compute_exit_code
from resilience_bench.report import judgement_markdown, judgement_table
from resilience_bench.report import verdicts as judged

HOSTILE = "mine.run[[red]x|y`z*,<script>alert(1)</script>\n::error::boo\x1b[2J\x00]"
LONG = "composed.guarded[tenacity+pybreaker,metric=labels,threads-16,io," + "x" * 90 + "]"


def regressed(case: str = "breaker.closed_success[pybreaker]", **more: Any) -> Verdict:
    """A latency that rose from 1.310 to 1.617."""
    parts: dict[str, Any] = {
        "signal": "latency",
        "quantity": "ratio",
        "outcome": "regressed",
        "expected": 1.31,
        "low": 1.179,
        "high": 1.441,
        "seen": Estimate(1.617, 1.58, 1.66),
        "p_value": 2.5e-5,
        "level": 1e-4,
        "workers": 24,
        "steps": ("8 workers: undecided", "24 workers: above the range"),
    }
    return Verdict(case, **{**parts, **more})


def counted(case: str = "breaker.closed_success[pybreaker]", **more: Any) -> Verdict:
    """A count of instructions that is the same in every process."""
    return regressed(
        case,
        **{
            "signal": "instructions",
            "quantity": "instructions",
            "expected": 14953.968,
            "low": 14804.4,
            "high": 15103.5,
            "seen": Estimate(15931.2, 15931.2, 15931.2),
            "p_value": None,
            "reason": "all 3 processes",
            **more,
        },
    )


def budgeted(case: str = "composed.guarded[stack]", **more: Any) -> Verdict:
    """An overhead above the limit that a person wrote."""
    return regressed(
        case,
        **{
            "quantity": "overhead_ns",
            "expected": None,
            "low": None,
            "high": 400.0,
            "seen": Estimate(512.0, 505.1, 519.3),
            "p_value": 1e-12,
            "reason": "checkout calls this a thousand times a request",
            **more,
        },
    )


def bare(case: str, outcome: Outcome, reason: str = "", signal: str = "latency") -> Verdict:
    """A verdict without numbers."""
    return Verdict(case, signal, "", outcome, reason=reason)


def make_judgement(*verdicts: Verdict, **more: Any) -> Judgement:
    """A judgement of these verdicts."""
    headline = ("baseline: baselines/debian-12.json, learned 2026-01-02", "24 workers at most")
    return Judgement("check against the baseline", headline, verdicts, **more)


def sample() -> Judgement:
    """Every outcome, a budget, hostile names, and reasons that many cases share."""
    lacking = [
        bare(f"retry.reraises[lib{number}]", "not measured", "valgrind is not installed", "latency")
        for number in range(8)
    ]
    undecided = {"outcome": "inconclusive", "seen": Estimate(1.43, 1.36, 1.5), "p_value": 0.083}
    return make_judgement(
        regressed("breaker.open_rejects[purgatory]", outcome="within", seen=None),
        *lacking,
        regressed(
            "retry.no_retry[tenacity]",
            outcome="improved",
            seen=Estimate(1.01, 0.99, 1.03),
            p_value=1e-7,
        ),
        regressed("breaker.half_open[pybreaker]", reason="still undecided at 40", **undecided),
        budgeted(),
        regressed(),
        counted(),
        regressed(LONG, seen=Estimate(1.5, 1.46, 1.54)),
        bare(HOSTILE, "not measured", "was ended by [red]SIGSEGV[/red]\n::error::x\x1b[2J"),
        notes=("tenacity 9.1.2 here, 9.2.1 in the [bold]baseline[/bold]",),
    )


def shown(judgement: Judgement, width: int = 100) -> str:
    """The judgement as it is printed where there is no terminal."""
    file = io.StringIO()
    judgement_table.render(judgement, Console(file=file, width=width))
    return file.getvalue()


def cells(verdict: Verdict) -> judged.VerdictRow:
    """The texts of a verdict."""
    return judged.make_verdict_row(verdict)


def test_failures_come_first_and_the_sum_last() -> None:
    """The order is failures, improvements, doubts, notes, headline, sum."""
    text = shown(sample())
    words = (
        "REGRESSED  breaker.closed_success[pybreaker]",
        "improved  retry.no_retry[tenacity]",
        "inconclusive  breaker.half_open[pybreaker]",
        "not measured (8): valgrind is not installed",
        "note: tenacity 9.1.2",
        "check against the baseline",
        "baseline: baselines/debian-12.json",
        "15 cases judged",
    )
    places = [text.index(each) for each in words]
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
    places = [text.index(each) for each in ("composed.guarded[stack]", "pybreaker]", "tenacity+")]
    assert places == sorted(places)
    assert text.index("+23.4 %") < text.index("+6.5 %")


@pytest.mark.parametrize("width", [100, 80])
def test_no_line_is_wider_than_the_console(width: int) -> None:
    """Long names and cells go on in the next line, and no part of them is lost."""
    text = shown(sample(), width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert LONG in "".join(line.strip() for line in text.splitlines())


def test_a_very_narrow_console_shows_everything_too() -> None:
    """Nothing is cut off at 60 columns, and nothing raises at 10."""
    shown(sample(), 10)
    text = "".join(shown(sample(), 60).split())
    assert all(each in text for each in ("+23.4%", "1.617", "14,954", "15,931", "1in40,000"))


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
    verdicts = [bare("a.b", "not measured", "no", each) for each in ("latency", "instructions")]
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


def test_summary_counts_cases_not_decisions() -> None:
    """A case counts once, as the worst of its verdicts."""
    judgement = make_judgement(
        regressed("a.one"),
        counted("a.one", outcome="improved"),
        regressed("a.two", outcome="inconclusive"),
        bare("a.two", "not measured"),
        regressed("a.three", outcome="improved"),
        regressed("a.four", outcome="within"),
        regressed("a.five", outcome="within"),
        counted("a.five", outcome="inconclusive"),
    )
    assert judged.summarise_judgement(judgement) == (
        "5 cases judged: 1 regressed, 1 improved, 1 inconclusive, 1 not measured, "
        "1 within its range (8 decisions)"
    )
    unmeasured = make_judgement(bare("a.one", "not measured"), bare("a.two", "not measured"))
    assert judged.summarise_judgement(unmeasured) == "nothing was judged: 2 cases not measured"


@pytest.mark.parametrize(
    ("outcomes", "code", "strict_code"),
    [
        (("within", "regressed", "not measured"), 1, 1),
        (("not measured", "not measured"), 2, 2),
        ((), 2, 2),
        (("within", "inconclusive"), 0, 3),
        (("within", "not measured"), 0, 3),
        (("inconclusive",), 0, 3),
        (("within", "improved"), 0, 0),
    ],
)
def test_exit_code(outcomes: tuple[Outcome, ...], code: int, strict_code: int) -> None:
    """1 for a regression, 2 if nothing was judged, 3 for doubts if they count, else 0."""
    judgement = make_judgement(*(bare("a.b", outcome) for outcome in outcomes))
    assert compute_exit_code(judgement, strict=False) == code
    assert compute_exit_code(judgement, strict=True) == strict_code


@pytest.mark.parametrize(
    ("p_value", "text"),
    [
        (None, "-"),
        (math.nan, "-"),
        (0.0, "less than 1 in 1,000,000,000"),
        (9e-10, "less than 1 in 1,000,000,000"),
        (2.5e-5, "1 in 40,000"),
        (2.6e-5, "1 in 38,000"),
        (0.03, "1 in 33"),
        (1.0, "1 in 1"),
    ],
)
def test_chance_is_said_in_words(p_value: float | None, text: str) -> None:
    """People understand one in so many."""
    assert cells(regressed(p_value=p_value)).chance == text


def test_every_quantity_has_its_unit() -> None:
    """Nanoseconds, bytes, counts and ratios are told apart; a row has the same decimals."""
    assert cells(counted()).seen == "15,931"
    assert cells(counted()).range == "14,804 - 15,104"
    slow = budgeted(quantity="latency_ns", seen=Estimate(12345.6, 12300.0, 12400.0))
    assert cells(slow).seen == "12,346 ns (12,300 - 12,400)"
    weight: dict[str, Any] = {
        "signal": "allocations",
        "quantity": "object_bytes",
        "low": 500.0,
        "high": 600.0,
    }
    heavy = cells(regressed(expected=552.0, seen=Estimate(1048.0, 1048.0, 1048.0), **weight))
    assert heavy.signal == "allocations: object_bytes"
    assert (heavy.seen, heavy.expected, heavy.range) == ("1,048 B", "552 B", "500 - 600 B")
    assert cells(regressed(expected=0.25, low=0.2, high=0.3)).expected == "0.250"
    assert cells(regressed(expected=0.025, low=0.02, high=0.03, seen=None)).expected == "0.0250"


def test_a_comparison_shows_ratios_whatever_the_quantity() -> None:
    """HEAD divided by BASE has no unit, also of instructions."""
    quantity = Estimate(1.0342, 1.031, 1.037)
    said = cells(counted(expected=1.0, low=0.995, high=1.005, seen=quantity))
    assert (said.seen, said.range) == ("1.034 (1.031 - 1.037)", "0.995 - 1.005")
    assert said.change == "+3.4 %"


def test_change_without_something_to_divide_by() -> None:
    """From nothing there is a difference, not a percentage; small changes keep two decimals."""
    weight: dict[str, Any] = {
        "signal": "allocations",
        "quantity": "allocated_bytes",
        "low": 0.0,
        "high": 16.0,
    }
    said = cells(regressed(expected=0.0, seen=Estimate(48.0, 48.0, 48.0), **weight))
    assert (said.change, said.expected) == ("+48 B", "0 B")
    assert cells(regressed(seen=None)).change == "-"
    assert cells(budgeted(high=None, low=None)).range == "-"
    assert cells(regressed(high=None)).range == "at least 1.179"
    assert cells(counted(seen=Estimate(15046.0, 15046.0, 15046.0))).change == "+0.62 %"
    assert cells(regressed(seen=Estimate(1.0, 0.9, 1.1))).change == "-23.7 %"


def test_numbers_that_are_none_do_not_raise() -> None:
    """Infinite and undefined estimates are shown as what they are."""
    said = cells(regressed(seen=Estimate(math.inf, 0.0, math.nan)))
    assert "inf" in said.seen
    judged.group_by_outcome(make_judgement(regressed(seen=Estimate(math.nan, math.nan, math.nan))))


def test_explanation_numbers_the_steps_of_the_wanted_cases() -> None:
    """A step a line, for the cases that match and no other."""
    file = io.StringIO()
    console = Console(file=file, width=100)
    judgement = make_judgement(
        regressed(steps=("first [red]step[/red]", "second\nstep")), budgeted(), counted(steps=())
    )
    count = judgement_table.render_explanation(
        judgement, lambda name: name.startswith("breaker."), console
    )
    assert count == 2
    assert [line.rstrip() for line in file.getvalue().splitlines()] == [
        "REGRESSED  breaker.closed_success[pybreaker]  latency",
        "   1. first [red]step[/red]",
        "   2. second step",
        "",
        "REGRESSED  breaker.closed_success[pybreaker]  instructions",
        "  all 3 processes",
        "",
    ]


def test_explanation_of_nothing_prints_nothing() -> None:
    """The caller knows from the number that no case matched."""
    file = io.StringIO()
    console = Console(file=file)
    assert judgement_table.render_explanation(sample(), lambda _name: False, console) == 0
    assert file.getvalue() == ""


def test_markdown_begins_with_the_verdict() -> None:
    """The first line has the word and the sum; then come failures, improvements, doubts."""
    text = judgement_markdown.render(sample())
    assert text.splitlines()[0].startswith("**REGRESSED**: 15 cases judged: 3 regressed")
    words = ("### Regressed (4)", "### Improved (1)", "### Inconclusive (1)", "<details>")
    places = [text.index(each) for each in words]
    assert places == sorted(places)
    assert text.count("<details>") == text.count("</details>") == 3
    good = make_judgement(regressed(outcome="within"))
    assert judgement_markdown.render(good).startswith("**NO REGRESSION**: 1 case judged")


def test_markdown_tables_have_as_many_cells_in_every_row() -> None:
    """Pipes in names and reasons end no cell."""
    odd = regressed("a.b[x|y`z]", reason="a|b\n| c |")
    text = judgement_markdown.render(make_judgement(odd, regressed()))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert {line.replace("\\|", "").count("|") for line in rows} == {9}


def test_markdown_escapes_what_people_write() -> None:
    """Names, reasons, notes and headlines are no HTML, no links and no headings."""
    evil = "<script>alert(1)</script> [x](y)\n# boo"
    verdicts = (regressed(reason=evil), bare(HOSTILE, "not measured", evil))
    text = judgement_markdown.render(Judgement(evil, (evil,), verdicts, (evil,)))
    assert "\\<script\\>" in text
    assert text.replace("\\<", "").count("<script") == 0
    assert "\n# boo" not in text
    assert "\x1b" not in text


def test_markdown_of_many_cases_fits_a_comment() -> None:
    """GitHub takes 65,536 characters; what is left out is counted."""
    many = [
        regressed(f"breaker.closed_success[library{number}]", outcome=outcome, reason="w" * 40)
        for outcome in ("regressed", "improved", "inconclusive", "not measured")
        for number in range(400)
    ]
    text = judgement_markdown.render(make_judgement(*many))
    assert len(text) < 65_536
    assert text.count("and 340 more") == 3


# What changed most


def within(case: str, latency: float, instructions: float = 1.0) -> list[Verdict]:
    """A case of a comparison whose latency and instructions lie within their ranges."""
    return [
        regressed(
            case,
            outcome="within",
            signal=signal,
            quantity=quantity,
            expected=1.0,
            low=0.9,
            high=1.1,
            seen=Estimate(value, value - spread, value + spread),
        )
        for signal, quantity, value, spread in (
            ("latency", "ratio", latency, 0.01),
            ("instructions", "instructions", instructions, 0.0),
        )
    ]


def test_the_largest_changes_come_first_and_are_few() -> None:
    """Dearer or cheaper alike, of either signal; ten cases are enough."""
    verdicts = [each for number in range(20) for each in within(f"c{number}", 1 + number / 1000)]
    verdicts += within("counted", 1.0, 1.05) + within("cheaper", 0.94) + within("same", 1.0)
    found = judged.find_largest_changes(make_judgement(*verdicts))
    assert list(found)[:3] == ["cheaper", "counted", "c19"]
    assert len(found) == judged.SHOWN_CHANGES
    assert found["counted"]["instructions"] == "+5.0 %"
    assert found["cheaper"]["latency"] == "-6.0 % (-7.0 % to -5.0 %)"


def test_only_what_is_within_its_range_is_among_the_changes() -> None:
    """What is shown in full is not shown twice, what did not change is not shown, nor are bytes."""
    bytes_more = regressed("a", outcome="within", signal="allocations", quantity="object_bytes")
    same = [each for each in within("b", 1.0) if each.signal == "instructions"]
    judgement = make_judgement(regressed(), budgeted(), bytes_more, *same)
    assert judged.find_largest_changes(judgement) == {}
    file = io.StringIO()
    judgement_table.render_changes(judgement, Console(file=file))
    assert file.getvalue() == ""


def test_the_table_of_changes_has_a_line_a_case() -> None:
    """The signals side by side; a hostile name is no markup; a missing one is a dash."""
    judgement = make_judgement(*within("[red]x[/red]", 1.02, 1.001), within("y", 1.01)[0])
    file = io.StringIO()
    judgement_table.render_changes(judgement, Console(file=file, width=100))
    lines = [" ".join(line.split()) for line in file.getvalue().splitlines()]
    assert lines == [
        "",
        "within, changed most latency instructions",
        "[red]x[/red] +2.0 % (+1.0 % to +3.0 %) +0.10 %",
        "y +1.0 % (+0.00 % to +2.0 %) -",
    ]
