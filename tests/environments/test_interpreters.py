"""The Pythons to measure under: which they are, and what they get to have."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from resilience_bench.environments import variants
from resilience_bench.environments.fingerprint import detect_environment, format_python_name
from resilience_bench.environments.interpreters import Interpreter, find, prepare
from resilience_bench.environments.pip import create_venv
from resilience_bench.environments.variants import Variant
from resilience_bench.errors import VariantError
from tests.factories import make_environment
from tests.scripted import info


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("RESILIENCE_BENCH_CACHE", str(folder))
    return folder


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of this Python with nothing in it."""
    home = tmp_path_factory.mktemp("bare") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    return home


def interpreter(name: str = "x", lacking: dict[str, str] | None = None) -> Interpreter:
    """An interpreter that nobody starts."""
    variant = Variant(name, Path(name), Path(name) / "bin" / "python", made=False, packages={})
    return Interpreter(variant, make_environment(), lacking or {})


def test_ours_comes_first_and_every_other_one_once(bare: Path) -> None:
    """A folder and its program are one interpreter; what is left out is reported."""
    reported: list[str] = []
    found = find([str(bare), str(bare / "bin" / "python"), sys.executable], reported.append)
    assert [each.variant.text for each in found] == ["this", str(bare)]
    assert found[0].environment == detect_environment()
    assert found[1].environment.python == found[0].environment.python
    assert found[1].environment.packages == {}
    assert len(reported) == 2
    assert f"is {bare}, which is measured once" in reported[0]
    assert "which is measured in any case" in reported[1]


def test_a_command_is_looked_up(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Like in a shell: a name without a slash is searched for on PATH."""
    monkeypatch.setenv("PATH", str(bare / "bin"))
    assert find(["python"])[1].variant.home == bare


def test_a_folder_whose_program_is_called_python3_is_found(bare: Path, tmp_path: Path) -> None:
    """What is installed from source has no program of the shorter name."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(bare / "bin" / "python")
    assert find([str(tmp_path)])[1].environment.python == find([])[0].environment.python


@pytest.mark.parametrize(
    ("text", "said"),
    [("no/such/python", "found nothing there"), ("python9.99", "found nothing there")],
)
def test_what_is_not_there_is_refused(text: str, said: str) -> None:
    """One line says what was found, and how to see what there is."""
    with pytest.raises(VariantError, match=said) as caught:
        find([text])
    assert "ls /usr/bin/python3*" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("echo no JSON", "does not run as Python 3.11 or newer"),
        ("echo it is Python 3.8.18 >&2; exit 1", "it is Python 3.8.18"),
    ],
)
def test_what_is_no_python_or_too_old_is_refused(tmp_path: Path, code: str, said: str) -> None:
    """A program that answers something else than a Python of 3.11 is recognised."""
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{code}\n")
    program.chmod(0o755)
    with pytest.raises(VariantError, match=said):
        find([str(program)])


def test_a_file_that_nobody_may_run_is_no_interpreter(tmp_path: Path) -> None:
    """It is there, but no program."""
    (tmp_path / "python").write_text("")
    with pytest.raises(VariantError, match="found no program"):
        find([str(tmp_path / "python")])


def test_an_interpreter_that_has_everything_is_used_as_it_is() -> None:
    """No environment is made for ours."""
    ours = find([])[0]
    assert prepare(ours, ["tenacity", "pybreaker"]) is ours


def test_what_is_needed_is_installed_once(bare: Path) -> None:
    """At the version that is installed here; the second time it is found in the cache."""
    reported: list[str] = []
    one = find([str(bare)])[1]
    first = prepare(one, ["retrying"], reported.append)
    second = prepare(one, ["retrying"], reported.append)
    here = find([])[0].variant.packages["retrying"]
    assert first.variant.packages["retrying"] == here
    assert first.environment.packages["retrying"] == here
    assert (first.variant.made, second.variant.made) == (True, False)
    assert second.variant.home == first.variant.home
    assert (first.lacking, second.lacking) == ({}, {})
    assert reported == [f"making the environment of {bare} (once)"]


def test_what_does_not_install_is_reported_and_the_rest_is_there(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel that is not made for this Python costs its own cases only."""
    asked: list[tuple[str, ...]] = []

    def pip(owner: Path | None, python: Path, *arguments: str, constraints: object = None) -> str:
        asked.append(arguments)
        return "no wheel for you" if any("statsd" in argument for argument in arguments) else ""

    monkeypatch.setattr(variants.pip, "install_packages", pip)
    made = prepare(find([str(bare)])[1], ["retrying", "statsd"])
    assert made.lacking == {"statsd": "no wheel for you"}
    assert len(asked[0]) == 2
    assert ("retrying" in asked[1][0], len(asked[1])) == (True, 1)
    declared = replace(info("closed", "statsd"), distributions=("StatsD",))
    assert "StatsD does not install under" in made.explain_unavailability(declared)
    assert made.explain_unavailability(info("closed", "other")) == ""


def test_an_interpreter_that_makes_no_environments_is_named(tmp_path: Path) -> None:
    """Debian parts venv from Python: it is said what to install."""
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho ensurepip is not available >&2; exit 1\n")
    program.chmod(0o755)
    with pytest.raises(VariantError, match=r"ensurepip is not available.*python3-venv"):
        create_venv("python", program, tmp_path / "env")


def test_free_threaded_builds_are_named_by_a_letter() -> None:
    """So that nobody takes two builds of one version for each other."""
    environment = make_environment(python="CPython 3.13.0", free_threaded=True)
    assert format_python_name(environment) == "CPython 3.13.0t"
    assert replace(interpreter(), environment=environment).stem == "cpython-3.13.0t"
    assert os.sep not in replace(interpreter(), environment=environment).stem
