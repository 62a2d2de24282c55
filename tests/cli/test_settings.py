"""Defaults in ``pyproject.toml``: what they change, what goes before them, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from resilience_bench.cli.check import check
from resilience_bench.cli.compare import compare
from resilience_bench.cli.run import run as run_command
from resilience_bench.cli.settings import FILE, read_defaults
from resilience_bench.files import results
from tests.cli.factories import PYBREAKER, Run, assert_one_line

TABLE = "[tool.resilience-bench.run]\n"


def write(text: str) -> None:
    """A project's file in the current folder, among the tables of other tools."""
    FILE.write_text(f'{text}\n\n[project]\nname = "mine"\n\n[tool.other]\nrun = 1\n')


def refused(reported: tuple[int, str, str], *parts: str) -> None:
    """Exit code 2, no output, and one line that names the file."""
    code, out, err = reported
    assert (code, out) == (2, "")
    assert_one_line(err, "pyproject.toml: ", *parts)


def test_defaults_hold_and_typed_options_go_before_them(run: Run) -> None:
    """The signals and the file are those of the project, until others are typed."""
    write(f'{TABLE}signals = "allocations"\noutput = "from-settings.json"')
    assert run("run", PYBREAKER)[0] == 0
    assert results.read(Path("from-settings.json")).signals == ("allocations",)
    assert run("run", PYBREAKER, "--signals", "latency", "-o", "typed.json")[0] == 0
    assert results.read(Path("typed.json")).signals == ("latency",)


def test_help_shows_the_defaults_of_the_project(run: Run) -> None:
    """Whoever wonders where a value comes from finds it there."""
    write("[tool.resilience-bench.compare]\nseconds = 17.5")
    code, out, _ = run("compare", "--help")
    assert code == 0
    assert "default: 17.5" in " ".join(out.split())


def test_every_option_may_have_a_default(tmp_path: Path) -> None:
    """Flags, numbers, texts and lists, each under its long name; signals also as a list."""
    path = tmp_path / "pyproject.toml"
    path.write_text(
        f"{TABLE}"
        'profile = "standard"\noutput = "o.json"\ntime-limit = 60\n'
        'signals = ["latency", "scaling"]\ndrift = 2.5\npython = ["python3.12", "python3.13"]\n'
        "[tool.resilience-bench.check]\n"
        'baseline = "none"\nbudgets = "b.toml"\nresult = "r.json"\noutput = "o.json"\n'
        'strict = true\njunit = "j.xml"\nmarkdown = "m.md"\nannotations = "github"\nexplain = "*"\n'
        'signals = "latency"\n'
        "[tool.resilience-bench.compare]\n"
        "tolerance = 5\ntolerance-instructions = 0.1\nseconds = 60\n"
        'project = "stack"\nstrict = false\n'
    )
    found = {
        command.name: read_defaults(path, command) for command in (run_command, check, compare)
    }
    assert found["run"] == {
        "profile": "standard",
        "output": "o.json",
        "time_limit": 60,
        "signals": "latency,scaling",
        "drift": 2.5,
        "pythons": ["python3.12", "python3.13"],
    }
    assert found["check"]["budgets_file"] == "b.toml"
    assert found["check"]["strict"] is True
    assert set(found["check"]) >= {
        option.name for option in check.params if option.opts[0] != "selectors"
    }
    assert found["compare"]["tolerance_instructions"] == 0.1


@pytest.mark.parametrize("text", ["", "[tool.resilience-bench]", "[tool.resilience-bench.check]"])
def test_nothing_set_changes_nothing(run: Run, text: str) -> None:
    """A project without the table, or with an empty one, has the tool's defaults."""
    write(text)
    assert run("run", PYBREAKER, "-o", "out.json")[0] == 0


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("x =", ("expected TOML, found none",)),
        ("tool.resilience-bench = 1", ("key tool.resilience-bench: expected a table, found 1",)),
        (
            "[tool.resilience-bench.runs]",
            ("key tool.resilience-bench.runs: expected one of run, check, compare, found another",),
        ),
        (
            f"{TABLE}profil = 1",
            ("key tool.resilience-bench.run.profil: expected one of drift, fleet, fleet-kind,",),
        ),
        (f"{TABLE}time_limit = 1", ("run.time_limit: expected one of", "time-limit")),
        (f'{TABLE}profile = "fast"', ("run.profile: expected what --profile takes", "'fast'")),
        (f'{TABLE}signals = "heat"', ("run.signals: expected what --signals takes", "'heat'")),
        (f"{TABLE}time-limit = 0", ("run.time-limit: expected what --time-limit takes", "x>=1")),
        (f"{TABLE}time-limit = nan", ("run.time-limit: expected a finite number, found NaN",)),
        (f'{TABLE}time-limit = "1"', ('run.time-limit: expected a finite number, found "1"',)),
        (f"{TABLE}output = 1", ("run.output: expected a text, found 1",)),
        (f'{TABLE}output = "a\\u0000b"', ("run.output: expected a text",)),
        (f'{TABLE}python = "python3"', ('run.python: expected a list of texts, found "python3"',)),
        (f"{TABLE}signals = [1]", ("run.signals: expected a text, found a list",)),
    ],
)
def test_what_makes_no_sense_is_refused(run: Run, text: str, parts: tuple[str, ...]) -> None:
    """One line with the file, the key and what was expected; nothing is measured."""
    write(text)
    refused(run("run", PYBREAKER, "-o", "out.json"), *parts)
    assert not Path("out.json").exists()


def test_a_flag_is_true_or_false(run: Run) -> None:
    """Not a number, and not a text."""
    write("[tool.resilience-bench.check]\nstrict = 1")
    refused(run("check"), "check.strict: expected true or false, found 1")


def test_other_commands_do_not_read_the_file(run: Run) -> None:
    """What is wrong with the settings of 'run' is no reason not to list."""
    write("x =")
    assert run("list")[0] == 0
