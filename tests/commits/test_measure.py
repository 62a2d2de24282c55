"""Everything of a signal at once, with the scripted worker in place of real ones."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from resilience_bench.commits.measure import PROFILE_VARIABLE, SignalEstimates, measure_signal
from resilience_bench.measure import callgrind
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.worker.protocol import Message, Plan, StatusMessage
from tests import scripted

CLOSED = scripted.info("closed", "pybreaker")
OPEN = scripted.info("open", "pybreaker")


def worker(*messages: Message) -> ScriptedLauncher:
    """A worker that says this of whatever it is asked."""
    return ScriptedLauncher(lambda _plan, _seed: messages)


def test_latency_has_an_overhead_and_a_ratio() -> None:
    """1000 ns each, of which the control takes 100; the reference takes 500."""
    launcher = ScriptedLauncher(scripted.suite([CLOSED]))
    found = measure_signal("latency", [CLOSED], launcher)
    assert found.get_estimate(CLOSED.case.name, "overhead_ns") == 900
    assert found.get_estimate(CLOSED.case.name, "ratio") == 2
    assert len(launcher.plans) == 14


def test_the_profile_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asv passes nothing else on."""
    monkeypatch.setenv(PROFILE_VARIABLE, "standard")
    launcher = ScriptedLauncher(scripted.suite([CLOSED]))
    measure_signal("latency", [CLOSED], launcher)
    assert len(launcher.plans) == 40
    monkeypatch.setenv(PROFILE_VARIABLE, "slow")
    with pytest.raises(ValueError, match="is 'slow', expected quick, standard, thorough"):
        measure_signal("latency", [CLOSED], launcher)


def test_instructions_are_counted_in_several_layouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker finds out what is there, then valgrind counts, with another hash seed each time."""
    monkeypatch.setattr(callgrind, "explain_unavailability", str)
    launcher = ScriptedLauncher(scripted.suite([CLOSED]))
    found = measure_signal("instructions", [CLOSED], launcher)
    assert found.get_estimate(CLOSED.case.name, "instructions") == 1000
    assert [plan.action for plan, _ in launcher.plans] == ["measure", "count", "count", "count"]
    assert {seed for _, seed in launcher.plans[1:]} == {0, 1, 2}


def test_without_valgrind_instructions_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asv gets the instruction to skip, with what to install."""
    monkeypatch.setattr(
        callgrind, "explain_unavailability", lambda: "type: apt-get install valgrind"
    )
    found = measure_signal("instructions", [CLOSED], worker())
    with pytest.raises(NotImplementedError, match="apt-get install valgrind"):
        found.skip_if_absent(CLOSED.case.name)


def test_scaling_of_an_operation_as_fast_as_its_control_is_one() -> None:
    """Nothing is lost."""
    info = scripted.info("closed", "pybreaker")
    launcher = ScriptedLauncher(scripted.suite([info]))
    assert measure_signal("scaling", [info], launcher).get_estimate(info.case.name, "scaling") == 1


def said_of(status: StatusMessage) -> SignalEstimates:
    """What is measured of two cases where a worker says this of the second."""

    def script(plan: Plan, _seed: int) -> Iterable[Message]:
        closed = [name for name in plan.cases if name == CLOSED.case.name]
        return [status, *scripted.sampled(closed)]

    return measure_signal("latency", [CLOSED, OPEN], ScriptedLauncher(script))


@pytest.mark.parametrize("state", ["not installed", "not available"])
def test_what_is_not_there_is_skipped(state: str) -> None:
    """Asv's way is an exception when it sets up; the other case has its figure."""
    found = said_of(StatusMessage(OPEN.case.name, state, "this release has none"))  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError, match="this release has none"):
        found.skip_if_absent(OPEN.case.name)
    found.skip_if_absent(CLOSED.case.name)
    assert found.get_estimate(CLOSED.case.name, "ratio") == 2


def test_what_is_broken_fails() -> None:
    """Asv shows a failure, with the reason."""
    found = said_of(StatusMessage(OPEN.case.name, "broken", "returned 3"))
    found.skip_if_absent(OPEN.case.name)
    with pytest.raises(RuntimeError, match="broken: returned 3"):
        found.get_estimate(OPEN.case.name, "ratio")


def test_a_quantity_that_nobody_reported_fails() -> None:
    """There is no figure of it, and no reason either."""
    with pytest.raises(RuntimeError, match="no worker reported its ratio"):
        SignalEstimates({}, {}).get_estimate("case", "ratio")


def test_figures_are_rounded_to_what_anybody_reads() -> None:
    """Six digits are more than any of them is sure of."""
    assert SignalEstimates({"case": {"ratio": 1 / 3}}, {}).get_estimate("case", "ratio") == 0.333333
