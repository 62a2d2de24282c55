"""``releases``: releases and cases that are left out, and what is refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from resilience_bench.measure import callgrind
from resilience_bench.worker.protocol import (
    Message,
    Plan,
    StatusMessage,
)
from tests.cli.releases.factories import (
    CALLED,
    DECORATION,
    VERSIONS,
    Machine,
    Run,
    assert_refused,
    costing,
    history,
)


def test_a_release_that_does_not_install_is_listed(run: Run, machine: Machine) -> None:
    """With the reason; its neighbours are held against each other."""
    machine.broken = {"1.1": "no matching Python"}
    machine.scripts = {"2.0": costing({CALLED: 1.5}), "2.1": costing({CALLED: 1.5})}
    code, out, _ = run("thing")
    assert code == 0
    assert "does not install: no matching Python" in out
    assert {(step.release, step.before) for step in history().steps} == {("2.0", "1.0")}


def test_releases_that_cannot_do_a_case_are_no_step(run: Run, machine: Machine) -> None:
    """A case that came with a release has no history before it."""

    def without(plan: Plan, seed: int) -> Iterable[Message]:
        fine = replace(plan, cases=tuple(name for name in plan.cases if name != DECORATION))
        too_old = [StatusMessage(DECORATION, "not available", "too old")] * (
            DECORATION in plan.cases
        )
        return [*costing({})(fine, seed), *too_old]

    machine.scripts = {"1.0": without, "1.1": without, "2.1": costing({DECORATION: 1.5})}
    code, out, _ = run("thing")
    assert code == 0
    assert {(step.release, step.case) for step in history().steps} == {("2.1", DECORATION)}
    value = history().releases[0].values[DECORATION]
    assert (value.status, value.reason, value.quantities) == ("not available", "too old", {})
    assert [line.split()[2] for line in out.splitlines() if line.startswith("1.0 ")] == ["1"]


def test_what_releases_lack_is_installed_beside_each(run: Run, machine: Machine) -> None:
    """It is said in the history, which is another one than without."""
    beside = ("setuptools<81", "other>=1,<3")
    code, out, _ = run("thing", "--from", "2.0", "--with", beside[0], "--with", beside[1])
    assert code == 0
    assert sorted(machine.made) == [
        f"pip:thing=={each},{','.join(beside)}" for each in ("2.0", "2.1")
    ]
    (note,) = [note for note in history().notes if "installed" in note]
    assert note == "installed with each release: setuptools<81, other>=1,<3"
    assert note in out


def test_another_release_beside_each_is_refused(run: Run, machine: Machine) -> None:
    """Before anything is made."""
    refused = run("thing", "--with", "Thing<2")
    assert_refused(refused, "--with Thing<2: thing is what is measured", "--from and --to")
    assert not machine.made


def test_one_release_alone_is_measured(run: Run) -> None:
    """There is nothing to hold it against, which is said."""
    code, out, _ = run("thing", "--from", "2.0", "--to", "2.0")
    assert code == 0
    assert "no neighbour" in out
    assert set(history().releases[0].values[CALLED].quantities) >= {"ratio", "instructions"}


def test_selectors_and_signals_choose(run: Run, machine: Machine) -> None:
    """Only what is asked for is measured, and pre-releases on demand."""
    code, _, _ = run("thing", "retry.called", "--signals", "instructions", "--pre")
    assert code == 0
    reported = history()
    assert [release.version for release in reported.releases] == list(VERSIONS)
    assert set(reported.cases) == {CALLED}
    assert reported.signals == ("instructions",)
    assert set(reported.releases[0].values[CALLED].quantities) == {
        "instructions",
        "overhead_instructions",
    }
    assert [path.name for path in Path("results/releases/thing").glob("*.png")] == [
        "instructions.png"
    ]


def test_small_moves_are_no_steps_unless_asked_for(run: Run, machine: Machine) -> None:
    """Nine in a thousand instructions are within, and the tolerance is an option."""
    machine.scripts = {"2.0": costing({CALLED: 1.009}), "2.1": costing({CALLED: 1.009})}
    run("thing", "--signals", "instructions")
    assert history().steps == ()
    run("thing", "--signals", "instructions", "--tolerance-instructions", "0.5")
    assert [(step.release, step.case) for step in history().steps] == [("2.0", CALLED)]
    assert history().tolerances["instructions"] == 0.005


def test_a_history_is_shown_without_measuring(run: Run, machine: Machine) -> None:
    """The same table again."""
    _, out, _ = run("thing")
    machine.log = []
    code, again, _ = run("thing", "--show")
    assert code == 0
    assert out.startswith(again)
    assert machine.log == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("idle",), "idle: none of the selected cases needs it; expected one of other, th"),
        (("other",), "other: no releases found; type 'pip index versions other'"),
        (("nonsense",), "nonsense: no releases found; type 'pip index versions nonsense'"),
        (("thing==1.0",), "'thing==1.0' is no package"),
        (("thing", "--from", "2.1", "--to", "1.0"), "type --from 1.0 --to 2.1"),
        (("thing", "--from", "2.0rc1", "--to", "2.0rc1"), "is a pre-release; add --pre"),
        (("thing", "--from", "7"), "--from 7: thing has no such release"),
        (("thing", "breaker.*"), "no case matches 'breaker.*'"),
        (("thing", "--signals", "scaling"), "these cases have no scaling"),
        (("thing", "--python", "no/such/python"), "is no Python interpreter"),
        (("thing", "--show"), "no history of thing was measured here"),
        (("thing", "-o", "/dev/null"), "cannot write /dev/null/releases.json"),
    ],
)
def test_bad_input_is_refused(run: Run, arguments: tuple[str, ...], said: str) -> None:
    """One line with what to type, exit code 2, and nothing is measured."""
    assert_refused(run(*arguments), said)


def test_it_is_said_if_nothing_can_be_measured(run: Run, machine: Machine) -> None:
    """Neither if no release installs."""
    machine.broken = dict.fromkeys(VERSIONS, "no compiler")
    assert_refused(
        run("thing"), "thing: none of 4 releases can be measured; 2.1 does not install: no compiler"
    )


def test_without_valgrind_the_rest_is_measured(
    run: Run, monkeypatch: pytest.MonkeyPatch, machine: Machine
) -> None:
    """And a note says what is missing; instructions alone are refused then."""
    monkeypatch.setattr(callgrind, "explain_unavailability", lambda: "no valgrind; type: apt-get")
    code, out, _ = run("thing")
    assert code == 0
    assert "note: instructions: no valgrind" in out
    assert_refused(run("thing", "--signals", "instructions"), "no valgrind; type: apt-get")


def test_noise_moves_nothing(run: Run, machine: Machine) -> None:
    """Releases that cost the same are reported as such, and nothing stays open."""
    _, out, _ = run("thing")
    assert history().steps == history().undecided == ()
    assert "0 of 3 releases changed something" in out
    more: Any = history().counts
    assert set(more) == {"within"}
