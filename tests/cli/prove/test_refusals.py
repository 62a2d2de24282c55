"""What ``prove`` refuses to go on with."""

from __future__ import annotations

from pathlib import Path

import pytest

from resilience_bench.files import results
from resilience_bench.measure import callgrind
from resilience_bench.selftest.calibration import PROBE
from resilience_bench.worker.protocol import Message, Plan
from tests.cli.prove.factories import FRESH, LEARNING, TIMED, A, B, Prove, held, measuring, stopping
from tests.scripted import info, suite


@pytest.mark.parametrize("plans", [0, 10, LEARNING - 1])
def test_what_was_interrupted_while_it_learned_cannot_go_on(prove: Prove, plans: int) -> None:
    """Exit code 130; then one clear line and exit code 2, and nothing is measured."""
    code, _, err = prove(*FRESH, *TIMED, script=stopping(plans))
    assert code == 130
    assert "not everything was learned, so begin anew" in err
    assert (held()["is_learned"], held()["builds"]) == (False, [])
    script, log = measuring()
    code, out, err = prove("--from", "proof.json", "--builds", 2, *TIMED, script=script)
    assert (code, out, log) == (2, "", [])
    assert err.count("\n") == 1
    assert "interrupted before it had learned what is acceptable" in err
    assert "without --from" in err


def test_cases_that_are_not_selected_any_more_are_left_out(prove: Prove) -> None:
    """They are named, and neither built nor drawn; those that are new are left out as well."""
    prove(*FRESH, *TIMED)
    more = ("--from", "proof.json", "--builds", 3, *TIMED)
    code, _, err = prove(*more, selectors=("mine.py", A))
    assert code == 0
    assert f"left out, because learned, but not selected: 1 case ({B})" in err
    new = results.read(Path("proof/check-7.json"))
    assert {case.case.name for case in new.cases} == {PROBE, A}
    assert not held()["builds"][6]["red"]["latency"]


def test_cases_that_were_not_learned_are_left_out(prove: Prove) -> None:
    """There is nothing to hold them against."""
    prove(*FRESH, *TIMED, selectors=("mine.py", A))
    more = ("--from", "proof.json", "--builds", 3, *TIMED)
    code, _, err = prove(*more)
    assert code == 0
    assert f"left out, because selected, but not learned by the earlier proof: 1 case ({B})" in err
    assert {case.case.name for case in results.read(Path("proof/check-7.json")).cases} == {PROBE, A}


def test_a_signal_that_was_not_learned_is_refused(prove: Prove) -> None:
    """One line says which ones were."""
    prove(*FRESH, *TIMED)
    code, _, err = prove("--from", "proof.json", "--builds", 2, "--signals", "instructions")
    assert code == 2
    assert "instructions was not learned; leave it out with --signals latency" in err


@pytest.mark.parametrize("lost", ["learn-2.json", "price-latency-1.json", "check-1.json"])
def test_a_folder_that_lacks_something_is_refused(prove: Prove, lost: str) -> None:
    """The file is named before anything is measured."""
    prove(*FRESH, *TIMED)
    (Path("proof") / lost).unlink()
    script, log = measuring()
    code, _, err = prove("--from", "proof.json", "--builds", 9, *TIMED, script=script)
    assert (code, log) == (2, [])
    assert lost in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (None, "No such file"),
        ("{", "expected JSON"),
        ('{"schema": 99}', "a newer version"),
        ('{"schema": 1}', "key builds"),
        ('{"schema": 1, "builds": [], "neighbours": "x"}', "key neighbours"),
        ('{"schema": 1, "builds": [], "neighbours": 0}', "the folder other beside it"),
    ],
)
def test_what_is_no_proof_is_refused(prove: Prove, content: str | None, part: str) -> None:
    """One line names the file, and says what to type."""
    if content is not None:
        Path("other.json").write_text(content)
    code, out, err = prove("--from", "other.json")
    assert (code, out) == (2, "")
    assert err.startswith("resilience-bench: other.json: ")
    assert part in err
    assert err.count("\n") == 1


def test_signals_that_are_not_proven_are_refused(
    prove: Prove, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Allocations hardly vary; without valgrind there are no instructions."""
    assert "expected --signals with one of" in prove("--signals", "allocations")[2]
    monkeypatch.setattr(callgrind, "explain_unavailability", lambda: "no valgrind; type: apt-get")
    code, _, err = prove("--signals", "instructions")
    assert (code, err) == (2, "resilience-bench: no valgrind; type: apt-get\n")


def test_a_suite_without_the_bare_payload_is_refused(prove: Prove) -> None:
    """The case that shows what planting costs is named, with what to write into which file."""

    def script(plan: Plan, seed: int) -> list[Message]:
        return list(suite([info("a", "x")])(plan, seed))

    code, out, err = prove(*FRESH, *TIMED, script=script, selectors=())
    assert (code, out) == (2, "")
    assert err.startswith(f"resilience-bench: expected the case {PROBE}")
    assert "benchmarks/control.py" in err
    assert err.count("\n") == 1
