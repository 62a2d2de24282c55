"""``compare``: interruptions, deadlines, refusals, and two real interpreters."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path

import pytest

from resilience_bench.cli import compare_sides
from resilience_bench.files import results
from resilience_bench.measure import callgrind
from resilience_bench.worker.protocol import (
    Message,
    Plan,
)
from tests.cli.gate.factories import (
    PURGATORY,
    PYBREAKER,
    Compare,
    Run,
    assert_refused,
    killing,
    noisy,
)


def test_an_interrupted_comparison_keeps_what_was_measured(
    comparing: Compare, tmp_path: Path
) -> None:
    """Exit code 130; the files hold the workers until then."""

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        if seed == 3:
            raise KeyboardInterrupt
        return noisy()(plan, seed)

    code, _, err = comparing(head=script)
    assert code == 130
    assert "Traceback" not in err
    assert "interrupted; what was measured is in out" in err
    held = results.read(tmp_path / "out" / "head.json")
    assert (held.complete, len(held.workers)) == (False, 3)
    assert comparing(head=killing("measure", 4))[0] == 130
    assert len(results.read(tmp_path / "out" / "head.json").workers) == 4


def test_the_time_is_that_of_the_whole_comparison(
    comparing: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counting comes first and uses some of it; then nothing doubtful is confirmed any more."""
    clock = [1000.0]
    monkeypatch.setattr(compare_sides.time, "monotonic", lambda: clock[0])

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        clock[0] += 50.0 if plan.action == "count" else 0.0
        return noisy({PURGATORY: 1.01})(plan, seed)

    signals = ("--signals", "latency,instructions", "--strict")
    comparing(*signals, "--seconds", 99, head=script, base=noisy())
    counted = {"head": 12, "base": 12}
    for name, workers in counted.items():
        held = results.read(tmp_path / "out" / f"{name}.json")
        assert len(held.workers) > workers
    code, out, _ = comparing(*signals, "--seconds", 49, head=script, base=noisy())
    assert code == 3
    assert f"inconclusive  {PURGATORY}" in out
    for name, workers in counted.items():
        held = results.read(tmp_path / "out" / f"{name}.json")
        assert len(held.workers) == workers


def test_the_largest_changes_are_shown_where_all_is_well(comparing: Compare) -> None:
    """Below the sum, the largest first, with intervals; equal counts have none."""
    code, out, _ = comparing(head=noisy({PURGATORY: 1.004, PYBREAKER: 0.992}))
    assert code == 0
    table = out[out.index("3 cases judged: 0 regressed") :].splitlines()[2:]
    assert table[0].split() == ["within,", "changed", "most", "latency", "instructions"]
    assert [line.split()[0] for line in table[1:]] == [PYBREAKER, PURGATORY]
    assert re.search(r"-0\.80 % \(-[\d.]+ % to [-+][\d.]+ %\)", table[1])
    assert re.search(r"\+0\.40 % \(.*\)", table[2])
    assert {line.rstrip().rpartition("  ")[2] for line in table[1:]} == {"+0.00 %"}


def test_what_is_shown_in_full_is_not_shown_again(comparing: Compare) -> None:
    """The table is of what lies within its range, and only where something changed."""
    signals = ("--signals", "latency")
    _, out, _ = comparing(*signals, head=noisy({PURGATORY: 1.3}))
    assert out.count(PURGATORY) == 1
    assert "changed most" not in out


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("nonsense.*",), ("no case matches 'nonsense.*'",)),
        (("--tolerance", "-1"), ("tolerance",)),
        (("--signals", "x"), ("'x'",)),
        (("--markdown", "/proc/x/y"), ("/proc/x/y",)),
    ],
)
def test_bad_arguments_compare_nothing(
    comparing: Compare, arguments: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    """One line and exit code 2, before any environment is made."""
    assert_refused(comparing(*arguments), *parts)


def test_when_no_signal_is_available_nothing_is_compared(
    comparing: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is the error, with what to type."""
    monkeypatch.setattr(callgrind, "explain_unavailability", lambda: "no valgrind; type: apt-get")
    assert_refused(comparing("--signals", "instructions"), "no valgrind; type: apt-get")


@pytest.mark.parametrize("text", ["svn:1", "/no/such/python", "nothing"])
def test_what_is_no_variant_is_refused(run: Run, text: str) -> None:
    """The forms that there are, in one line."""
    assert_refused(run("compare", text, sys.executable), f"{text!r} is no variant")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("nothing",), "'nothing' is no variant"),
        ((".", "--head-python", "python9.9"), "'python9.9' is no Python interpreter"),
    ],
)
def test_both_sides_are_looked_at_before_one_is_made(
    run: Run, arguments: tuple[str, ...], part: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A slip in HEAD is refused before the environment of BASE is made."""
    monkeypatch.setenv("RESILIENCE_BENCH_CACHE", str(tmp_path / "cache"))
    assert_refused(run("compare", ".", *arguments), part)
    assert not (tmp_path / "cache").exists()


MINE = """
from resilience_bench import scenario

@scenario
def bare(payload):
    "Nothing around the call."
    return payload

@scenario
def framed(payload):
    "A frame around the call."
    def operation():
        return payload()
    return operation
"""


def test_two_real_interpreters_are_compared(tmp_path: Path) -> None:
    """The same interpreter twice, on real workers: every case is judged, every arm has its file."""
    (tmp_path / "mine.py").write_text(MINE)
    command = str(Path(sys.executable).with_name("resilience-bench"))
    arguments = ["compare", sys.executable, sys.executable, "mine.py", "--signals", "latency"]
    done = subprocess.run(
        [command, *arguments, "--seconds", "1", "-o", "out", "--junit", "out.xml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode in {0, 1}, done.stderr
    assert "Traceback" not in done.stderr
    assert "2 cases judged" in done.stdout
    for name in ("base", "head", "null"):
        held = results.read(tmp_path / "out" / f"{name}.json")
        assert held.complete
        assert {record.status for record in held.cases} == {"measured"}
        assert {tuple(worker.operations) for worker in held.workers[:12]} == {
            ("mine.bare", "mine.framed")
        }
    assert len(list(ET.parse(tmp_path / "out.xml").getroot().iter("testcase"))) == 2


def test_the_summary_says_how_long_each_part_took(comparing: Compare) -> None:
    """One line has the whole, then environments and the signals that were measured."""
    _, out, _ = comparing()
    [line] = [line for line in out.splitlines() if line.startswith("took ")]
    assert re.fullmatch(
        r"took [\d a-z]+: environments [^,]+, instructions [^,]+, allocations [^,]+, latency [^,]+",
        line,
    )
