"""``prove`` that was interrupted, and goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from resilience_bench.cli import prove as cli_prove
from resilience_bench.gate.trial import Policy
from resilience_bench.selftest.calibration import LEARNING_RUNS
from tests.cli.prove.factories import FRESH, LEARNING, TIMED, Prove, held, made, measuring, stopping

ALL = [("check", 0.0), ("compare", 0.0)] * 2 + [("check", 30.0), ("compare", 30.0)]


def test_an_interrupted_proof_is_written_and_goes_on(prove: Prove) -> None:
    """Exit code 130; then only what is missing is built, and nothing is learned again."""
    check = Policy().screen
    code, out, err = prove(*FRESH, *TIMED, script=stopping(LEARNING + check + 5))
    assert (code, out) == (130, "")
    assert "interrupted; what was proven is in proof.json" in err
    assert "--from proof.json" in err
    assert made() == ALL[:1]
    assert held()["rates"][0]["trials"] == 1
    first = held()["builds"][0]
    learned = {path: path.read_bytes() for path in Path("proof").glob("learn-*.json")}
    assert len(learned) == LEARNING_RUNS
    code, out, _ = prove("--from", "proof.json", "--builds", 2, *TIMED)
    assert code == 0
    assert "proof: proof.json" in out
    assert sorted(made()) == sorted(ALL)
    assert held()["builds"][0] == first
    assert {path: path.read_bytes() for path in learned} == learned
    assert {each["builds"] for each in held()["rates"]} == {"real", "drawn"}


def test_an_earlier_proof_may_get_more_builds(prove: Prove) -> None:
    """Healthy ones are added to those that there are; what was planted is not built again."""
    prove(*FRESH, *TIMED)
    code, _, err = prove("--from", "proof.json", "--builds", 3, *TIMED)
    assert code == 0
    assert made() == [*made()[:6], ("check", 0.0), ("compare", 0.0)]
    assert len(made()) == 8
    assert "2 of 2: compare, 0 % planted" in err
    healthy = [each for each in held()["rates"] if not each["planted_percent"]]
    assert {each["trials"] for each in healthy if each["builds"] == "real"} == {3}
    prove("--from", "proof.json", "--planted-builds", 2, *TIMED)
    assert made()[8:] == [("check", 30.0), ("compare", 30.0)]


def test_when_nothing_is_missing_builds_are_only_drawn(prove: Prove) -> None:
    """No worker is started; the file has the same builds as before."""
    prove(*FRESH, *TIMED)
    before = held()["builds"]
    script, log = measuring()
    code, out, _ = prove("--from", "proof.json", "--builds", 2, *TIMED, script=script)
    assert (code, log) == (0, [])
    assert held()["builds"] == before
    assert "0 of 10" in out


def test_without_a_number_of_builds_an_earlier_proof_is_only_drawn_from(prove: Prove) -> None:
    """Also if it was interrupted; what is drawn goes to a file of its own."""
    prove(*FRESH, *TIMED, script=stopping(LEARNING + 20))
    before = Path("proof.json").read_bytes()
    script, log = measuring()
    code, out, _ = prove("--from", "proof.json", "-o", "again.json", script=script)
    assert (code, log) == (0, [])
    assert "proof: again.json" in out
    assert Path("proof.json").read_bytes() == before
    assert made("again.json") == made()
    assert "drawn" in {each["builds"] for each in held("again.json")["rates"]}


def test_without_recorded_builds_nothing_is_drawn(prove: Prove) -> None:
    """A proof that was interrupted in its first build has no rates at all."""
    prove(*FRESH, *TIMED, script=stopping(LEARNING))
    assert (held()["is_learned"], held()["builds"]) == (True, [])
    code, _, _ = prove("--from", "proof.json", "-o", "again.json")
    assert (code, held("again.json")["rates"]) == (0, [])


def test_what_goes_on_elsewhere_leaves_the_earlier_proof_as_it_is(prove: Prove) -> None:
    """With --output the new builds and a copy of the old ones are beside the new file."""
    prove(*FRESH, *TIMED)
    before = {path: path.read_bytes() for path in [Path("proof.json"), *Path("proof").iterdir()]}
    code, _, _ = prove("--from", "proof.json", "--builds", 3, "-o", "more.json", *TIMED)
    assert code == 0
    assert {path: path.read_bytes() for path in before} == before
    assert set(Path("proof").iterdir()) | {Path("proof.json")} == set(before)
    assert len(made("more.json")) == 8
    assert prove("--from", "more.json", "--builds", 3, *TIMED)[0] == 0


def test_the_neighbours_and_the_cases_are_those_of_the_earlier_proof(
    prove: Prove, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Builds among other neighbours, or of other cases, would not belong together."""
    started = []

    @contextlib.contextmanager
    def neighbours(count: int) -> Iterator[None]:
        started.append(count)
        yield

    monkeypatch.setattr(cli_prove, "keep_cores_busy", neighbours)
    prove(*FRESH, *TIMED, "--neighbours", 3)
    code, _, _ = prove("--from", "proof.json", "--builds", 3, *TIMED, selectors=())
    assert (code, started) == (0, [3, 3])
    assert (held()["neighbours"], held()["selectors"]) == (3, ["mine.py"])
