"""``run --profile chaos``: what is selected, refused, written and shown; and no gate judges it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from resilience_bench._model import CaseInfo, RealPayload
from resilience_bench.cli import main
from resilience_bench.files import results
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.scenarios.loads import PAYLOADS
from resilience_bench.servers.open_servers import Servers
from resilience_bench.worker.protocol import Message, OutageMessage, Plan, StatusMessage
from tests.cli.factories import assert_one_line
from tests.outage_factories import NAMES, make_outage, make_outage_result
from tests.scripted import CONTROL, info, suite

Run = Callable[..., tuple[int, str, str]]
REAL = (RealPayload("redis", "redis", ("redis",)), RealPayload("outage", "flaky-redis", ("redis",)))


def declared(scenario: str, family: str, library: str, *profile: str) -> CaseInfo:
    """A case that real payloads can be put inside of, or not."""
    real = () if scenario == "rejects" else REAL
    return replace(
        info(scenario, library, family),
        loads=("threads",),
        payloads=(*PAYLOADS, *(payload.name for payload in real)),
        real_payloads=real,
        in_profile=profile,
        by_default="chaos" not in profile,
    )


CASES = [
    declared("read", "chaos", "pybreaker", "chaos"),
    declared("read", "chaos", "purgatory", "chaos"),
    declared("closed", "breaker", "pybreaker", "threads"),
    declared("rejects", "breaker", "pybreaker"),
]


@pytest.fixture
def plans() -> list[Plan]:
    """The plans of outages."""
    return []


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    plans: list[Plan],
) -> Run:
    """Runs a command in an empty folder; returns exit code, output and error output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Servers, "find_address", lambda _self, name: f"address of {name}")
    monkeypatch.setattr(Servers, "get_address", lambda _self, name: f"address of {name}")

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        if plan.action != "outage":
            return suite(CASES)(plan, seed)
        plans.append(plan)
        [name] = plan.cases
        return [StatusMessage(name, "ready", control=CONTROL), OutageMessage(name, make_outage())]

    def running(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(main, "LAUNCHER", ScriptedLauncher(script))
        code = main.main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return running


CHAOS = ("run", "--profile", "chaos", "-o", "out.json")


def test_cases_that_ask_for_it_go_through_an_outage(
    run: Run, plans: list[Plan], tmp_path: Path
) -> None:
    """By default those alone; the table has every phase, and the file every request."""
    code, out, err = run(*CHAOS)
    assert code == 0
    names = [f"chaos.read[{library},outage]" for library in ("pybreaker", "purgatory")]
    assert [plan.cases for plan in plans] == [(name,) for name in names]
    for name in (*NAMES, "all phases", "in all"):
        assert f"chaos.read: {name}" in out
    assert "putting 2 cases through an outage" in err
    result = results.read(tmp_path / "out.json")
    assert (result.profile, result.signals, result.complete) == ("chaos", ("outage",), True)
    assert [record.case for record in result.outages] == names
    assert result.outages[0].outage == make_outage()


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("chaos.*", ["chaos.read[pybreaker,outage]", "chaos.read[purgatory,outage]"]),
        ("*[pybreaker,outage]", ["chaos.read[pybreaker,outage]"]),
        ("chaos.read[purgatory,outage]", ["chaos.read[purgatory,outage]"]),
        ("breaker.closed", ["breaker.closed[pybreaker,outage]"]),
        ("*purgatory*", ["chaos.read[purgatory,outage]"]),
    ],
)
def test_patterns_select_as_everywhere(
    run: Run, plans: list[Plan], pattern: str, names: list[str]
) -> None:
    """With the payload's name or without; a scenario that does not ask can be named."""
    if pattern == "*[pybreaker,outage]":
        pattern = "chaos.*[pybreaker,outage]"
    code, _, err = run(*CHAOS, pattern)
    assert code == 0, err
    assert [name for plan in plans for name in plan.cases] == names


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (
            (*CHAOS, "chaos.*", "breaker.closed"),
            ("apart from other cases, found breaker.closed[pybreaker,outage]",),
        ),
        (
            (*CHAOS, "chaos.*", "breaker.closed[pybreaker,threads-4,io]"),
            ("apart from other cases, found breaker.closed[pybreaker,threads-4,io]",),
        ),
        (
            (*CHAOS, "chaos.read[pybreaker,redis]"),
            ("found chaos.read[pybreaker,redis]", "in a run of their own"),
        ),
        ((*CHAOS, "breaker.rejects"), ("breaker.rejects[pybreaker]: expected plain functions",)),
        ((*CHAOS, "chaos.read[pybreaker,threads-4,outage]"), ("no case matches",)),
        (
            ("run", "chaos.read[pybreaker,outage]", "breaker.closed"),
            ("found chaos.read[pybreaker,outage]", "run --profile chaos"),
        ),
        (("run", "breaker.closed[pybreaker,outage]"), ("run --profile chaos",)),
        (("run", "chaos.*"), ("chaos.read[pybreaker]", "run --profile chaos")),
        (("run", "breaker.closed", "chaos.*"), ("chaos.read[pybreaker]", "name no others")),
        (("run", "--profile", "real", "chaos.read[*,outage]"), ("run --profile chaos",)),
        (("compare", ".", "git:HEAD", "chaos.*"), ("run --profile chaos",)),
        ((*CHAOS, "--signals", "latency"), ("cannot be combined with --signals",)),
        ((*CHAOS, "--python", "python3"), ("cannot be combined with --signals, --python",)),
        ((*CHAOS, "--drift", "3"), ("--drift", "--profile concurrency or chaos")),
    ],
)
def test_a_mixture_is_refused_in_one_line(
    run: Run, plans: list[Plan], arguments: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    """Outages and other cases have profiles of their own; nothing is measured."""
    code, out, err = run(*arguments)
    assert (code, out, plans) == (2, "", [])
    assert_one_line(err, *parts)


def test_other_profiles_leave_cases_of_outages_out(run: Run, tmp_path: Path) -> None:
    """A wildcard that fits others as well, and no selector, mean the others."""
    for patterns in ((), ("*[pybreaker]",)):
        code, _, err = run("run", "--signals", "latency", "-o", "out.json", *patterns)
        assert code == 0, err
        names = {record.case.group for record in results.read(tmp_path / "out.json").cases}
        assert names == {"breaker.closed", "breaker.rejects"}


def test_cases_of_outages_are_listed(run: Run) -> None:
    """With all others."""
    code, out, _ = run("list", "chaos.*")
    assert code == 0
    assert "chaos.read[pybreaker]" in out


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Two results files of outages."""
    results.write(make_outage_result(), tmp_path / "one.json")
    results.write(make_outage_result(started="2026-01-03T03:30:00+00:00"), tmp_path / "two.json")
    return ["one.json", "two.json"]


def test_gates_have_nothing_to_judge(run: Run, files: list[str], tmp_path: Path) -> None:
    """That is no error, and written reports say so."""
    for arguments in (("check", "--result", files[0]), ("compare", *files)):
        code, out, err = run(*arguments, "--markdown", "out.md", "--junit", "out.xml")
        assert (code, err) == (0, "")
        assert "outages, of which nothing is judged" in out
        assert "nothing is judged" in (tmp_path / "out.md").read_text()
        assert (tmp_path / "out.xml").exists()


@pytest.mark.parametrize("form", ["table", "markdown", "json"])
def test_a_file_of_outages_is_shown(run: Run, files: list[str], form: str) -> None:
    """In every format, with every phase."""
    code, out, _ = run("show", files[0], "--format", form)
    assert code == 0
    for name in NAMES:
        assert name in out


def test_a_file_of_outages_is_drawn_and_reported(run: Run, files: list[str]) -> None:
    """One picture, as a file and in the page; there is nothing to export."""
    assert run("plot", files[0], "-o", "pictures")[1].count("outage-breaker.closed_success") == 2
    assert run("report", files[0], "-o", "out.html")[0] == 0
    assert run("report", files[0], "--against", files[1], "-o", "both.html")[0] == 0
    code, _, err = run("export", files[0], "-o", "out.json")
    assert code == 2
    assert_one_line(err, "no export holds long runs or outages")
