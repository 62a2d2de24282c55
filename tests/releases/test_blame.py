"""Which moved a case: the library, the interpreter, or one under the other only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rich.console import Console

from resilience_bench._model import Estimate
from resilience_bench.releases import blame_table
from resilience_bench.releases.blame import find_interpreter_steps, find_library_steps
from resilience_bench.releases.history_file import CaseCost, Decision, History, Release
from tests.releases.factories import make_history

CASE = "retry.first_try[thing]"
OLD, NEW = "CPython 3.11.7", "CPython 3.13.0"


def make(costs: Mapping[str, float], moved: Mapping[str, float] | None = None) -> History:
    """A history of one case that costs so many instructions by version, with steps by version."""
    releases = tuple(
        Release(
            version,
            "2024-01-01T00:00:00+00:00",
            "measured",
            values={CASE: CaseCost("measured", "", {"instructions": Estimate(cost, cost, cost)})},
        )
        for version, cost in costs.items()
    )
    versions = list(costs)
    steps = tuple(
        Decision(
            version,
            versions[versions.index(version) - 1],
            CASE,
            "instructions",
            "instructions",
            "regressed" if factor > 1 else "improved",
            Estimate(factor, factor, factor),
            None,
            None,
            3,
            "",
        )
        for version, factor in (moved or {}).items()
    )
    return replace(
        make_history(), cases={CASE: "It works."}, releases=releases, steps=steps, undecided=()
    )


def render(histories: Mapping[str, History]) -> str:
    """What the terminal shows."""
    console = Console(width=160)
    with console.capture() as captured:
        blame_table.render(histories, console)
    return captured.get()


def test_a_step_under_every_interpreter_is_the_librarys() -> None:
    """Both interpreters cost the same before it, and the same after it."""
    one = make({"1": 100, "2": 150}, {"2": 1.5})
    histories = {OLD: one, NEW: one}
    [step] = find_library_steps(histories)
    assert (step.release, step.way, step.culprit) == ("2", "slower", "the library")
    assert step.factors == {OLD: 1.5, NEW: 1.5}
    assert find_interpreter_steps(histories) == []
    row = next(line for line in render(histories).splitlines() if line.startswith("2 "))
    assert row.count("1 slower") == 2
    assert row.rstrip().endswith("the library")


def test_a_step_in_every_release_is_the_interpreters() -> None:
    """The library changed nothing; the other Python makes each of its releases slower."""
    histories = {OLD: make({"1": 100, "2": 100}), NEW: make({"1": 120, "2": 121})}
    assert find_library_steps(histories) == []
    [step] = find_interpreter_steps(histories)
    assert (step.before, step.after, step.way) == (OLD, NEW, "slower")
    assert step.factors == {"1": 1.2, "2": 1.21}
    assert step.culprit == "the interpreter"
    row = next(line for line in render(histories).splitlines() if line.startswith("every"))
    assert "1 slower" in row
    assert row.rstrip().endswith("the interpreter")


def test_a_step_under_one_interpreter_only_names_both() -> None:
    """The library got slower where the new Python runs it, and the interpreters differ since."""
    histories = {
        OLD: make({"1": 100, "2": 100}),
        NEW: make({"1": 100, "2": 130}, {"2": 1.3}),
    }
    [step] = find_library_steps(histories)
    assert step.culprit == f"the library under {NEW} only"
    assert step.factors == {OLD: None, NEW: 1.3}
    [other] = find_interpreter_steps(histories)
    assert other.culprit == "the interpreter, but not in 1"
    assert f"the library under {NEW} only: 1" in render(histories)


def test_one_interpreter_or_one_release_blames_nobody_alone() -> None:
    """A step that only one interpreter could measure may be of either; so may a single release."""
    measured, missing = make({"1": 100, "2": 150}, {"2": 1.5}), make({"1": 100})
    [step] = find_library_steps({OLD: measured, NEW: missing})
    assert not step.is_everywhere
    [other] = find_interpreter_steps({OLD: make({"1": 100}), NEW: make({"1": 50})})
    assert (other.way, other.culprit) == ("faster", "unknown: one release only")


def test_a_difference_within_the_tolerance_or_the_intervals_is_none() -> None:
    """Half a per cent of instructions is no step between interpreters either."""
    assert not find_interpreter_steps({OLD: make({"1": 1000}), NEW: make({"1": 1005})})


def test_opposite_steps_are_two() -> None:
    """What one interpreter gains and the other loses is no step of the library everywhere."""
    histories = {
        OLD: make({"1": 100, "2": 150}, {"2": 1.5}),
        NEW: make({"1": 100, "2": 50}, {"2": 0.5}),
    }
    found = find_library_steps(histories)
    assert {(step.way, step.is_everywhere) for step in found} == {
        ("slower", False),
        ("faster", False),
    }
