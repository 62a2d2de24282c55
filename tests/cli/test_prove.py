"""The command that tests the gate on itself: rates of builds, exit codes, busy neighbours."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from resilience_bench._model import Counts, Samples, Signal
from resilience_bench.cli import main
from resilience_bench.cli import prove as cli_prove
from resilience_bench.files import results
from resilience_bench.gate.decide import Policy
from resilience_bench.measure import callgrind, recording
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.measure.session import PROFILES, Profile
from resilience_bench.selftest import noise, proof_file
from resilience_bench.selftest.noise import keep_cores_busy
from resilience_bench.selftest.runner import LEARNING_RUNS, BuildRunner
from resilience_bench.selftest.simulation import PROBE, Build
from resilience_bench.worker.protocol import CountsMessage, Message, Plan, SamplesMessage
from tests.factories import make_environment
from tests.scripted import Script, info, suite

CASES = [info("call", family="control"), info("a", "x"), info("b", "x")]
_, A, B = (each.case.name for each in CASES)
BOTH: tuple[Signal, ...] = ("latency", "instructions")


def build(
    percent: float = 0.0,
    planted: Sequence[str] = (),
    latency: Sequence[str] = (),
    instructions: Sequence[str] | None = (),
    gate: str = "check",
) -> Build:
    """A build that was red for these; without instructions, only latencies were measured."""
    red = {"latency": tuple(latency)}
    if instructions is not None:
        red["instructions"] = tuple(instructions)
    return Build(gate, tuple(red), percent, tuple(planted), red, 0, 1.0)


@pytest.fixture
def prover(tmp_path: Path) -> BuildRunner:
    """One that has made no build yet."""
    return BuildRunner(ScriptedLauncher(suite(CASES)), CASES, tmp_path, (10.0,))


# Rates


def test_the_rate_of_healthy_builds_counts_builds(prover: BuildRunner) -> None:
    """One that is red for two cases is one false alarm, of the signal that it was red for."""
    prover.builds += [build(), build(latency=[A, B]), build(), build(gate="compare", latency=[A])]
    found = prover.estimate_real_rate("check", "latency", 0.0)
    assert (found.hits, found.trials) == (1, 3)
    assert (found.builds, found.outcome) == ("real", "healthy build failed")
    found = prover.estimate_real_rate("check", "instructions", 0.0)
    assert (found.hits, found.trials) == (0, 3)


def test_the_rate_of_planted_builds_counts_planted_cases(prover: BuildRunner) -> None:
    """Each planted case is found or not; other red cases, sizes and gates do not count."""
    prover.builds += [
        build(),
        build(10.0, [A, B], latency=[A]),
        build(10.0, [A, B], latency=[A, B, "other"]),
        build(10.0, [A], latency=["other"]),
        build(20.0, [A, B], latency=[A, B]),
        build(10.0, [A, B], latency=[A, B], gate="compare"),
    ]
    found = prover.estimate_real_rate("check", "latency", 10.0)
    assert (found.hits, found.trials) == (3, 5)
    assert (found.planted_percent, found.outcome) == (10.0, "planted case found")


def test_builds_without_a_signal_say_nothing_of_it(prover: BuildRunner) -> None:
    """Instructions are counted in some builds only."""
    prover.builds += [build(), build(instructions=None), build(10.0, [A], instructions=None)]
    assert prover.estimate_real_rate("check", "instructions", 0.0).trials == 1
    assert prover.estimate_real_rate("check", "instructions", 10.0).trials == 0
    rates = cli_prove._estimate_real_rates(prover)
    told = [(each.gate, each.signal, each.planted_percent, each.trials) for each in rates]
    assert told == [
        ("check", "latency", 0.0, 2),
        ("check", "latency", 10.0, 1),
        ("check", "instructions", 0.0, 1),
    ]


def test_without_recorded_workers_nothing_is_drawn(prover: BuildRunner) -> None:
    """A proof that was interrupted early has no drawn rates."""
    assert prover.estimate_simulated_rate("check", "latency", 0.0, 10, 2) is None


# The command

Prove = Callable[..., tuple[int, str, str]]
SIGNALS = ("--signals", "latency,instructions")


def planting(found: bool = True, red: str = "") -> Script:  # noqa: FBT001, FBT002 - a test's own
    """Workers in which what is planted costs something, or nothing; one case rises once learned."""
    counter = iter(range(10**6))

    def call_ns(plan: Plan, name: str, seed: int) -> float:
        planted = dict(plan.plants)
        extra = 20 + 0.5 * planted[name] if name in planted else 0
        extra += dict(plan.waits).get(name, 0)
        if not found and plan.cases != (PROBE,):  # it had a price once
            extra = 0
        dearer = 500 if name == red and next(counter) >= LEARNING_RUNS * 6 else 0
        return 1000 * (1 + seed % 7 / 500) + extra + dearer

    def told(plan: Plan, message: Message, seed: int) -> Message:
        if isinstance(message, SamplesMessage) and message.kind == "operation":
            elapsed = round(100 * call_ns(plan, message.name, seed))
            return replace(message, samples=Samples(100, (elapsed,) * 4))
        if isinstance(message, CountsMessage) and message.kind == "operation":
            total = round(100 * call_ns(plan, message.name, 0))
            return replace(message, counts=Counts((0, 10), (0, total)))
        return message

    def script(plan: Plan, seed: int) -> list[Message]:
        return [told(plan, each, seed) for each in suite(CASES)(plan, seed)]

    return script


@pytest.fixture
def prove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Prove:
    """Runs the command with scripted workers; returns exit code, output and error output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "mine.py").write_text("from resilience_bench import scenario\n")
    monkeypatch.setattr(callgrind, "explain_unavailability", lambda: "")
    monkeypatch.setitem(PROFILES, "quick", Profile("quick", workers=6, samples=4))
    for module in (recording, proof_file):  # looking at every package takes longer than a build
        monkeypatch.setattr(module, "detect_environment", make_environment)
    monkeypatch.setattr(recording, "find_commit", lambda _: None)

    def proving(
        *arguments: object, script: Script | None = None, selectors: Sequence[str] = ("mine.py",)
    ) -> tuple[int, str, str]:
        monkeypatch.setattr(main, "LAUNCHER", ScriptedLauncher(script or planting()))
        options = ["--plant", "30", "--planted-cases", "2", "--drawn", "2"]
        code = main.main(["prove", *selectors, *options, *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return proving


def held(name: str = "proof.json") -> dict[str, Any]:
    """What a proof says."""
    stored: dict[str, Any] = json.loads(Path(name).read_text())
    return stored


def made(name: str = "proof.json") -> list[tuple[str, float]]:
    """The builds of a proof, in their order."""
    return [(each["gate"], each["planted_percent"]) for each in held(name)["builds"]]


FRESH = ("-o", "proof.json", "--builds", 2)


@pytest.mark.parametrize(
    ("script", "expected"),
    [(planting(), 0), (planting(found=False), 1), (planting(red=B), 1)],
    ids=["found", "missed", "red for nothing"],
)
def test_the_exit_code_says_whether_the_gate_was_right(
    prove: Prove, script: Script, expected: int
) -> None:
    """1 for a false alarm, and for a build in which nothing of what was planted was found."""
    options = ("--gate", "check", "--signals", "latency")
    code, out, _ = prove(*FRESH, *options, script=script)
    assert code == expected
    assert "proof: proof.json" in out


def test_a_probe_that_tells_no_price_finds_nothing(prove: Prove) -> None:
    """Where nothing can be planted, nothing is proven; that is no success."""
    code, _, _ = prove(*FRESH, "--gate", "check", "--signals", "latency", script=suite(CASES))
    assert code == 1
    assert [each["planted"] for each in held()["builds"] if each["planted_percent"]] == [[]]


def test_the_proof_holds_every_build_and_rate(prove: Prove) -> None:
    """Two healthy builds and a planted one of each gate; instructions in the first of each."""
    code, out, _ = prove(*FRESH, *SIGNALS)
    assert code == 0
    proof = held()
    assert (proof["schema"], proof["neighbours"], proof["cases"]) == (1, 0, len(CASES))
    assert (proof["selectors"], proof["sizes"]) == (["mine.py"], [30.0])
    assert (proof["signals"], proof["is_learned"]) == (list(BOTH), True)
    told = [(each["gate"], each["planted_percent"], each["signals"]) for each in proof["builds"]]
    latency = ["latency"]
    assert sorted(told) == sorted(
        (gate, percent, signals)
        for gate in ("check", "compare")
        for percent, signals in ((0.0, list(BOTH)), (0.0, latency), (30.0, list(BOTH)))
    )
    rates = {
        tuple(each[key] for key in ("gate", "signal", "planted_percent", "builds")): (
            each["hits"],
            each["trials"],
        )
        for each in proof["rates"]
    }
    counted = {("latency", 0.0): (0, 2), ("instructions", 0.0): (0, 1)}
    assert rates == {
        **{
            (gate, signal, percent, "real"): counted.get((signal, percent), (2, 2))
            for gate in ("check", "compare")
            for signal in BOTH
            for percent in (0.0, 30.0)
        },
        **{
            (gate, signal, percent, "drawn"): (2, 2) if percent else (0, 10)
            for gate in ("check", "compare")
            for signal in BOTH
            for percent in (0.0, 30.0)
        },
    }
    assert "0 of 10" in out


def test_what_waits_is_looked_for_by_latency_alone(prove: Prove) -> None:
    """A wait is so many nanoseconds of the case's own latency, and nothing of it is counted."""
    code, out, _ = prove(*FRESH, *SIGNALS, "--wait", 20)
    assert code == 0
    waits = [each for each in held()["builds"] if each["kind"] == "wait"]
    assert [(each["gate"], each["planted_percent"], each["signals"]) for each in waits] == [
        ("check", 20.0, ["latency"]),
        ("compare", 20.0, ["latency"]),
    ]
    assert all(len(each["planted"]) == 2 for each in waits)
    assert [sorted(each["planted"]) for each in waits] == [each["red"]["latency"] for each in waits]
    rates = [each for each in held()["rates"] if each["kind"] == "wait"]
    assert [(each["gate"], each["hits"], each["trials"]) for each in rates] == [
        ("check", 2, 2),
        ("compare", 2, 2),
    ]
    assert "20 % wait" in out


def test_one_gate_may_be_proven(prove: Prove) -> None:
    """The other one makes no build."""
    prove(*FRESH, "--gate", "compare", "--signals", "latency")
    assert {gate for gate, _ in made()} == {"compare"}


# Going on

TIMED = ("--signals", "latency", "--gate", "check", "--gate", "compare")
ALL = [("check", 0.0), ("compare", 0.0)] * 2 + [("check", 30.0), ("compare", 30.0)]


def stopping(plans: int) -> Script:
    """Workers of a proof that is interrupted after so many of them."""
    left = iter(range(plans))

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        if plan.action != "discover" and next(left, None) is None:
            raise KeyboardInterrupt
        return planting()(plan, seed)

    return script


LEARNING = 4 * 6 + 3 * 6
"""So many workers learn: four runs and three prices, six each."""


def measuring() -> tuple[Script, list[tuple[int, ...]]]:
    """Workers, and a list of the seeds of those that measured."""
    log: list[tuple[int, ...]] = []

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        if plan.action != "discover":
            log.append((seed, len(plan.cases)))
        return planting()(plan, seed)

    return script, log


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
    asked = []

    @contextlib.contextmanager
    def neighbours(count: int) -> Iterator[None]:
        asked.append(count)
        yield

    monkeypatch.setattr(cli_prove, "keep_cores_busy", neighbours)
    prove(*FRESH, *TIMED, "--neighbours", 3)
    code, _, _ = prove("--from", "proof.json", "--builds", 3, *TIMED, selectors=())
    assert (code, asked) == (0, [3, 3])
    assert (held()["neighbours"], held()["selectors"]) == (3, ["mine.py"])


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
    assert f"left out, because learned, but not selected: 1 cases ({B})" in err
    new = results.read(Path("proof/check-7.json"))
    assert {each.case.name for each in new.cases} == {PROBE, A}
    assert not held()["builds"][6]["red"]["latency"]


def test_cases_that_were_not_learned_are_left_out(prove: Prove) -> None:
    """There is nothing to hold them against."""
    prove(*FRESH, *TIMED, selectors=("mine.py", A))
    more = ("--from", "proof.json", "--builds", 3, *TIMED)
    code, _, err = prove(*more)
    assert code == 0
    assert f"left out, because selected, but not learned by the earlier proof: 1 cases ({B})" in err
    assert {each.case.name for each in results.read(Path("proof/check-7.json")).cases} == {PROBE, A}


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


# Neighbours


@pytest.fixture
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neighbours are not waited for."""
    monkeypatch.setattr(noise.time, "sleep", lambda seconds: None)


def neighbours_of_an_error(running: set[BaseProcess]) -> None:
    """Fail among neighbours, and tell which ones there were."""
    before = set(multiprocessing.active_children())
    with keep_cores_busy(2):
        running |= set(multiprocessing.active_children()) - before
        assert all(each.is_alive() for each in running)
        raise RuntimeError("stop")


@pytest.mark.usefixtures("_no_pause")
def test_neighbours_run_as_long_as_the_context() -> None:
    """As many processes as were asked for, and none after it, also if it ended with an error."""
    before = set(multiprocessing.active_children())
    running: set[BaseProcess] = set()
    with pytest.raises(RuntimeError, match="stop"):
        neighbours_of_an_error(running)
    assert len(running) == 2
    assert not any(each.is_alive() for each in running)
    assert set(multiprocessing.active_children()) == before


@pytest.mark.usefixtures("_no_pause")
def test_no_neighbours_start_nothing() -> None:
    """The usual proof burns no core."""
    before = set(multiprocessing.active_children())
    with keep_cores_busy(0):
        assert set(multiprocessing.active_children()) == before


def test_a_neighbour_ends_with_its_parent() -> None:
    """One whose parent is another process, because its own was killed, burns no more."""
    noise._keep_core_busy(os.getppid() + 1)
