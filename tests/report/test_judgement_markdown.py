"""A judgement in Markdown."""

from __future__ import annotations

from resilience_bench._verdicts import Judgement
from resilience_bench.report import judgement_markdown
from tests.report.judgement_factories import HOSTILE, bare, make_judgement, regressed, sample


def test_markdown_begins_with_the_verdict() -> None:
    """The first line has the word and the sum; then come failures, improvements, doubts."""
    text = judgement_markdown.render(sample())
    assert text.splitlines()[0].startswith("**REGRESSED**: 15 cases judged: 3 regressed")
    words = (
        "### Regressed: 4 decisions in 3 cases\n",
        "### Improved: 1",
        "### Inconclusive: 1 ",
        "<details>",
    )
    places = [text.index(word) for word in words]
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


def test_a_heading_counts_decisions_and_cases_apart() -> None:
    """The sum counts a case once, by its worst outcome, so the heading says what it counts."""
    verdicts = (
        regressed("a.one"),
        regressed("a.one", outcome="inconclusive", signal="scaling", quantity="scaling"),
        regressed("a.two", outcome="inconclusive"),
        regressed("a.two", outcome="inconclusive", signal="scaling", quantity="scaling"),
    )
    text = judgement_markdown.render(make_judgement(*verdicts))
    assert "2 cases judged: 1 regressed, 1 inconclusive" in text
    assert "### Regressed: 1 decision in 1 case\n" in text
    assert "### Inconclusive: 3 decisions in 2 cases, 1 of them counted as worse\n" in text


def test_words_for_a_share_and_for_what_is_likely() -> None:
    """A signal of one quantity has one name, and what is likely is no one in one."""
    verdict = regressed(signal="share", quantity="share", p_value=0.9)
    text = judgement_markdown.render(make_judgement(verdict))
    assert "share: share" not in text
    assert "more often than not" in text
    assert "1 in 1" not in text
