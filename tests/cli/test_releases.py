"""The command releases, with a fake index, scripted workers and no environment."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from resilience_bench._model import CaseInfo, Counts, Environment
from resilience_bench.cli import main
from resilience_bench.cli import releases as cli_releases
from resilience_bench.environments import variants
from resilience_bench.environments.variants import Variant
from resilience_bench.errors import UserError, VariantError
from resilience_bench.files import results
from resilience_bench.measure import callgrind
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.measure.session import PROFILES, Profile
from resilience_bench.releases import history_file, prepare
from resilience_bench.releases.history_file import History
from resilience_bench.releases.index import PublishedRelease
from resilience_bench.releases.measure import POLICY
from resilience_bench.worker.protocol import (
    CountsMessage,
    Message,
    Plan,
    SamplesMessage,
    StatusMessage,
)
from tests.factories import make_environment
from tests.scripted import Script, info, samples, suite

VERSIONS = ("1.0", "1.1", "2.0rc1", "2.0", "2.1")
FINAL = ["1.0", "1.1", "2.0", "2.1"]
RETRY, DECORATED = (
    replace(info(scenario, "thing", family="retry"), distributions=("Thing",))
    for scenario in ("called", "decorated")
)
OTHER = replace(info("called", "other", family="retry"), distributions=("other",))
CASES: list[CaseInfo] = [RETRY, DECORATED, OTHER]
CALLED, DECORATION = RETRY.case.name, DECORATED.case.name
Run = Callable[..., tuple[int, str, str]]
Log = list[tuple[str, str, int, tuple[str, ...]]]


class FakeIndex:
    """Knows one package that cases need, and one that none does."""

    def releases(self, package: str) -> list[PublishedRelease]:
        """Its releases, half a year apart; nobody knows the date of the last one."""
        if package not in {"thing", "idle"}:
            message = f"{package}: no releases found; type 'pip index versions {package}'"
            raise UserError(message)
        dates = [f"202{number}-06-01T00:00:00+00:00" for number in range(len(VERSIONS))]
        return [PublishedRelease(*each) for each in zip(VERSIONS, dates, strict=True)]


def costing(factors: Mapping[str, float]) -> Script:
    """A release in which cases cost so many times as much, with half a per cent of noise."""

    def told(message: Message, seed: int) -> Message:
        if isinstance(message, SamplesMessage) and message.kind == "operation":
            noise = 1 + 0.005 * ((seed * 7919 + len(message.name)) % 7 - 3) / 3
            cost_ns = 1000 * factors.get(message.name, 1.0) * noise
            return replace(message, samples=samples(round(cost_ns), calls=1000))
        if isinstance(message, CountsMessage) and message.kind == "operation":
            cost = round(1000 * factors.get(message.name, 1.0))
            return replace(message, counts=Counts((10, 40), (10 * cost, 40 * cost)))
        return message

    return lambda plan, seed: [told(each, seed) for each in suite(CASES)(plan, seed)]


class Machine:
    """Releases by version: what each of them costs, and what was measured."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        self.log: Log = []
        self.broken: dict[str, str] = {}
        self.cpu = "Fast CPU"

    def launcher(self, variant: Variant) -> ScriptedLauncher:
        """What starts workers of a release."""
        version = variant.text.rpartition("==")[2]
        answer = self.scripts.get(version, costing({}))

        def script(plan: Plan, seed: int) -> Iterable[Message]:
            self.log.append((version, plan.action, seed, plan.cases))
            return answer(plan, seed)

        return ScriptedLauncher(script)

    @contextlib.contextmanager
    def stage(self) -> Iterator[Machine]:
        """It is its own stage."""
        yield self

    def make(self, text: str, needed: Iterable[str], **_: object) -> Variant:
        """An environment, unless it is broken."""
        version = text.rpartition("==")[2]
        if reason := self.broken.get(version):
            message = f"{text}: pip could not install it; it said: {reason}; expected others"
            raise VariantError(message)
        return Variant(text, Path(text), Path(text) / "bin" / "python", made=False, packages={})

    def environment_of(self, variant: Variant) -> Environment:
        """Where a release is measured."""
        packages = {"thing": variant.text.rpartition("==")[2], "other": "1.0"}
        return make_environment(packages=packages, cpu_model=self.cpu)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    """A machine without any environment."""
    one = Machine()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(callgrind, "explain_unavailability", lambda: "")
    monkeypatch.setattr(cli_releases, "INDEX", FakeIndex())
    monkeypatch.setattr(cli_releases, "create_shared_path", one.stage)
    monkeypatch.setattr(prepare, "make", one.make)
    monkeypatch.setattr(variants, "query_environment", one.environment_of)
    monkeypatch.setattr(cli_releases, "check_import", lambda package, variant: "")
    monkeypatch.setitem(PROFILES, "quick", Profile("quick", workers=6, samples=4))
    return one


@pytest.fixture
def run(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs the command; returns exit code, output and error output."""

    def running(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(main, "LAUNCHER", ScriptedLauncher(suite(CASES)))
        code = main.main(["releases", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return running


def history(folder: str = "results/releases/thing") -> History:
    """What was written."""
    return history_file.read(Path(folder))


def assert_refused(told: tuple[int, str, str], *parts: str) -> None:
    """Exit code 2, nothing on the output, and one line that says these."""
    code, out, err = told
    assert (code, out) == (2, "")
    [line] = [each for each in err.splitlines() if each.startswith("resilience-bench")]
    assert "Traceback" not in err
    for part in parts:
        assert part in line


def test_the_release_that_moved_a_case_is_told(run: Run, machine: Machine) -> None:
    """One release makes one case slower, the next one another faster: nothing else changes."""
    machine.scripts = {
        "2.0": costing({CALLED: 1.5}),
        "2.1": costing({CALLED: 1.5, DECORATION: 0.7}),
    }
    code, out, _ = run("thing")
    assert code == 0
    told = history()
    steps = {(each.release, each.before, each.case, each.signal) for each in told.steps}
    assert steps == {
        ("2.0", "1.1", CALLED, "latency"),
        ("2.0", "1.1", CALLED, "instructions"),
        ("2.1", "2.0", DECORATION, "latency"),
        ("2.1", "2.0", DECORATION, "instructions"),
    }
    change = next(each.change for each in told.steps if each.signal == "latency")
    assert change is not None
    assert change.low <= 1.5 <= change.high
    assert [each.version for each in told.releases] == FINAL
    assert set(told.cases) == {CALLED, DECORATION}
    assert told.environment.packages == {"other": "1.0"}
    assert told.releases[2].packages["thing"] == "2.0"
    assert "2 of 3 releases changed something" in out
    assert "results: results/releases/thing" in out


def test_everything_is_written(run: Run, machine: Machine) -> None:
    """The history, asv's tree, a picture a signal in two formats, and what it all rests on."""
    run("thing", "-o", "here")
    files = {str(each.relative_to("here")) for each in Path("here").rglob("*") if each.is_file()}
    for name in ("latency", "instructions", "allocations"):
        assert {f"{name}.svg", f"{name}.png"} <= files
    assert {"releases.json", "asv/benchmarks.json"} <= files
    assert len([each for each in files if each.startswith("asv/fast-cpu-2-cpu/")]) == 5
    measured = {each for each in files if each.startswith("measured/")}
    assert measured == {f"measured/{each}.json" for each in (*FINAL, "1.0-again")}
    assert all(results.read(Path("here") / each).complete for each in measured)


def test_an_interrupted_command_goes_on(run: Run, machine: Machine) -> None:
    """Exit code 130 and where things are; typed again, it measures the rest and nothing twice."""

    def stopping(plan: Plan, seed: int) -> Iterable[Message]:
        if plan.action == "measure" and seed == 2:
            raise KeyboardInterrupt
        return costing({})(plan, seed)

    machine.scripts = {"2.0": stopping}
    code, out, err = run("thing")
    assert (code, out) == (130, "")
    assert "interrupted; what was measured is in results/releases/thing/measured" in err
    assert "type the same command again" in err
    assert not Path("results/releases/thing/releases.json").exists()
    *first, stopped = machine.log
    assert stopped[:3] == ("2.0", "measure", 2)
    machine.scripts, machine.log = {}, []
    assert run("thing")[0] == 0
    everything = [*first, *machine.log]
    for version in FINAL:
        seeds = [seed for name, kind, seed, _ in everything if (name, kind) == (version, "measure")]
        again = range(0, POLICY.screen + 1, 2) if version == "1.0" else ()
        assert sorted(seeds) == sorted([*range(POLICY.screen + 1), *again])
    machine.log = []
    assert run("thing")[0] == 0
    assert machine.log == []


def test_what_was_measured_elsewhere_is_measured_again(run: Run, machine: Machine) -> None:
    """Another processor is no place to go on, and neither is a damaged file, nor --fresh."""
    run("thing", "--to", "1.1", "--signals", "instructions")
    everything = len(machine.log)
    machine.cpu, machine.log = "Slow CPU", []
    _, _, err = run("thing", "--to", "1.1", "--signals", "instructions")
    assert "measured in another environment; this release is measured again" in err
    assert len(machine.log) == everything
    Path("results/releases/thing/measured/1.1.json").write_text("{")
    machine.log = []
    _, _, err = run("thing", "--to", "1.1", "--signals", "instructions")
    assert "1.1.json: expected JSON, found a file that is cut short" in err
    assert {version for version, *_ in machine.log} == {"1.1"}
    machine.log = []
    run("thing", "--to", "1.1", "--signals", "instructions", "--fresh")
    assert len(machine.log) == everything


def test_another_python_wants_a_folder_of_its_own(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there is not replaced unless that is said, and nothing is measured before."""
    run("thing")
    before, measured = history(), len(machine.log)

    def other(variant: Variant) -> Environment:
        return replace(machine.environment_of(variant), python="CPython 3.99.0")

    monkeypatch.setattr(variants, "query_environment", other)
    told = run("thing")
    assert_refused(told, "CPython 3.99.0", "-o FOLDER", "--fresh")
    assert (history(), len(machine.log)) == (before, measured)
    code, out, _ = run("thing", "--fresh")
    assert code == 0
    assert "CPython 3.99.0" in out
    assert history().environment.python == "CPython 3.99.0"


def test_an_interruption_before_anything_was_measured_says_so(run: Run, machine: Machine) -> None:
    """No folder is named that holds nothing."""

    def stopping(plan: Plan, seed: int) -> Iterable[Message]:
        raise KeyboardInterrupt

    machine.scripts = dict.fromkeys(FINAL, stopping)
    code, _, err = run("thing")
    assert code == 130
    assert "interrupted; nothing was measured yet; type the same command again" in err


def test_what_was_never_measured_cannot_be_shown(run: Run) -> None:
    """The line has the very command that measures it."""
    assert_refused(run("thing", "--show"), "type 'resilience-bench releases thing'")
    told = run("thing", "--show", "-o", "there")
    assert_refused(told, "type 'resilience-bench releases thing -o there'")


def test_a_release_that_does_not_install_is_listed(run: Run, machine: Machine) -> None:
    """With the reason; its neighbours are held against each other."""
    machine.broken = {"1.1": "no matching Python"}
    machine.scripts = {"2.0": costing({CALLED: 1.5}), "2.1": costing({CALLED: 1.5})}
    code, out, _ = run("thing")
    assert code == 0
    assert "does not install: no matching Python" in out
    assert {(each.release, each.before) for each in history().steps} == {("2.0", "1.0")}


def test_releases_that_cannot_do_a_case_are_no_step(run: Run, machine: Machine) -> None:
    """A case that came with a release has no history before it."""

    def without(plan: Plan, seed: int) -> Iterable[Message]:
        fine = replace(plan, cases=tuple(name for name in plan.cases if name != DECORATION))
        too_old = [StatusMessage(DECORATION, "not available", "too old")] * (
            DECORATION in plan.cases
        )
        return [*costing({})(fine, seed), *too_old]

    machine.scripts = {"1.0": without, "1.1": without, "2.1": costing({DECORATION: 1.5})}
    code, out, _ = run("thing")
    assert code == 0
    assert {(each.release, each.case) for each in history().steps} == {("2.1", DECORATION)}
    value = history().releases[0].values[DECORATION]
    assert (value.status, value.reason, value.quantities) == ("not available", "too old", {})
    assert [line.split()[2] for line in out.splitlines() if line.startswith("1.0 ")] == ["1"]


def test_one_release_alone_is_measured(run: Run) -> None:
    """There is nothing to hold it against, which is said."""
    code, out, _ = run("thing", "--from", "2.0", "--to", "2.0")
    assert code == 0
    assert "no neighbour" in out
    assert set(history().releases[0].values[CALLED].quantities) >= {"ratio", "instructions"}


def test_selectors_and_signals_choose(run: Run, machine: Machine) -> None:
    """Only what is asked for is measured, and pre-releases on demand."""
    code, _, _ = run("thing", "retry.called", "--signals", "instructions", "--pre")
    assert code == 0
    told = history()
    assert [each.version for each in told.releases] == list(VERSIONS)
    assert set(told.cases) == {CALLED}
    assert told.signals == ("instructions",)
    assert set(told.releases[0].values[CALLED].quantities) == {
        "instructions",
        "overhead_instructions",
    }
    assert [each.name for each in Path("results/releases/thing").glob("*.png")] == [
        "instructions.png"
    ]


def test_small_moves_are_no_steps_unless_asked_for(run: Run, machine: Machine) -> None:
    """Nine in a thousand instructions are within, and the tolerance is an option."""
    machine.scripts = {"2.0": costing({CALLED: 1.009}), "2.1": costing({CALLED: 1.009})}
    run("thing", "--signals", "instructions")
    assert history().steps == ()
    run("thing", "--signals", "instructions", "--tolerance-instructions", "0.5")
    assert [(each.release, each.case) for each in history().steps] == [("2.0", CALLED)]
    assert history().tolerances["instructions"] == 0.005


def test_a_history_is_shown_without_measuring(run: Run, machine: Machine) -> None:
    """The same table again."""
    _, out, _ = run("thing")
    machine.log = []
    code, again, _ = run("thing", "--show")
    assert code == 0
    assert out.startswith(again)
    assert machine.log == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("idle",), "idle: none of the selected cases needs it; expected one of other, th"),
        (("other",), "other: no releases found; type 'pip index versions other'"),
        (("nonsense",), "nonsense: no releases found; type 'pip index versions nonsense'"),
        (("thing==1.0",), "'thing==1.0' is no package"),
        (("thing", "--from", "2.1", "--to", "1.0"), "type --from 1.0 --to 2.1"),
        (("thing", "--from", "2.0rc1", "--to", "2.0rc1"), "is a pre-release; add --pre"),
        (("thing", "--from", "7"), "--from 7: thing has no such release"),
        (("thing", "breaker.*"), "no case matches 'breaker.*'"),
        (("thing", "--signals", "scaling"), "these cases have no scaling"),
        (("thing", "--python", "no/such/python"), "is no Python interpreter"),
        (("thing", "--show"), "no history of thing was measured here"),
        (("thing", "-o", "/dev/null"), "cannot write /dev/null/releases.json"),
    ],
)
def test_bad_input_is_refused(run: Run, arguments: tuple[str, ...], said: str) -> None:
    """One line with what to type, exit code 2, and nothing is measured."""
    assert_refused(run(*arguments), said)


def test_it_is_said_if_nothing_can_be_measured(run: Run, machine: Machine) -> None:
    """Neither if no release installs."""
    machine.broken = dict.fromkeys(VERSIONS, "no compiler")
    assert_refused(
        run("thing"), "thing: none of 4 releases can be measured; 2.1 does not install: no compiler"
    )


def test_without_valgrind_the_rest_is_measured(
    run: Run, monkeypatch: pytest.MonkeyPatch, machine: Machine
) -> None:
    """And a note says what is missing; instructions alone are refused then."""
    monkeypatch.setattr(callgrind, "explain_unavailability", lambda: "no valgrind; type: apt-get")
    code, out, _ = run("thing")
    assert code == 0
    assert "note: instructions: no valgrind" in out
    assert_refused(run("thing", "--signals", "instructions"), "no valgrind; type: apt-get")


def test_noise_moves_nothing(run: Run, machine: Machine) -> None:
    """Releases that cost the same are told to do so, and nothing stays open."""
    _, out, _ = run("thing")
    assert history().steps == history().undecided == ()
    assert "0 of 3 releases changed something" in out
    more: Any = history().counts
    assert set(more) == {"within"}
