"""GitHub's workflow commands: a line each, as many as GitHub shows, nothing smuggled in."""

from __future__ import annotations

import re

from resilience_bench._verdicts import Judgement
from resilience_bench.report import annotations as workflow_commands
from tests.report.judgement_factories import (
    HOSTILE,
    bare,
    budgeted,
    make_judgement,
    regressed,
    sample,
)

COMMAND = re.compile(r"::(error|warning|notice) title=([^:,]*)::(.*)")


def commands(judgement: Judgement) -> list[tuple[str, str, str]]:
    """Kind, title and message of every line, as GitHub takes them apart."""
    parsed = []
    for line in workflow_commands.render(judgement).splitlines():
        match = COMMAND.fullmatch(line)
        assert match, line
        parsed.append((match[1], match[2], match[3]))
    return parsed


def test_each_outcome_has_its_kind() -> None:
    """Regressions are errors, doubts are warnings, improvements are notices, the rest is silent."""
    kinds = [kind for kind, _title, _message in commands(sample())]
    assert kinds == ["error"] * 4 + ["warning"] * 3 + ["notice"]


def test_an_error_has_the_evidence() -> None:
    """The title names the case, the message says by how much and how sure; % is escaped."""
    assert workflow_commands.render(make_judgement(regressed())) == (
        "::error title=REGRESSED%3A breaker.closed_success[pybreaker]::"
        "latency +23.4 %25: seen 1.617 (1.580 - 1.660), expected 1.310, range 1.179 - 1.441, "
        "by chance: 1 in 40,000"
    )
    (command,) = commands(make_judgement(budgeted("a.b[c,d]")))
    assert command[1] == "REGRESSED%3A a.b[c%2Cd]"
    assert "checkout calls this" in command[2]


def test_no_text_starts_a_command_or_ends_a_title() -> None:
    """Newlines, colons and commas in names and reasons stay inside their line."""
    evil = "x\r\n::error title=boo::y\n%0A::set-output name=z::1\x1b[2J"
    judgement = make_judgement(
        regressed(HOSTILE, reason=evil),
        bare(HOSTILE, "not measured", evil),
        regressed(HOSTILE, outcome="improved", reason=evil),
    )
    assert [kind for kind, _title, _message in commands(judgement)] == [
        "error",
        "warning",
        "notice",
    ]
    text = workflow_commands.render(judgement)
    assert "%250A" in text
    assert "\x1b" not in text


def test_at_most_ten_of_a_kind() -> None:
    """GitHub shows no more; the last one says how many there are, and names some."""
    many = [
        regressed(f"a.b[{outcome} {number}]", outcome=outcome)
        for outcome in ("regressed", "inconclusive", "improved")
        for number in range(25)
    ]
    parsed = commands(make_judgement(*many))
    for kind in ("error", "warning", "notice"):
        of_kind = [each for each in parsed if each[0] == kind]
        assert len(of_kind) == 10
        assert of_kind[-1][1] == "and 16 more"
        assert "and 10 more" in of_kind[-1][2]
    ten = [regressed(f"a.b[{number}]") for number in range(10)]
    assert "more" not in workflow_commands.render(make_judgement(*ten))


def test_cases_with_the_same_reason_are_one_warning() -> None:
    """A tool that is missing does not hide every other warning."""
    lacking = [bare(f"a.b[{number}]", "not measured", "no valgrind") for number in range(40)]
    judgement = make_judgement(*lacking, regressed(outcome="within"))
    ((kind, title, message),) = commands(judgement)
    assert (kind, title) == ("warning", "not measured%3A no valgrind")
    assert message.endswith("and 34 more")


def test_nothing_to_say() -> None:
    """A build that is fine has no annotation; one that judged nothing has an error."""
    assert workflow_commands.render(make_judgement(regressed(outcome="within"))) == ""
    assert commands(Judgement("", (), ())) == [
        ("error", "nothing was judged", "nothing was judged, for there is no case")
    ]
