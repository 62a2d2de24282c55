"""``prove``: exit codes, and what a proof holds."""

from __future__ import annotations

import pytest

from resilience_bench._model import Signal
from tests.cli.prove.factories import CASES, FRESH, B, Prove, held, made, planting
from tests.scripted import Script, suite

BOTH: tuple[Signal, ...] = ("latency", "instructions")

SIGNALS = ("--signals", "latency,instructions")


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
    reported = [
        (each["gate"], each["planted_percent"], each["signals"]) for each in proof["builds"]
    ]
    latency = ["latency"]
    assert sorted(reported) == sorted(
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
    assert [(wait["gate"], wait["planted_percent"], wait["signals"]) for wait in waits] == [
        ("check", 20.0, ["latency"]),
        ("compare", 20.0, ["latency"]),
    ]
    assert all(len(each["planted"]) == 2 for each in waits)
    assert [sorted(each["planted"]) for each in waits] == [each["red"]["latency"] for each in waits]
    rates = [each for each in held()["rates"] if each["kind"] == "wait"]
    assert [(rate["gate"], rate["hits"], rate["trials"]) for rate in rates] == [
        ("check", 2, 2),
        ("compare", 2, 2),
    ]
    assert "20 % wait" in out


def test_one_gate_may_be_proven(prove: Prove) -> None:
    """The other one makes no build."""
    prove(*FRESH, "--gate", "compare", "--signals", "latency")
    assert {gate for gate, _ in made()} == {"compare"}
