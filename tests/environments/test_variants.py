"""Environments to compare: that they are made once, and what is known of them."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from resilience_bench.environments.fingerprint import detect_environment
from resilience_bench.environments.variants import Variant, clean, make, query_environment
from resilience_bench.errors import VariantError
from tests.conftest import ROOT
from tests.environments.test_recipe import Git, repository, write_stack


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("RESILIENCE_BENCH_CACHE", str(folder))
    return folder


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """Runs git in a new repository."""
    return repository(tmp_path)


def run_in(variant: Variant, code: str) -> str:
    """What the variant's interpreter prints."""
    command = [str(variant.python), "-P", "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("text", ["nonsense", "", "hg:tip", "no/such/python"])
def test_what_is_no_variant_is_refused_with_the_four_forms(text: str) -> None:
    """An unknown form is answered with the forms that there are, in one line."""
    with pytest.raises(VariantError, match=r"'\.' .*git:REV.*pip:REQ.*interpreter") as caught:
        make(text, [])
    assert "\n" not in str(caught.value)


def test_environment_is_made_once_and_again_when_incomplete(tmp_path: Path, cache: Path) -> None:
    """The second call finds it; without its last file it counts as never made."""
    reported: list[str] = []
    first = make(".", [], root=tmp_path, note=reported.append)
    second = make(".", [], root=tmp_path, note=reported.append)
    (first.home / "complete").unlink()
    (first.home / "half").write_text("left by a process that was killed")
    third = make(".", [], root=tmp_path, note=reported.append)
    assert [value.made for value in (first, second, third)] == [True, False, True]
    assert reported == ["making the environment of . (once)"] * 2
    assert first.home == second.home == third.home == cache / "variants" / first.home.name
    assert len(first.home.name) == 16
    assert first.packages == {}
    assert not (third.home / "half").exists()
    complete = json.loads((third.home / "complete").read_text())
    assert (complete["variant"], complete["key"]) == (".", third.home.name)


def test_two_processes_make_it_once(tmp_path: Path) -> None:
    """Of two that want the same environment at once, one makes it and the other waits."""
    code = (
        "from pathlib import Path\nfrom resilience_bench.environments.variants import make\n"
        f"variant = make('.', [], root=Path({str(tmp_path)!r}))\n"
        "print(variant.made, variant.python.exists())\n"
    )
    command = [sys.executable, "-c", code]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = sorted(each.communicate()[0].strip() for each in started)
    assert said == ["False True"] * 3 + ["True True"]


def test_clean_removes_what_was_made(tmp_path: Path) -> None:
    """It says how many there were and how large, and the next call makes it anew."""
    home = make(".", [], root=tmp_path).home
    count, size = clean()
    assert count == 1
    assert size > 0
    assert not home.exists()
    assert clean() == (0, 0)
    assert make(".", [], root=tmp_path).made


def test_cache_that_cannot_be_written_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the folder and the variable that puts it elsewhere."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RESILIENCE_BENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(VariantError, match="set RESILIENCE_BENCH_CACHE to another one"):
        make(".", [], root=tmp_path)


def test_missing_pip_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Where pip is missing, what to type is said, and nothing half-made is left."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(VariantError, match="-m ensurepip"):
        make("pip:tenacity==8.2.3", [])
    assert [path.name for path in (cache / "variants").iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("text", [sys.executable, sys.prefix])
def test_interpreter_is_used_as_it_is(text: str, cache: Path) -> None:
    """An interpreter or its venv is asked what it has; nothing is made."""
    variant = make(text, ["tenacity"])
    assert variant.home == Path(sys.prefix)
    assert variant.python == Path(sys.executable)
    assert not variant.made
    assert {"pybreaker", "prometheus-client", "typing-extensions"} <= set(variant.packages)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("script", ["#!/bin/sh\nexit 3\n", "#!/bin/sh\necho hello\n", "rubbish"])
def test_program_that_is_no_python_is_refused(script: str, tmp_path: Path) -> None:
    """An executable file that does not answer like Python is no variant."""
    program = tmp_path / "program"
    program.write_text(script)
    program.chmod(0o755)
    with pytest.raises(VariantError, match=r"does not run as Python 3\.11 or newer"):
        make(str(program), [])


def test_old_tenacity_with_the_peer_that_is_built_on_it() -> None:
    """The required release is there, with the needed peer at today's version, and nothing else."""
    variant = make("pip:tenacity==8.2.3", ["tenacity", "stamina"])
    assert variant.packages["tenacity"] == "8.2.3"
    assert {"tenacity", "stamina"} <= set(variant.packages)
    assert "pybreaker" not in variant.packages
    assert run_in(variant, "import stamina, sys; print(sys.prefix)") == str(variant.home)
    assert not make("pip:tenacity==8.2.3", ["stamina", "tenacity"]).made


def test_release_that_does_not_exist_is_one_clear_error(cache: Path) -> None:
    """What pip said last is reported, in one line, and nothing half-made is left."""
    with pytest.raises(VariantError, match=r"pip could not .*No matching distribution") as caught:
        make("pip:tenacity==99", ["tenacity"])
    assert "\n" not in str(caught.value)
    assert [path.name for path in (cache / "variants").iterdir() if path.is_dir()] == []


def test_revision_is_installed_with_its_own_pins(git: Git, tmp_path: Path) -> None:
    """A revision's code and pins are installed, and the work tree stays as it was."""
    write_stack(tmp_path, answer=1, pybreaker="1.2.0")
    git("add", ".")
    git("commit", "-m", "a stack")
    write_stack(tmp_path, answer=2)
    before = git("status", "--porcelain", "--ignored")
    variant = make("git:HEAD", [], root=tmp_path / "stack")
    assert run_in(variant, "import tiny_stack; print(tiny_stack.ANSWER)") == "1"
    assert set(variant.packages) == {"pybreaker", "tenacity", "tiny-stack"}
    assert variant.packages["pybreaker"] == "1.2.0"
    assert git("status", "--porcelain", "--ignored") == before


def test_made_environment_differs_from_ours_in_its_packages_alone(tmp_path: Path) -> None:
    """It has our Python and our machine; PYTHONPATH and the tool's own folder add nothing."""
    variant = make(".", [], root=tmp_path)
    [site] = variant.home.glob("lib/python*/site-packages")
    (site / "Tiny_Stack-1.2.dist-info").mkdir()
    (site / "Tiny_Stack-1.2.dist-info" / "METADATA").write_text("Name: Tiny_Stack\nVersion: 1.2\n")
    expected = dataclasses.replace(detect_environment(), packages={"Tiny_Stack": "1.2"})
    assert query_environment(variant) == expected


def test_environment_of_our_own_interpreter_is_the_current_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The two ways to ask agree to the letter, so that results of both can be compared."""
    expected = detect_environment()
    foreign = tmp_path / "foreign-1.dist-info"
    foreign.mkdir()
    (foreign / "METADATA").write_text("Name: foreign\nVersion: 1\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert query_environment(make(sys.executable, [])) == expected


def test_packages_are_those_of_the_path_of_the_moment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A folder of packages is known while it is on the path, not longer."""
    before = detect_environment()
    (tmp_path / "foreign-1.dist-info").mkdir()
    (tmp_path / "foreign-1.dist-info" / "METADATA").write_text("Name: foreign\nVersion: 1\n")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, str(tmp_path)])
        assert detect_environment().packages == {**before.packages, "foreign": "1"}
    assert detect_environment() == before


def test_interpreter_that_is_gone_is_one_clear_error(tmp_path: Path) -> None:
    """A variant whose interpreter was removed meanwhile is named, without a traceback."""
    gone = Variant("gone", tmp_path, tmp_path / "python", made=False, packages={})
    with pytest.raises(VariantError, match=r"gone: it does not run as Python"):
        query_environment(gone)


def test_a_revision_without_its_prefix_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    """What git knows is most probably meant as a revision."""
    monkeypatch.chdir(ROOT)
    with pytest.raises(VariantError, match=r"'HEAD' is no variant \(did you mean 'git:HEAD'\?\)"):
        make("HEAD", [])
