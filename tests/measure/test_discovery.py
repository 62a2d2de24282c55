"""Finding cases, with a scripted worker: files that end it, and cases that are not available."""

from __future__ import annotations

from pathlib import Path

from resilience_bench.measure.launcher import ScriptedLauncher, WorkerFailedError
from resilience_bench.measure.selection import discover, inspect
from resilience_bench.worker.protocol import Message, Plan, StatusMessage
from tests.scripted import info, suite

CASES = [info("a", "x"), info("b", "x"), info("c", "x")]
A, B, C = (each.case.name for each in CASES)


def test_discovery_survives_a_file_that_takes_the_worker_with_it() -> None:
    """Files are listed one by one when listing them together fails."""

    def script(plan: Plan, seed: int) -> list[Message]:
        if "/bad.py" in plan.paths:
            raise WorkerFailedError("was ended by SIGSEGV")
        return list(suite(CASES)(plan, seed))

    listing = discover(ScriptedLauncher(script), [Path("/bad.py"), Path("/good.py")], 1.0)
    assert [case.case.name for case in listing.cases] == [A, B, C]
    assert listing.problems == ("/bad.py:1: importing it was ended by SIGSEGV",)


def test_inspection_reports_why_a_case_is_not_available() -> None:
    """Inspecting builds the cases without timing any."""

    def script(plan: Plan, seed: int) -> list[Message]:
        del seed
        assert plan.action == "inspect"
        return [
            StatusMessage(A, "not installed", "pip install x"),
            StatusMessage(B, "ready"),
            StatusMessage(C, "ready"),
        ]

    records = inspect(ScriptedLauncher(script), CASES, 1.0)
    assert [record.status for record in records] == ["not installed", "measured", "measured"]
