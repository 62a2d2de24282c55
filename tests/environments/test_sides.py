"""The two sides of a comparison, under one Python or two."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

import pytest

from resilience_bench.environments.git import run_git
from resilience_bench.environments.sides import describe_changed_scenarios, make_side
from resilience_bench.environments.variants import find_interpreter, is_venv
from resilience_bench.errors import VariantError
from tests.wheels import write_wheel

BARE = Path(sysconfig.get_config_var("BINDIR")) / f"python{sysconfig.get_python_version()}"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with an empty cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESILIENCE_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_a_name_on_the_path_is_an_interpreter(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other commands are none: what is meant by them is not clear."""
    monkeypatch.setenv("PATH", str(folder))
    for name in ("python3.99", "date"):
        (folder / name).symlink_to(sys.executable)
    monkeypatch.chdir(folder.parent)
    assert find_interpreter("python3.99") == folder / "python3.99"
    assert find_interpreter("date") is None


def test_an_environment_is_taken_as_it_is() -> None:
    """Nothing is made, and nothing is missed."""
    variant = make_side(sys.prefix, ["tenacity"], project=".")
    assert (variant.home, variant.made) == (Path(sys.prefix), False)


@pytest.mark.skipif(not os.access(BARE, os.X_OK), reason="no interpreter outside of environments")
def test_an_interpreter_gets_what_the_cases_need() -> None:
    """An environment of it, with the versions that are installed here."""
    variant = make_side(str(BARE), ["tenacity"], project=".")
    assert is_venv(variant)
    assert "tenacity" in variant.packages


def test_a_variant_is_made_under_the_interpreter_that_is_named(folder: Path) -> None:
    """By path or by the environment's folder."""
    write_wheel(folder, "tiny-one", "1.0", {})
    wheel = "tiny_one-1.0-py3-none-any.whl"
    plain = make_side(wheel, [], project=".")
    under = make_side(wheel, [], project=".", python=sys.prefix)
    assert plain.packages == under.packages == {"tiny-one": "1.0"}
    assert plain.home != under.home


def test_two_interpreters_for_one_side_are_refused() -> None:
    """The message names both."""
    with pytest.raises(VariantError, match=f"{sys.executable} is an interpreter, and python3"):
        make_side(sys.executable, [], project=".", python="python3")


def test_what_is_no_interpreter_is_refused() -> None:
    """As for other options that name one."""
    with pytest.raises(VariantError, match="'gone' is no Python interpreter"):
        make_side(".", [], project=".", python="gone")


def test_scenario_files_that_differ_from_a_revision_are_named(tmp_path: Path) -> None:
    """A guard that one of them defines would be the same on both sides, and nothing regress."""
    same, changed, new = (tmp_path / f"{name}.py" for name in ("same", "changed", "new"))
    same.write_text("a = 1\n")
    changed.write_text("a = 1\n")
    run_git(tmp_path, "init", "--quiet")
    run_git(tmp_path, "add", ".")
    who = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    run_git(tmp_path, *who, "commit", "--quiet", "--message", "first")
    assert describe_changed_scenarios(["git:HEAD", "."], [same, changed]) == []
    changed.write_text("a = 2\n")
    new.write_text("a = 3\n")
    [note] = describe_changed_scenarios(["git:HEAD", "."], [same, changed, new])
    assert note.startswith("changed.py, new.py: not as in git:HEAD")
    assert describe_changed_scenarios(["pip:tenacity", "."], [changed]) == []
