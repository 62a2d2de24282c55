"""``check`` that measures: confirmations, interruptions, what cannot be measured."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from resilience_bench.files import results
from resilience_bench.gate import baseline
from resilience_bench.measure import callgrind
from resilience_bench.quantities import JUDGED
from resilience_bench.worker.protocol import (
    Message,
    Plan,
    StatusMessage,
)
from tests.cli.gate.factories import (
    PURGATORY,
    PYBREAKER,
    RETRY,
    Run,
    acceptable,
    budget,
    killing,
    noisy,
)


def test_what_was_learned_is_what_check_finds(run: Run, tmp_path: Path) -> None:
    """A baseline of all cases and signals; then every case lies within its range."""
    code, out, _ = run("baseline", "learn", "--runs", 3, "--reason", "a new machine")
    assert code == 0
    path = acceptable(tmp_path)
    assert "3 cases from 3 runs" in out
    stored = baseline.read(path)
    assert set(stored.ranges) == {PYBREAKER, PURGATORY, RETRY}
    assert set(stored.ranges[RETRY]) == set(JUDGED) - {"scaling", "share"}
    assert stored.ranges[RETRY]["ratio"].runs == 3
    assert stored.reason == "a new machine"
    assert len(list((tmp_path / "results").glob("learn-*/run-*.json"))) == 3
    code, out, _ = run("check", "--strict")
    assert code == 0
    assert "3 cases judged" in out
    [written] = (tmp_path / "results").glob("check-*.json")
    assert results.read(written).complete


def test_a_slower_case_fails_the_build(run: Run, tmp_path: Path) -> None:
    """Exit code 1 names the case; what was measured is in the file that was asked for."""
    run("baseline", "learn", "--runs", 3)
    code, out, _ = run("check", "-o", "mine.json", script=noisy({PURGATORY: 1.3}))
    assert code == 1
    assert f"REGRESSED  {PURGATORY}" in out
    assert f"REGRESSED  {PYBREAKER}" not in out
    assert len(results.read(tmp_path / "mine.json").workers) == 14


def test_a_borderline_case_is_measured_again(run: Run, tmp_path: Path) -> None:
    """Only this case is drawn again, with fresh hash seeds; the file holds every worker."""
    run("baseline", "learn", "--runs", 3, "--signals", "latency")
    run("check", "-o", "mine.json", "--signals", "latency", script=noisy({PURGATORY: 1.1}))
    held = results.read(tmp_path / "mine.json")
    assert held.seeds == tuple(range(len(held.workers)))
    assert len(held.workers) > 14
    assert {tuple(worker.operations) for worker in held.workers[14:]} == {(PURGATORY,)}


def test_an_interrupted_check_keeps_what_was_measured(run: Run, tmp_path: Path) -> None:
    """Exit code 130, and a file that says that it is not complete."""
    run("baseline", "learn", "--runs", 3)

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        if seed == 3:
            raise KeyboardInterrupt
        return noisy()(plan, seed)

    code, _, err = run("check", "-o", "mine.json", script=script)
    assert code == 130
    assert "Traceback" not in err
    assert "interrupted; what was measured is in mine.json" in err
    held = results.read(tmp_path / "mine.json")
    assert (held.complete, len(held.workers), len(held.instructions)) == (False, 3, 1)


@pytest.mark.parametrize("command", [("check",), ("baseline", "learn")])
def test_a_command_that_is_killed_keeps_what_was_measured(
    run: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """SIGTERM is like Ctrl-C: exit code 130, and the file of the run that was going on."""
    run("baseline", "learn", "--runs", 3)
    code, _, err = run(*command, script=killing("measure", 3))
    assert code == 130
    assert "Traceback" not in err
    [written] = re.findall(r"interrupted; what was measured is in (\S+)", err)
    held = results.read(tmp_path / written)
    assert (held.complete, len(held.workers)) == (False, 3)


def test_what_is_killed_at_its_start_has_a_file_all_the_same(run: Run, tmp_path: Path) -> None:
    """The file that is named exists, also if nothing was measured yet."""
    run("baseline", "learn", "--runs", 3)
    assert run("check", "-o", "mine.json", script=killing("count", 0))[0] == 130
    held = results.read(tmp_path / "mine.json")
    assert (held.complete, held.workers, held.instructions) == (False, (), ())


def test_a_broken_case_is_not_passed_over(run: Run) -> None:
    """A case that does not do any more what it says is named; with --strict it fails."""
    run("baseline", "learn", "--runs", 3)
    script = noisy(wrong=[StatusMessage(RETRY, "broken", "ran twice")])
    code, out, _ = run("check", script=script)
    assert code == 0
    assert "broken: ran twice" in out
    assert run("check", "--strict", script=script)[0] == 3


def test_without_valgrind_the_rest_is_judged(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be measured here is said, and fails a strict build only."""
    run("baseline", "learn", "--runs", 3)
    monkeypatch.setattr(callgrind, "explain_unavailability", lambda: "no valgrind; type: apt-get")
    code, out, _ = run("check")
    assert code == 0
    assert "no valgrind; type: apt-get" in out
    assert run("check", "--strict")[0] == 3


def test_new_cases_are_reported_and_do_not_fail(run: Run) -> None:
    """A case without a range has to be learned; nobody is red for it."""
    run("baseline", "learn", "retry.*", "--runs", 3)
    code, out, _ = run("check")
    assert code == 0
    assert "2 measured cases have no range yet" in out


def test_cases_of_which_nothing_is_acceptable_are_refused(run: Run) -> None:
    """If only new cases are selected, the message says to learn them."""
    run("baseline", "learn", "retry.*", "--runs", 3)
    code, _, err = run("check", "breaker.*")
    assert code == 2
    assert "say nothing of the selected cases" in err
    assert "baseline learn" in err


def test_a_check_of_budgets_alone_names_what_they_do_not_limit(run: Run, tmp_path: Path) -> None:
    """Nobody asked for a signal, so none is said not to be asked for; and it counts its cases."""
    (tmp_path / "baselines").mkdir(exist_ok=True)
    budget(tmp_path, "overhead_ns = 5000")
    _, out, err = run("check", "--baseline", "none")
    assert "not judged, because no budget limits them: instructions, allocations" in out
    assert "not asked for" not in out
    assert "measuring 3 cases" in err
