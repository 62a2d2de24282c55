"""``compare`` with two results files: what runs of two hours can tell, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from resilience_bench._model import Case, Result
from resilience_bench.files import results
from tests.cli.gate.factories import ONE, TWO, Run, assert_refused, made
from tests.factories import make_case, make_environment, make_instructions, measured_result

LATER = {"started": "2026-01-03T05:04:05+00:00", "ended": "2026-01-03T05:05:00+00:00"}
Pair = Callable[..., tuple[str, str, str]]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Writes a run and a later one; returns the command that compares them."""

    def writing(
        factors: Mapping[Case, float] | None = None, base: Result | None = None, **head: Any
    ) -> tuple[str, str, str]:
        results.write(base or made(), tmp_path / "base.json")
        results.write(made(factors, **{**LATER, **head}), tmp_path / "head.json")
        return "compare", "base.json", "head.json"

    return writing


def test_equal_runs_are_within(run: Run, pair: Pair) -> None:
    """Exit code 0, also with --strict; the output says what was compared and how far apart."""
    code, out, err = run(*pair(), "--strict")
    assert (code, err) == (0, "")
    for part in (
        "base.json (BASE) against head.json (HEAD)",
        "nothing was measured",
        "26.0 hours apart",
        "machine: same CPU model",
        "2 cases judged: 0 regressed",
        "within their ranges (8 decisions)",
    ):
        assert part in " ".join(out.split())


@pytest.mark.parametrize("signal", ["latency", "instructions"])
def test_a_case_that_costs_more_fails(run: Run, pair: Pair, signal: str) -> None:
    """Exit code 1 for each signal, and the reports say so too."""
    command = pair({TWO: 1.3})
    code, out, _ = run(*command, "--signals", signal, "--markdown", "out.md", "--junit", "out.xml")
    assert code == 1
    assert f"REGRESSED  {TWO.name}" in out
    assert ONE.name not in out
    assert TWO.name in Path("out.md").read_text()
    assert TWO.name in Path("out.xml").read_text()


def test_latency_has_the_tolerance_of_another_day(run: Run, pair: Pair) -> None:
    """7 % are within, though two variants side by side may differ by 3 %; a typed one holds."""
    command = pair({TWO: 1.07})
    assert run(*command, "--signals", "latency")[0] == 0
    assert run(*command, "--signals", "latency", "--tolerance", "3")[0] == 1


def test_one_process_does_not_prove_a_small_step(run: Run, pair: Pair) -> None:
    """2 % more instructions in one memory layout are inconclusive; in three they are a step."""
    counts = {ONE: 10_000, TWO: 20_000}
    more = {ONE: 10_000, TWO: 20_400}
    code, out, _ = run(*pair(instructions=(make_instructions(more),)), "--signals", "instructions")
    assert code == 0
    assert f"inconclusive  {TWO.name}" in out
    assert "1 process of each: another memory layout may explain it" in out
    three = range(3)
    base = made(instructions=tuple(make_instructions(counts, index) for index in three))
    head = tuple(make_instructions(more, index) for index in three)
    code, out, _ = run(*pair(base=base, instructions=head), "--signals", "instructions")
    assert code == 1
    assert f"REGRESSED  {TWO.name}" in out


def test_another_cpu_leaves_the_instructions(run: Run, pair: Pair) -> None:
    """Latency is named as not compared, with both CPUs; the rest is judged."""
    command = pair(environment=make_environment(cpu_model="other", cpu_count=64))
    code, out, _ = run(*command)
    assert code == 0
    text = " ".join(out.split())
    assert "latency is not compared: cpu_model: BASE 'AMD EPYC 7B13', HEAD 'other'" in text
    assert "machine: cpu_model: BASE 'AMD EPYC 7B13', HEAD 'other'; cpu_count: BASE 2" in text
    assert "2 cases judged: 0 regressed" in text


def test_a_typed_signal_that_does_not_compare_is_refused(run: Run, pair: Pair) -> None:
    """In one line: what differs, and what to type instead."""
    command = pair(environment=make_environment(cpu_model="other"))
    assert_refused(
        run(*command, "--signals", "latency,instructions"),
        "latency (cpu_model: BASE 'AMD EPYC 7B13', HEAD 'other')",
        "type --signals instructions",
    )


def test_two_pythons_have_nothing_to_compare(run: Run, pair: Pair) -> None:
    """Another minor version: neither times nor counts; the line says how to measure both."""
    command = pair(environment=make_environment(python="CPython 3.12.1"))
    assert_refused(
        run(*command),
        "instructions (python: BASE 'CPython 3.11.9', HEAD 'CPython 3.12.1')",
        "type 'resilience-bench compare BASE HEAD' with two variants",
    )


def test_another_patch_release_leaves_latency(run: Run, pair: Pair) -> None:
    """Its minor version is the same; instructions need the same build."""
    environment = make_environment(python="CPython 3.11.10", python_build="other")
    code, out, _ = run(*pair(environment=environment))
    assert code == 0
    assert "instructions is not compared: python: BASE 'CPython 3.11.9'" in " ".join(out.split())


def test_a_signal_of_one_side_is_refused(run: Run, pair: Pair) -> None:
    """What one run has not measured cannot be compared."""
    command = pair(base=made(signals=("latency",)))
    refused = "instructions (not measured in BASE); type --signals latency"
    assert_refused(run(*command, "--signals", "instructions"), refused)
    assert "measured in HEAD only: instructions, allocations" in " ".join(run(*command)[1].split())


def test_selectors_choose_cases(run: Run, pair: Pair) -> None:
    """A slower case that was not chosen fails nothing; an unknown one is refused."""
    command = pair({TWO: 1.3})
    code, out, _ = run(*command, ONE.name)
    assert code == 0
    assert "1 case judged" in out
    assert_refused(run(*command, "nothing.*"), "has no case that matches 'nothing.*'")


def test_files_without_a_common_case_are_refused(run: Run, pair: Pair) -> None:
    """A comparison of nothing must not pass."""
    command = pair(base=measured_result({make_case("other"): 1000.0}))
    assert_refused(run(*command), "base.json has none of the cases of head.json")


def test_one_run_with_itself_is_refused(run: Run, pair: Pair, tmp_path: Path) -> None:
    """A build that compares a file with its copy would always pass."""
    pair()
    (tmp_path / "copy.json").write_bytes((tmp_path / "base.json").read_bytes())
    assert_refused(run("compare", "base.json", "copy.json"), "are the same run")


@pytest.mark.parametrize("order", [("base.json", "git:HEAD"), (".", "base.json")])
def test_a_file_and_a_variant_are_refused(run: Run, pair: Pair, order: tuple[str, str]) -> None:
    """Nothing is measured; the line says which is which."""
    pair()
    assert_refused(run("compare", *order), "base.json is a results file and", "a variant")


@pytest.mark.parametrize("name", ["--project", "--seconds", "-o"])
def test_options_of_measuring_are_refused(run: Run, pair: Pair, name: str) -> None:
    """Whoever gives them expects a measurement."""
    assert_refused(run(*pair(), name, "9"), "are compared without measuring; leave out --")


def test_what_is_no_results_file_is_refused(run: Run, pair: Pair, tmp_path: Path) -> None:
    """A missing file, and one that is cut short."""
    assert_refused(run("compare", "a.json", "b.json"), "a.json: expected a results file")
    command = pair()
    (tmp_path / "head.json").write_text('{"schema": 1, "cas')
    assert_refused(run(*command), "head.json: expected JSON, found a file that is cut short")
