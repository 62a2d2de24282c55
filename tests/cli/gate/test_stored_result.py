"""``check --result``: verdicts, reports and exit codes of a stored result."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from resilience_bench.stats.trimmed_t import FEWEST
from tests.cli.gate.factories import ONE, TWO, Files, Run, assert_refused, made
from tests.factories import (
    make_record,
)


def test_a_healthy_result_is_within(run: Run, files: Files) -> None:
    """Exit code 0; the output says what was held against what."""
    code, out, err = run("check", *files())
    assert (code, err) == (0, "")
    for part in ("2 cases judged", "0 regressed", "acceptable.json", "result.json", "8 decisions"):
        assert part in out


@pytest.mark.parametrize("signal", ["latency", "instructions"])
def test_a_costlier_case_is_named(run: Run, files: Files, signal: str) -> None:
    """Exit code 1, for each of the signals; the other case is not accused."""
    slow = made({TWO: 1.3})
    code, out, _ = run("check", *files(slow), "--signals", signal)
    assert code == 1
    assert f"REGRESSED  {TWO.name}" in out
    assert ONE.name not in out
    assert "1 regressed" in out


def test_a_cheaper_case_is_listed_and_no_failure(run: Run, files: Files) -> None:
    """An improvement is news, also with --strict."""
    code, out, _ = run("check", *files(made({ONE: 0.5})), "--strict")
    assert code == 0
    assert f"improved  {ONE.name}" in out


@pytest.mark.parametrize(("options", "expected"), [((), 0), (("--strict",), 3)])
def test_what_is_not_measured_fails_a_strict_build_only(
    run: Run, files: Files, options: tuple[str, ...], expected: int
) -> None:
    """A case that vanished is named either way."""
    result = made()
    gone = replace(result, cases=(make_record(ONE), make_record(TWO, "broken", "ran twice")))
    code, out, _ = run("check", *files(gone), *options)
    assert code == expected
    assert "broken: ran twice" in out
    assert TWO.name in out


def test_a_file_that_is_borderline_stays_inconclusive(run: Run, files: Files) -> None:
    """A stored file has no fresh workers to give; it is not passed in silence."""
    edge = made({TWO: 1.1})
    code, out, _ = run("check", *files(edge), "--signals", "latency", "--strict")
    assert code == 3
    assert f"inconclusive  {TWO.name}" in out


def test_a_machine_that_was_rarely_at_its_best_measured_nothing(run: Run, files: Files) -> None:
    """A range is of a machine at its best speed, so nothing else is held against it."""
    result = made()
    workers = []
    for index, worker in enumerate(result.workers):
        reference = worker.reference
        slow = replace(reference, elapsed_ns=tuple(2 * each for each in reference.elapsed_ns))
        beside = tuple(range(len(reference.elapsed_ns)))
        timed = {name: replace(each, beside=beside) for name, each in worker.operations.items()}
        paced = reference if index < FEWEST - 1 else slow
        workers.append(replace(worker, reference=paced, operations=timed))
    rare = files(replace(result, workers=tuple(workers)))
    code, out, _ = run("check", *rare, "--signals", "latency")
    assert code == 2
    assert f"fewer than {FEWEST} workers measured it at the machine's best speed" in out
    assert run("check", *rare)[0] == 0  # the other signals are judged all the same
    assert run("check", *rare, "--strict")[0] == 3


def test_when_nothing_is_judged_the_exit_code_is_2(run: Run, files: Files) -> None:
    """A build that measured nothing of what it should is no success."""
    result = made()
    lost = replace(
        result, cases=tuple(make_record(value, "failed", "hung") for value in (ONE, TWO))
    )
    code, out, _ = run("check", *files(lost))
    assert code == 2
    assert "nothing was judged" in out


def test_selectors_choose_what_is_judged(run: Run, files: Files) -> None:
    """A regression elsewhere is not asked about."""
    slow = files(made({TWO: 1.3}))
    assert run("check", ONE.name, *slow)[0] == 0
    assert run("check", TWO.name, *slow)[0] == 1


def test_selectors_that_match_nothing_are_refused(run: Run, files: Files) -> None:
    """Neither in a stored file nor in the suite."""
    assert_refused(run("check", "nonsense.*", *files()), "has no case that matches 'nonsense.*'")
    reported = run(
        "check", "nonsense.*", "--baseline", "acceptable.json", "--signals", "allocations"
    )
    assert_refused(reported, "no case matches 'nonsense.*'")


def test_reports_are_written_beside_the_output(run: Run, files: Files, tmp_path: Path) -> None:
    """JUnit names the failure, Markdown the case, the annotation is an error."""
    options = ("--junit", "out.xml", "--markdown", "out.md", "--annotations", "github")
    code, out, _ = run("check", *files(made({TWO: 1.3})), *options)
    assert code == 1
    root = ET.parse(tmp_path / "out.xml").getroot()
    failed = [each for each in root.iter("testcase") if each.find("failure") is not None]
    assert failed
    assert all(TWO.name in str(each.attrib) for each in failed)
    assert TWO.name in (tmp_path / "out.md").read_text()
    assert [line for line in out.splitlines() if line.startswith("::error title=REGRESSED")]


@pytest.mark.parametrize("option", ["--junit", "--markdown"])
def test_a_report_that_cannot_be_written_is_found_first(
    run: Run, files: Files, option: str
) -> None:
    """Nothing is measured or judged when nobody could read of it."""
    assert_refused(run("check", *files(), option, "/proc/x/y"), "/proc/x/y")


def test_explain_shows_the_steps(run: Run, files: Files) -> None:
    """How each decision came about, for the wanted case; the exit code stays that of all."""
    code, out, _ = run("check", *files(made({TWO: 1.3})), "--explain", ONE.name)
    assert code == 1
    assert f"within  {ONE.name}  latency" in out
    assert "screening, level" in out
    assert "1 process: 10,000; acceptable" in out


def test_explaining_what_is_not_judged_loses_no_judgement(run: Run, files: Files) -> None:
    """A typing error is named, with cases that there are; the judgement is shown all the same."""
    code, out, err = run("check", *files(made({TWO: 1.3})), "--explain", f"{ONE.name}x")
    assert code == 1
    assert f"REGRESSED  {TWO.name}" in out
    assert f"--explain '{ONE.name}x': no case of that name was judged" in err
    assert f"(close: {ONE.name}" in err


def test_a_selector_that_the_file_lacks_names_the_file_and_what_it_has(
    run: Run, files: Files
) -> None:
    """The suite may have the case: it is the file that does not."""
    reported = run("check", *files(), "control.call")
    has = f"result.json has no case that matches 'control.call'; it has 2 cases: {ONE.name}, "
    assert_refused(reported, has, "resilience-bench show result.json")
    assert "list" not in reported[2]
    assert f"(close: {ONE.name}" in run("check", *files(), f"{ONE.name}x")[2]
