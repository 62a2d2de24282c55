"""A side that can do nothing of a library is refused before anything is measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

import pytest

from resilience_bench.errors import VariantError
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.measure.preflight import Side, ensure_usable
from resilience_bench.worker.protocol import Message, Plan, ProblemMessage, StatusMessage
from tests.scripted import info

TINY = [replace(info(name, "tiny"), distributions=("tiny",)) for name in ("one", "two")]
CASES = [*TINY, info("own", family="mine")]
Status = Literal["ready", "not installed", "not available", "broken", "failed"]


def side(text: str, problem: str = "", **statuses: Status) -> Side:
    """A side with some cases, by scenario, that are not ready."""

    def script(plan: Plan, _seed: int) -> Iterable[Message]:
        if plan.action == "discover":
            return [ProblemMessage(problem)] if problem else []
        by_scenario = {each.case.name: each.case.scenario for each in CASES}
        return [
            StatusMessage(name, status, "no good" if status != "ready" else "")
            for name in plan.cases
            for status in [statuses.get(by_scenario[name], "ready")]
        ]

    return Side(text, ScriptedLauncher(script))


def test_two_good_sides_pass() -> None:
    """One case a library is looked at."""
    base, head = side("before"), side("after")
    ensure_usable(base, head, CASES)
    assert isinstance(head.launcher, ScriptedLauncher)
    [(plan, _)] = head.launcher.plans
    assert plan.cases == (TINY[0].case.name, "mine.own")


@pytest.mark.parametrize("status", ["not available", "broken", "failed"])
def test_a_library_that_does_not_import_is_refused(status: Status) -> None:
    """Which side, which library, why, and which side can."""
    bad = side("after", one=status, two=status)
    with pytest.raises(
        VariantError, match=r"after: it cannot do any of the 2 cases of tiny: no good"
    ):
        ensure_usable(side("before"), bad, CASES)
    with pytest.raises(VariantError, match="expected what before can do"):
        ensure_usable(bad, side("before"), CASES)


def test_a_file_that_does_not_import_is_refused() -> None:
    """With the line in the file."""
    bad = side("after", "mine.py:3: ImportError: gone", own="failed")
    with pytest.raises(VariantError, match=r"cannot do the case of .*mine\.py:3: ImportError"):
        ensure_usable(side("before"), bad, CASES)


@pytest.mark.parametrize(
    ("base", "head"),
    [
        (side("before"), side("after", one="broken")),
        (side("before"), side("after", one="not installed", two="not installed")),
        (side("before", one="broken", two="broken"), side("after", one="broken", two="broken")),
    ],
)
def test_what_the_gate_reports_by_itself_passes(base: Side, head: Side) -> None:
    """Some cases, a library that is left out on purpose, and what neither side can do."""
    ensure_usable(base, head, CASES)
