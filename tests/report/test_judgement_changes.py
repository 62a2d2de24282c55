"""The largest changes among what is within its range."""

from __future__ import annotations

import io

from rich.console import Console

from resilience_bench._model import Estimate
from resilience_bench._verdicts import Verdict
from resilience_bench.report import judgement_table
from resilience_bench.report import verdicts as judged
from tests.report.judgement_factories import budgeted, make_judgement, regressed


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
    """Costlier or cheaper alike, of either signal; ten cases are enough."""
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
