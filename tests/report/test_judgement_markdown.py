"""A judgement in Markdown."""

from __future__ import annotations

from resilience_bench._verdicts import Judgement
from resilience_bench.report import judgement_markdown
from tests.report.judgement_factories import HOSTILE, bare, make_judgement, regressed, sample


def test_markdown_begins_with_the_verdict() -> None:
    """The first line has the word and the sum; then come failures, improvements, doubts."""
    text = judgement_markdown.render(sample())
    assert text.splitlines()[0].startswith("**REGRESSED**: 15 cases judged: 3 regressed")
    words = ("### Regressed (4)", "### Improved (1)", "### Inconclusive (1)", "<details>")
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
