"""``run --drift``: what is asked of a worker, printed and written; and real workers that grow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from resilience_bench._model import CaseInfo, DriftPoints
from resilience_bench.cli import main
from resilience_bench.files import results
from resilience_bench.measure.launcher import (
    Launcher,
    ProcessLauncher,
    ScriptedLauncher,
    WorkerFailedError,
)
from resilience_bench.worker.protocol import DriftMessage, Message, Plan, StatusMessage
from tests.drift_factories import POINTS, make_points
from tests.scripted import CONTROL, Script, info, suite

CASES = [info("closed", "pybreaker"), info("closed", "purgatory"), info("first", family="retry")]
PYBREAKER, PURGATORY, RETRY = (each.case.name for each in CASES)
LEAKY = make_points(blocks_per_call=1.0, bytes_per_call=48.0)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in an empty folder; returns exit code, output and error output."""
    monkeypatch.chdir(tmp_path)

    def running(
        *arguments: str, script: Script | None = None, launcher: Launcher | None = None
    ) -> tuple[int, str, str]:
        monkeypatch.setattr(main, "LAUNCHER", launcher or ScriptedLauncher(script or drifting()))
        code = main.main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return running


def drifting(
    points: dict[str, DriftPoints] | None = None,
    plans: list[Plan] | None = None,
    cases: Iterable[CaseInfo] = CASES,
) -> Script:
    """A worker that keeps cases going; purgatory leaks unless something else is said."""
    reported = {PURGATORY: LEAKY} if points is None else points

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        if plan.action == "discover":
            return suite(cases)(plan, seed)
        if plan.action == "drift" and plans is not None:
            plans.append(plan)
        [name] = plan.cases
        ready = StatusMessage(name, "ready", control=CONTROL)
        return [ready, DriftMessage(name, reported.get(name, make_points()))]

    return script


def test_a_case_that_grows_is_named_and_the_file_holds_its_points(run: Run, tmp_path: Path) -> None:
    """One worker a case; the table has a verdict for each, and the file every point."""
    plans: list[Plan] = []
    code, out, err = run("run", "--drift", "90", "-o", "out.json", script=drifting(plans=plans))
    assert code == 0
    assert [plan.cases for plan in plans] == [(PYBREAKER,), (PURGATORY,), (RETRY,)]
    assert {(each.drift_s, each.check) for each in plans} == {(90.0, True)}
    assert all(each.time_limit_s > 90 for each in plans)
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "steady" in lines["pybreaker"]
    assert "MEMORY GROWS" in lines["purgatory"]
    assert "+1,000" in lines["purgatory"]
    assert "results: out.json" in out
    assert "keeping 3 cases going for 90 s each" in err
    assert f"measured: latency of {PURGATORY}, worker 1" in err
    result = results.read(tmp_path / "out.json")
    assert (result.complete, result.signals, result.profile) == (True, ("drift",), "90 s a case")
    assert {drift.case: drift.points for drift in result.drifts}[PURGATORY] == LEAKY


@pytest.mark.parametrize("form", ["table", "markdown", "json"])
def test_show_says_the_same_in_every_format(run: Run, form: str) -> None:
    """The verdicts are in each of them, and stand out without colour."""
    run("run", "--drift", "1", "-o", "out.json")
    code, out, _ = run("show", "out.json", "--format", form)
    assert code == 0
    if form != "json":
        assert out.count("MEMORY GROWS") == 1
        assert out.count("steady") == 2
        return
    drifts = {each["case"]: each for each in json.loads(out)["drifts"]}
    assert {drift["verdict"] for drift in drifts.values()} == {"steady", "memory grows"}
    assert drifts[PURGATORY]["blocks_per_thousand_calls"]["value"] == pytest.approx(1000)
    assert drifts[PURGATORY]["points"] == POINTS


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--drift", "0.5"), ("--drift", "0.5", "run --help")),
        (("--drift", "soon"), ("soon", "run --help")),
        (("--drift", "5", "--signals", "latency"), ("--drift", "--signals", "leave one")),
        (("--drift", "5", "--profile", "concurrency"), ("--profile concurrency", "leave one")),
        (("--drift", "5", "-o", "/proc/x/y.json"), ("/proc/x/y.json",)),
        (("--drift", "5", "nonsense.*"), ("no case matches", "resilience-bench list")),
    ],
)
def test_what_cannot_be_kept_going_is_refused_in_one_line(
    run: Run, arguments: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    """Exit code 2, before any worker is started for it."""
    code, out, err = run("run", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    for part in parts:
        assert part in err


def test_cases_under_a_load_are_refused(run: Run, tmp_path: Path) -> None:
    """The line names the case, and what to type instead; nothing is written."""
    threads = [CaseInfo(each.case, each.path, loads=("threads",)) for each in CASES]
    pattern = "breaker.closed[pybreaker,threads-4]"
    script = drifting(cases=threads)
    code, out, err = run("run", "--drift", "5", pattern, "-o", "out.json", script=script)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"found {pattern}; type '{PYBREAKER}'" in err
    assert not (tmp_path / "out.json").exists()


def test_a_case_that_fails_costs_only_itself(run: Run, tmp_path: Path) -> None:
    """A crash is reported, what was seen before a failure is shown, and the rest goes on."""

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        if plan.cases == (PYBREAKER,):
            raise WorkerFailedError("was ended by SIGSEGV", suspect=PYBREAKER)
        said = [*drifting()(plan, seed)]
        if plan.cases == (PURGATORY,):
            said.append(StatusMessage(PURGATORY, "failed", "measuring it raised ValueError: full"))
        return said

    code, out, _ = run("run", "--drift", "5", "-o", "out.json", script=script)
    assert code == 1
    assert "failed: its worker was ended by SIGSEGV" in out
    assert "MEMORY GROWS" in out
    assert "ValueError: full" in out
    stored = results.read(tmp_path / "out.json")
    assert [case.status for case in stored.cases] == ["failed", "failed", "measured"]
    assert [drift.case for drift in stored.drifts] == [PURGATORY, RETRY]


def test_a_worker_that_says_nothing_is_no_success(run: Run) -> None:
    """A case without points is not called measured."""

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        if plan.action == "discover":
            return suite(CASES[:1])(plan, seed)
        return [StatusMessage(PYBREAKER, "ready")]

    code, out, _ = run("run", "--drift", "5", "-o", "out.json", script=script)
    assert code == 2
    assert "failed: its worker reported nothing about it" in out


def test_ctrl_c_keeps_the_cases_that_were_finished(run: Run, tmp_path: Path) -> None:
    """The file has their points, and the others as interrupted; the exit code is 130."""

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        if plan.cases == (RETRY,):
            raise KeyboardInterrupt
        return drifting()(plan, seed)

    code, out, err = run("run", "--drift", "5", "-o", "out.json", script=script)
    assert code == 130
    assert "interrupted; what was measured is in out.json" in err
    assert "MEMORY GROWS" in out
    stored = results.read(tmp_path / "out.json")
    assert not stored.complete
    assert [case.status for case in stored.cases] == ["measured", "measured", "interrupted"]


GROWING = """
import itertools
from resilience_bench import Unsupported, scenario

@scenario
def keeps(payload):
    "Keeps something of each call, as a log without an end does."
    kept = []
    def operation():
        kept.append(object())
        return payload()
    return operation

@scenario
def slows(payload):
    "Looks through more at each call."
    turns = itertools.count()
    def operation():
        for _ in itertools.repeat(None, next(turns) // 100):
            pass
        return payload()
    return operation

@scenario
async def waits(payload):
    return payload

@scenario
def gives_up(payload):
    turns = itertools.count()
    def operation():
        if next(turns) > 100_000:
            raise ValueError("enough")
        return payload()
    return operation

@scenario
def impossible(payload):
    raise Unsupported("there is no such thing")
"""


def test_real_workers_find_what_grows(run: Run, tmp_path: Path) -> None:
    """A list that is appended to is growing memory, a loop that gets longer is a growing cost."""
    (tmp_path / "mine.py").write_text(GROWING)
    code, out, _ = run(
        "run", "--drift", "2", "mine.py", "-o", "out.json", launcher=ProcessLauncher()
    )
    assert code == 1
    _, shown, _ = run("show", "out.json", "--format", "json")
    drifts = {each["case"].partition(".")[2]: each for each in json.loads(shown)["drifts"]}
    assert drifts["keeps"]["verdict"] in {"memory grows", "cost and memory grow"}
    assert drifts["keeps"]["blocks_per_thousand_calls"]["value"] == pytest.approx(1000, rel=0.05)
    assert drifts["slows"]["verdict"] == "cost grows"
    assert drifts["waits"]["blocks_per_thousand_calls"]["value"] == pytest.approx(0, abs=1)
    assert "there is no such thing" in json.dumps(json.loads(shown)["cases"])
    assert "measuring it raised ValueError: enough" in out
    statuses = {case.case.scenario: case.status for case in results.read(Path("out.json")).cases}
    assert statuses == {
        "keeps": "measured",
        "slows": "measured",
        "waits": "measured",
        "gives_up": "failed",
        "impossible": "not available",
    }


def test_what_is_typed_goes_before_the_defaults_of_a_project(run: Run) -> None:
    """A typed --drift before its signals, typed signals before its drift; two defaults clash."""
    settings, table = Path("pyproject.toml"), "[tool.resilience-bench.run]\n"
    settings.write_text(f'{table}signals = "latency"')
    assert run("run", PYBREAKER, "--drift", "1", "-o", "typed.json")[0] == 0
    assert results.read(Path("typed.json")).signals == ("drift",)
    settings.write_text(f"{table}drift = 1")
    assert run("run", PYBREAKER, "-o", "set.json")[0] == 0
    assert results.read(Path("set.json")).signals == ("drift",)
    latency = ("--signals", "latency", "-o", "latency.json")
    assert run("run", PYBREAKER, *latency, script=suite(CASES))[0] == 0
    assert results.read(Path("latency.json")).signals == ("latency",)
    settings.write_text(f'{table}drift = 1\nsignals = "latency"')
    code, out, err = run("run", PYBREAKER)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--drift measures the cost and the memory of one caller" in err
