"""The commands that judge, with scripted workers and real files: what is said, which exit code."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from resilience_bench._model import Baseline, Case, Counts, Environment, Result, Samples
from resilience_bench.cli import compare, main
from resilience_bench.environments.fingerprint import detect_environment
from resilience_bench.environments.variants import Variant
from resilience_bench.files import results
from resilience_bench.gate import baseline, comparison, learning
from resilience_bench.measure import callgrind
from resilience_bench.measure.counting import SIGNALS
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.measure.session import PROFILES, Profile
from resilience_bench.quantities import JUDGED
from resilience_bench.stats.latency import estimate
from resilience_bench.stats.trimmed_t import FEWEST
from resilience_bench.worker.protocol import (
    CountsMessage,
    Message,
    Plan,
    SamplesMessage,
    StatusMessage,
    WeightMessage,
)
from tests.factories import (
    make_allocations,
    make_case,
    make_environment,
    make_instructions,
    make_record,
    make_weight,
    measured_result,
)
from tests.scripted import Script, info, suite

CASES = [info("closed", "pybreaker"), info("closed", "purgatory"), info("first", family="retry")]
PYBREAKER, PURGATORY, RETRY = (each.case.name for each in CASES)
ONE, TWO = make_case("one"), make_case("two")
Run = Callable[..., tuple[int, str, str]]


def noisy(times: Mapping[str, float] | None = None, wrong: Iterable[Message] = ()) -> Script:
    """A worker of a machine that is not always as fast: 1 us a case, or so many times that.

    What is wrong takes the place of whatever it would have said of these cases.
    """
    factors = times or {}
    statuses = {each.case: each for each in wrong if isinstance(each, StatusMessage)}

    def told(message: Message, seed: int) -> Message:
        if isinstance(message, SamplesMessage) and message.kind == "operation":
            call_ns = 1000 * factors.get(message.name, 1.0) * (1 + seed % 7 / 500)
            return replace(message, samples=Samples(100, (round(100 * call_ns),) * 4))
        return message

    def script(plan: Plan, seed: int) -> list[Message]:
        if plan.action == "discover":
            return list(suite(CASES)(plan, seed))
        fine = replace(plan, cases=tuple(name for name in plan.cases if name not in statuses))
        said = [told(message, seed) for message in suite(CASES)(fine, seed)]
        return [*said, *(each for name, each in statuses.items() if name in plan.cases)]

    return script


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in a folder with baselines; returns exit code, output and error output."""
    monkeypatch.chdir(tmp_path)
    # Without a folder of its own the checkout's would be used, and written to.
    (tmp_path / "baselines").mkdir()
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(callgrind, "explain_unavailability", lambda: "")
    monkeypatch.setitem(PROFILES, "quick", Profile("quick", workers=6, samples=4))

    def running(*arguments: object, script: Script | None = None) -> tuple[int, str, str]:
        monkeypatch.setattr(main, "LAUNCHER", ScriptedLauncher(script or noisy()))
        code = main.main([str(each) for each in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return running


def assert_refused(told: tuple[int, str, str], *parts: str) -> None:
    """Exit code 2, nothing on the output, and one line without a traceback that says these."""
    code, out, err = told
    assert (code, out) == (2, "")
    [line] = [each for each in err.splitlines() if each.startswith("resilience-bench")]
    assert "Traceback" not in err
    for part in parts:
        assert part in line


def made(factors: Mapping[Case, float] | None = None, **more: Any) -> Result:
    """A result of two cases with all signals, as fast as ever or so many times slower."""
    slower = factors or {}
    times = {ONE: 1000.0 * slower.get(ONE, 1.0), TWO: 2000.0 * slower.get(TWO, 1.0)}
    result = measured_result(times, workers=14, spread=0.005)
    counts = {case: round(10 * each) for case, each in times.items()}
    parts: dict[str, Any] = {
        "signals": SIGNALS,
        "instructions": (make_instructions(counts),),
        "allocations": (make_allocations(dict.fromkeys(times, make_weight())),),
    }
    return replace(result, **{**parts, **more})


def learned(*runs: Result) -> Baseline:
    """What is learned of runs, or of three healthy ones."""
    return learning.learn([(each, estimate(each)) for each in runs or [made()] * 3], "first")


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., tuple[str, ...]]:
    """Writes a result and a baseline; returns the options that name them."""

    def writing(
        result: Result | None = None, acceptable: Baseline | None = None
    ) -> tuple[str, ...]:
        results.write(result or made(), tmp_path / "result.json")
        baseline.write(acceptable or learned(), tmp_path / "acceptable.json")
        return ("--result", "result.json", "--baseline", "acceptable.json")

    return writing


Files = Callable[..., tuple[str, ...]]

# check --result


def test_a_healthy_result_is_within(run: Run, files: Files) -> None:
    """Exit code 0; the output says what was held against what."""
    code, out, err = run("check", *files())
    assert (code, err) == (0, "")
    for part in ("2 cases judged", "0 regressed", "acceptable.json", "result.json", "8 decisions"):
        assert part in out


@pytest.mark.parametrize("signal", ["latency", "instructions"])
def test_a_dearer_case_is_named(run: Run, files: Files, signal: str) -> None:
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
    lost = replace(result, cases=tuple(make_record(each, "failed", "hung") for each in (ONE, TWO)))
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
    assert_refused(run("check", "nonsense.*", *files()), "no case matches 'nonsense.*'")
    told = run("check", "nonsense.*", "--baseline", "acceptable.json", "--signals", "allocations")
    assert_refused(told, "no case matches 'nonsense.*'")


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


# Baselines and budgets that cannot be used


def test_without_a_baseline_nothing_is_measured(run: Run) -> None:
    """Which file was expected, and what to type."""

    def script(plan: Plan, seed: int) -> list[Message]:
        pytest.fail("a worker was started")

    name = f"{baseline.make_environment_name(detect_environment())}.json"
    assert_refused(run("check", script=script), name, "type 'resilience-bench baseline learn'")
    assert_refused(run("check", "--baseline", "none.json", script=script), "none.json")


def cut_short(text: str) -> str:
    """Half a file."""
    return text[: len(text) // 2]


def not_finite(text: str) -> str:
    """A number that is none."""
    return text.replace('"spread": 0.0', '"spread": NaN', 1)


def inverted(text: str) -> str:
    """A range whose upper end lies below its lower one."""
    stored = json.loads(text)
    each = stored["ranges"][ONE.name]["ratio"]
    each["low"], each["high"] = each["high"], each["low"]
    return json.dumps(stored)


def of_the_future(text: str) -> str:
    """A file of a version that nobody has written yet."""
    return text.replace('"schema": 1', '"schema": 99', 1)


@pytest.mark.parametrize("damage", [cut_short, not_finite, inverted, of_the_future, lambda _: ""])
def test_a_damaged_baseline_is_refused(
    run: Run, files: Files, tmp_path: Path, damage: Callable[[str], str]
) -> None:
    """One line names the file, and the file stays as it is."""
    options = files()
    path = tmp_path / "acceptable.json"
    before = path.read_text()
    path.write_text(damage(before))
    assert path.read_text() != before
    assert_refused(run("check", *options), "acceptable.json")
    assert path.read_text() == damage(before)


@pytest.mark.parametrize("content", ["", "{", '{"schema": 99}', "not json"])
def test_a_damaged_result_is_refused(run: Run, files: Files, tmp_path: Path, content: str) -> None:
    """One line names the file."""
    options = files()
    (tmp_path / "result.json").write_text(content)
    assert_refused(run("check", *options), "result.json")


@pytest.mark.parametrize(
    ("differs", "said", "left"),
    [
        ({"cpu_model": "Other"}, "cpu_model: baseline 'Other'", "instructions,allocations"),
        ({"python_build": "other"}, "python_build: baseline 'other'", "latency,allocations"),
    ],
)
def test_a_foreign_baseline_is_refused_unless_what_compares_is_asked_for(
    run: Run, files: Files, differs: dict[str, str], said: str, left: str
) -> None:
    """What differs, and which signals compare all the same; typing those helps."""
    foreign = replace(learned(), environment=make_environment(**differs))
    options = files(None, foreign)
    assert_refused(run("check", *options), said, f"type --signals {left}")
    code, out, _ = run("check", *options, "--signals", left)
    assert code == 0
    assert "is not judged: not asked for" in out


def test_a_baseline_of_another_python_has_nothing_to_compare(run: Run, files: Files) -> None:
    """Every signal depends on it, so learning is what is left."""
    foreign = replace(learned(), environment=make_environment(python="CPython 3.99.1"))
    told = run("check", *files(None, foreign))
    assert_refused(told, "python: baseline 'CPython 3.99", "baseline learn")


def budget(tmp_path: Path, text: str) -> Path:
    """A file of budgets with one table."""
    path = tmp_path / "baselines" / "budgets.toml"
    path.write_text(f'[[budget]]\ncases = "breaker.*"\nreason = "fast enough"\n{text}\n')
    return path


def test_a_budget_is_judged_beside_the_ranges(run: Run, files: Files, tmp_path: Path) -> None:
    """Its default place is beside the baselines; breaking it is exit code 1, keeping it is 0."""
    options = files()
    budget(tmp_path, "instructions = 50_000")
    assert run("check", *options)[0] == 0
    path = budget(tmp_path, "instructions = 15_000")
    code, out, _ = run("check", *options, "--budgets", path)
    assert code == 1
    assert f"REGRESSED  {TWO.name}" in out
    assert "budget breaker.*: fast enough" in out


@pytest.mark.parametrize("limit", ["overhead_us = 5", "overhead_ns = -1", "", "latency_ns = nan"])
def test_a_budget_that_makes_no_sense_is_refused(
    run: Run, files: Files, tmp_path: Path, limit: str
) -> None:
    """One line with the file, the table and the units that there are."""
    budget(tmp_path, limit)
    assert_refused(run("check", *files()), "budgets.toml", "budget[0]")
    assert_refused(run("check", *files(), "--budgets", "none.toml"), "none.toml")


# Budgets alone


def test_budgets_alone_are_judged_where_there_is_no_baseline(run: Run, tmp_path: Path) -> None:
    """Whoever names the file of budgets gets by without a baseline, and is told so."""
    path = budget(tmp_path, "overhead_ns = 2000")
    code, out, _ = run("check", "--budgets", path, "-o", "mine.json")
    assert code == 0
    assert "budgets alone are judged, for there is no baseline of this environment" in out
    assert "2 cases judged: 0 regressed" in out
    held = results.read(tmp_path / "mine.json")
    assert held.signals == ("latency",)  # nothing else is limited
    code, out, _ = run("check", "--budgets", path, script=noisy({PURGATORY: 5.0}))
    assert code == 1
    assert f"REGRESSED  {PURGATORY}" in out


def test_a_baseline_may_be_left_out(run: Run, files: Files, tmp_path: Path) -> None:
    """--baseline none judges budgets alone, also those in their usual place, also of a file."""
    result, name, *_ = files(made({TWO: 1.3}))
    assert run("check", result, name, "--baseline", "acceptable.json")[0] == 1
    budget(tmp_path, "instructions = 50_000")
    code, out, _ = run("check", result, name, "--baseline", "none")
    assert code == 0
    assert "budgets alone are judged, as asked for" in out
    assert "budgets.toml" in out


def test_budgets_alone_that_match_nothing_are_refused(run: Run, tmp_path: Path) -> None:
    """Nothing is measured for nobody."""
    path = budget(tmp_path, "overhead_ns = 2000")
    code, _, err = run("check", "retry.*", "--budgets", path)
    assert code == 2
    assert "the budgets say nothing of the selected cases" in err
    assert run("check", "--baseline", "none", "retry.*")[0] == 2


def test_without_a_baseline_the_message_names_this_way(run: Run, tmp_path: Path) -> None:
    """The usual file of budgets is no wish to do without a baseline."""
    budget(tmp_path, "overhead_ns = 2000")
    assert_refused(run("check"), "judge budgets alone with --baseline none")


def test_budgets_that_match_no_selected_case_are_named(run: Run, files: Files) -> None:
    """A typing error in a pattern lets everything through, so it is told; it fails nobody."""
    path = Path("mine.toml")
    tables = [
        f'[[budget]]\ncases = "{each}"\nlatency_ns = 1e9\nreason = "why"\n'
        for each in ("breaker.*", "braeker.*", "retry.*")
    ]
    path.write_text("\n".join(tables))
    code, out, _ = run("check", *files(), "--budgets", path)
    assert code == 0
    assert "note: budgets that match no selected case: 'braeker.*', 'retry.*'" in out


# learn, and check with workers


def acceptable(tmp_path: Path) -> Path:
    """Where the baseline of this machine is."""
    return tmp_path / "baselines" / f"{baseline.make_environment_name(detect_environment())}.json"


def test_what_was_learned_is_what_check_finds(run: Run, tmp_path: Path) -> None:
    """A baseline of all cases and signals; then every case lies within its range."""
    code, out, _ = run("baseline", "learn", "--runs", 3, "--reason", "a new machine")
    assert code == 0
    path = acceptable(tmp_path)
    assert "3 cases from 3 runs" in out
    stored = baseline.read(path)
    assert set(stored.ranges) == {PYBREAKER, PURGATORY, RETRY}
    assert set(stored.ranges[RETRY]) == set(JUDGED) - {"scaling"}
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
    assert {tuple(each.operations) for each in held.workers[14:]} == {(PURGATORY,)}


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


def killing(action: str, seed: int) -> Script:
    """Workers of a command that somebody ends in the middle."""

    def script(plan: Plan, now: int) -> Iterable[Message]:
        if (plan.action, now) == (action, seed):
            os.kill(os.getpid(), signal.SIGTERM)
        return noisy()(plan, now)

    return script


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


def test_new_cases_are_told_and_do_not_fail(run: Run) -> None:
    """A case without a range has to be learned; nobody is red for it."""
    run("baseline", "learn", "retry.*", "--runs", 3)
    code, out, _ = run("check")
    assert code == 0
    assert "2 measured cases have no range yet" in out


def test_cases_of_which_nothing_is_acceptable_are_refused(run: Run) -> None:
    """Whoever selects only new cases is told to learn them."""
    run("baseline", "learn", "retry.*", "--runs", 3)
    code, _, err = run("check", "breaker.*")
    assert code == 2
    assert "say nothing of the selected cases" in err
    assert "baseline learn" in err


def test_learning_is_refused_when_ranges_get_looser(run: Run, tmp_path: Path) -> None:
    """Without --accept the old file stays to the byte; with it the reason is kept."""
    run("baseline", "learn", "--runs", 3)
    path = acceptable(tmp_path)
    before = path.read_bytes()
    slower = noisy({PURGATORY: 1.3})
    code, out, err = run("baseline", "learn", "--runs", 3, script=slower)
    assert code == 2
    assert f"looser or higher: {PURGATORY} ratio" in out
    assert "1 range would get looser" in err
    assert "--accept" in err
    assert path.read_bytes() == before
    code, _, _ = run("baseline", "learn", "--runs", 3, "--accept", "it does more", script=slower)
    assert code == 0
    stored = baseline.read(path)
    assert stored.ranges[PURGATORY]["ratio"].reason == "it does more"
    assert stored.ranges[PYBREAKER]["ratio"].reason == ""


def test_learning_cheaper_ranges_needs_no_reason(run: Run, tmp_path: Path) -> None:
    """What moves down is shown and written."""
    run("baseline", "learn", "--runs", 3)
    code, out, _ = run("baseline", "learn", "--runs", 3, script=noisy({PURGATORY: 0.5}))
    assert code == 0
    assert f"moves: {PURGATORY} ratio" in out
    assert baseline.read(acceptable(tmp_path)).ranges[PURGATORY]["ratio"].expected < 1.1


def test_learning_some_cases_or_signals_keeps_the_other_ranges(run: Run, tmp_path: Path) -> None:
    """Only what was measured is replaced."""
    run("baseline", "learn", "--runs", 3)
    before = baseline.read(acceptable(tmp_path))
    faster = noisy({PURGATORY: 0.5, PYBREAKER: 0.5})
    run("baseline", "learn", "*[purgatory*", "--signals", "latency", "--runs", 3, script=faster)
    after = baseline.read(acceptable(tmp_path))
    assert after.ranges[PYBREAKER] == before.ranges[PYBREAKER]
    assert after.ranges[PURGATORY]["instructions"] == before.ranges[PURGATORY]["instructions"]
    assert after.ranges[PURGATORY]["ratio"] != before.ranges[PURGATORY]["ratio"]


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("action", ["measure", "count"])
def test_learning_that_is_interrupted_leaves_the_old_file(
    run: Run, tmp_path: Path, action: str, *, exists: bool
) -> None:
    """Ctrl-C in the second run: no half of a baseline, and exit code 130."""
    path = acceptable(tmp_path)
    if exists:
        run("baseline", "learn", "--runs", 3)
    before = path.read_bytes() if exists else None
    seen = iter(range(100))

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        if plan.action == action and next(seen) >= (6 if action == "measure" else 1):
            raise KeyboardInterrupt
        return noisy({PURGATORY: 1.3})(plan, seed)

    code, _, err = run("baseline", "learn", "--runs", 3, script=script)
    assert code == 130
    assert "Traceback" not in err
    assert (path.read_bytes() if path.exists() else None) == before


def test_learning_of_nothing_is_refused(run: Run, tmp_path: Path) -> None:
    """A pattern without a case, and cases that cannot be measured."""
    assert_refused(run("baseline", "learn", "nonsense.*"), "no case matches")
    wrong = [StatusMessage(name, "broken", "odd") for name in (PYBREAKER, PURGATORY, RETRY)]
    code, _, err = run("baseline", "learn", "--runs", 1, script=noisy(wrong=wrong))
    assert code == 2
    assert "nothing was measured" in err
    assert not acceptable(tmp_path).exists()


# lint


def test_lint_finds_nothing_where_all_is_well(run: Run, tmp_path: Path) -> None:
    """Exit code 0 with a count."""
    run("baseline", "learn", "--runs", 3)
    budget(tmp_path, "overhead_ns = 5000")
    code, out, _ = run("baseline", "lint")
    assert (code, out) == (0, "1 baselines and 1 budgets, 0 findings\n")


def test_lint_finds_what_is_out_of_date(run: Run, tmp_path: Path) -> None:
    """A range without a case, a case without a range, a budget of nothing: exit code 1."""
    run("baseline", "learn", "--runs", 3)
    path = acceptable(tmp_path)
    stored = baseline.read(path)
    ranges = {name: each for name, each in stored.ranges.items() if name != RETRY}
    baseline.write(replace(stored, ranges={**ranges, "gone.case": stored.ranges[RETRY]}), path)
    budget(tmp_path, "overhead_ns = 5").write_text(
        '[[budget]]\ncases = "nobody.*"\noverhead_ns = 5\nreason = "why"\n'
    )
    code, out, _ = run("baseline", "lint")
    assert code == 1
    for part in ("gone.case has a range", RETRY, "'nobody.*' matches no case", "3 findings"):
        assert part in out


def test_lint_of_nothing_or_of_a_damaged_file_is_refused(run: Run, tmp_path: Path) -> None:
    """Exit code 2 in one line."""
    assert_refused(run("baseline", "lint"), "expected baselines and budgets, found none")
    acceptable(tmp_path).write_text("{")
    assert_refused(run("baseline", "lint"), acceptable(tmp_path).name)


# variants


def test_clean_removes_what_was_made(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how many environments there were, and where."""
    monkeypatch.setenv("RESILIENCE_BENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "variants" / "abc").mkdir(parents=True)
    code, out, _ = run("variants", "clean")
    assert code == 0
    assert out.startswith("1 environments removed")
    assert str(tmp_path / "cache") in out
    assert run("variants", "clean")[1].startswith("0 environments removed")


# compare

Compare = Callable[..., tuple[int, str, str]]


@pytest.fixture
def comparing(run: Run, monkeypatch: pytest.MonkeyPatch) -> Compare:
    """Compares BASE and HEAD, each with a script of its own, without any environment."""
    scripts: list[Script] = []

    class Stage:
        """Hands out the scripts in the order base, head, null."""

        def launcher(self, variant: Variant) -> ScriptedLauncher:
            return ScriptedLauncher(scripts.pop(0))

    @contextlib.contextmanager
    def stage() -> Iterator[Stage]:
        yield Stage()

    def make(text: str, needed: Iterable[str], **more: object) -> Variant:
        return Variant(text, Path(text), Path(text) / "bin" / "python", made=False, packages={})

    def environment_of(variant: Variant) -> Environment:
        return make_environment(packages={"variant": variant.text})

    monkeypatch.setattr(compare.variants, "make", make)
    monkeypatch.setattr(compare.variants, "query_environment", environment_of)
    monkeypatch.setattr(compare, "create_shared_path", stage)

    def comparing(
        *arguments: object,
        base: Script | None = None,
        head: Script | None = None,
        null: Script | None = None,
    ) -> tuple[int, str, str]:
        base = base or noisy()
        scripts[:] = [base, head or base, null or base]
        return run("compare", "before", "after", "-o", "out", *arguments)

    return comparing


def test_equal_variants_are_within(comparing: Compare, tmp_path: Path) -> None:
    """Exit code 0, and a complete results file of each arm with its own environment."""
    code, out, _ = comparing("--strict")
    assert code == 0
    assert "3 cases judged: 0 regressed" in out
    assert "before (BASE) against after (HEAD); results: out" in out
    held = {
        name: results.read(tmp_path / "out" / f"{name}.json") for name in ("base", "head", "null")
    }
    assert all(each.complete for each in held.values())
    packages = [each.environment.packages["variant"] for each in held.values()]
    assert packages == ["before", "after", "before"]
    screened = comparison.COMPARISON_POLICY.screen
    workers = {name: len(each.workers) for name, each in held.items()}
    assert workers == {"base": screened, "head": screened, "null": screened / 2}


def test_a_head_that_is_slower_is_red(comparing: Compare) -> None:
    """Exit code 1 names the case, and the reports say so as well."""
    code, out, _ = comparing("--annotations", "github", head=noisy({PURGATORY: 1.3}))
    assert code == 1
    assert f"REGRESSED  {PURGATORY}" in out
    assert f"REGRESSED  {PYBREAKER}" not in out
    assert "::error title=REGRESSED" in out


def test_a_tolerance_may_be_wider(comparing: Compare) -> None:
    """What is allowed is no regression."""
    head = noisy({PURGATORY: 1.3})
    assert comparing("--tolerance", 50, head=head)[0] == 0
    assert comparing("--tolerance", 20, head=head)[0] == 1


def test_a_base_that_differs_from_itself_makes_nothing_red(comparing: Compare) -> None:
    """A machine that changed its speed is noted; the case is inconclusive."""
    slower = noisy({PURGATORY: 1.3})
    code, out, _ = comparing("--signals", "latency", head=slower, null=slower)
    assert code == 0
    assert "null control: latency of BASE measured twice differs" in out
    assert f"inconclusive  {PURGATORY}" in out
    again = comparing("--signals", "latency", "--strict", head=slower, null=slower)
    assert again[0] == 3


def keeping(kept_bytes: float) -> Script:
    """Workers of a variant in which each call of one case leaves so much behind."""

    def script(plan: Plan, seed: int) -> list[Message]:
        return [
            replace(each, weight=replace(each.weight, kept_bytes=kept_bytes))
            if isinstance(each, WeightMessage) and each.case == PURGATORY
            else each
            for each in noisy()(plan, seed)
        ]

    return script


def counting(per_call: int) -> Script:
    """Workers of a variant in which one case takes so many instructions."""
    counts = Counts((10, 40), (10 * per_call, 40 * per_call))

    def script(plan: Plan, seed: int) -> list[Message]:
        return [
            replace(each, counts=counts)
            if isinstance(each, CountsMessage) and each.name == PURGATORY
            else each
            for each in noisy()(plan, seed)
        ]

    return script


def test_more_instructions_are_counted_again(comparing: Compare, tmp_path: Path) -> None:
    """Three processes of each variant have to say so before a build is red."""
    assert comparison.COMPARISON_POLICY.processes[0] == 3
    code, out, _ = comparing("--signals", "instructions", base=counting(900), head=counting(999))
    assert code == 1
    assert f"REGRESSED  {PURGATORY}" in out
    assert "all 3 processes say so" in out
    held = [results.read(tmp_path / "out" / f"{name}.json") for name in ("base", "head", "null")]
    counted = [sum(PURGATORY in each.operations for each in one.instructions) for one in held]
    assert counted == [3, 3, 2]


def test_a_leak_where_there_was_one_is_red(comparing: Compare) -> None:
    """Twice as many bytes that stay behind are a regression."""
    code, out, _ = comparing("--signals", "allocations", base=keeping(500), head=keeping(1000))
    assert code == 1
    assert f"REGRESSED  {PURGATORY}" in out


def test_a_leak_where_there_was_none_is_red(comparing: Compare) -> None:
    """BASE keeps nothing; a HEAD that does is a regression, and no missing number."""
    options = ("--signals", "allocations", "--junit", "out.xml", "--markdown", "out.md")
    code, out, _ = comparing(*options, "--annotations", "github", head=keeping(4096))
    assert code == 1
    assert f"REGRESSED  {PURGATORY}" in out


def test_what_only_one_variant_can_do_is_not_compared(comparing: Compare) -> None:
    """A case that HEAD breaks is named; one that neither has is left out."""
    neither = StatusMessage(RETRY, "not installed", "pip")
    base = noisy(wrong=[neither])
    head = noisy(wrong=[neither, StatusMessage(PURGATORY, "broken", "ran twice")])
    code, out, _ = comparing("--signals", "latency", base=base, head=head)
    assert code == 0
    assert "broken: ran twice" in out
    assert RETRY not in out


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
    monkeypatch.setattr(compare.time, "monotonic", lambda: clock[0])

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        clock[0] += 50.0 if plan.action == "count" else 0.0
        return noisy({PURGATORY: 1.03})(plan, seed)

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
    code, out, _ = comparing(head=noisy({PURGATORY: 1.01, PYBREAKER: 0.98}))
    assert code == 0
    table = out[out.index("3 cases judged: 0 regressed") :].splitlines()[2:]
    assert table[0].split() == ["within,", "changed", "most", "latency", "instructions"]
    assert [line.split()[0] for line in table[1:]] == [PYBREAKER, PURGATORY]
    assert re.search(r"-2\.0 % \(-[\d.]+ % to -[\d.]+ %\)", table[1])
    assert re.search(r"\+1\.0 % \(.*\)", table[2])
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
        assert {tuple(each.operations) for each in held.workers[:12]} == {
            ("mine.bare", "mine.framed")
        }
    assert len(list(ET.parse(tmp_path / "out.xml").getroot().iter("testcase"))) == 2
