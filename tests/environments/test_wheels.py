"""Variants that are wheels, sdists, projects and URLs; none of them needs a network."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from resilience_bench.environments.sources import compute_digest
from resilience_bench.environments.variants import Variant, make
from resilience_bench.errors import VariantError
from tests.wheels import write_project, write_sdist, write_wheel


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with an empty cache, and no index."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESILIENCE_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return tmp_path


def find_answer(variant: Variant) -> str:
    """What the module of a variant says."""
    command = [str(variant.python), "-P", "-c", "import tiny_one; print(tiny_one.ANSWER)"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def refuse(text: str) -> str:
    """The one line with which a variant is refused."""
    with pytest.raises(VariantError) as caught:
        make(text, [])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_wheel_sdist_project_and_url_are_installed(folder: Path) -> None:
    """Each has its own module, with the version of its metadata."""
    wheel = write_wheel(folder / "w", "tiny-one", "1.0", {"tiny_one.py": "ANSWER = 1\n"})
    write_sdist(folder / "s", "tiny-one", "2.0", "ANSWER = 2\n")
    write_project(folder / "project", "tiny-one", "3.0", "ANSWER = 3\n")
    texts = {
        "w/tiny_one-1.0-py3-none-any.whl": ("1", "1.0"),
        "s/tiny_one-2.0.tar.gz": ("2", "2.0"),
        "project": ("3", "3.0"),
        f"pip:{wheel.as_uri()}": ("1", "1.0"),
        f"pip:tiny-one @ {wheel.as_uri()}": ("1", "1.0"),
    }
    for text, (answer, version) in texts.items():
        variant = make(text, [])
        assert (find_answer(variant), variant.packages["tiny-one"]) == (answer, version), text
    assert sorted(path.name for path in (folder / "project").iterdir()) == [
        "backend.py",
        "content.txt",
        "pyproject.toml",
    ]


def test_a_changed_project_is_another_environment(folder: Path) -> None:
    """The same content is found again, another content is made anew."""
    project = write_project(folder / "project", "tiny-one", "3.0", "ANSWER = 3\n")
    made = [make("./project", []).made, make(str(project), []).made]
    write_project(folder / "project", "tiny-one", "3.0", "ANSWER = 4\n")
    variant = make("project", [])
    assert (made, variant.made, find_answer(variant)) == ([True, False], True, "4")


def test_two_builds_with_the_same_content_have_one_digest(folder: Path) -> None:
    """Times in the archive do not count."""
    first = write_wheel(folder / "a", "tiny-one", "1.0", {"tiny_one.py": "ANSWER = 1\n"})
    again = write_wheel(folder / "b", "tiny-one", "1.0", {"tiny_one.py": "ANSWER = 1\n"})
    other = write_wheel(folder / "c", "tiny-one", "1.0", {"tiny_one.py": "ANSWER = 2\n"})
    assert compute_digest(first) == compute_digest(again) != compute_digest(other)


def test_what_a_wheel_needs_comes_along(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From where pip looks, also at another version than the one that is installed here."""
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder / "w"))
    write_wheel(folder / "w", "tiny-one", "1.0", {}, ["tenacity>=99", "tiny-two"])
    write_wheel(folder / "w", "tiny-two", "1.0", {})
    write_wheel(folder / "w", "tenacity", "99.0", {})
    packages = make("w/tiny_one-1.0-py3-none-any.whl", []).packages
    assert packages == {"tenacity": "99.0", "tiny-one": "1.0", "tiny-two": "1.0"}


def test_a_wheel_for_another_python_is_refused(folder: Path) -> None:
    """What it is for, and how to name an interpreter that it fits."""
    write_wheel(folder, "tiny-one", "1.0", {}, tags="cp27-cp27m-win32")
    line = refuse("tiny_one-1.0-cp27-cp27m-win32.whl")
    assert "it is for another Python or another platform" in line
    assert "type --base-python or --head-python" in line


@pytest.mark.parametrize("name", ["tiny_one-1.0-py3-none-any.whl", "rubbish.whl"])
def test_a_file_that_is_no_wheel_is_refused(folder: Path, name: str) -> None:
    """By its content or its name, with how to make a wheel."""
    (folder / name).write_text("no archive")
    assert f"{name} is no wheel" in refuse(name)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("gone.whl", "there is no such file"),
        ("gone-1.0.tar.gz", "there is no such file"),
        ("gone.txt", "cannot be read"),
        ("empty", "a folder without pyproject.toml and without bin/python"),
        ("pip:file:///gone/tiny_one-1.0-py3-none-any.whl", "pip could not install it"),
    ],
)
def test_what_is_not_there_is_refused(folder: Path, text: str, part: str) -> None:
    """In one line, and nothing half-made is left."""
    (folder / "empty").mkdir()
    assert part in refuse(text)
    assert not list(folder.glob("cache/variants/*/"))


def test_a_url_of_another_distribution_is_refused(folder: Path) -> None:
    """The name in front of the @ is a promise."""
    wheel = write_wheel(folder, "tiny-one", "1.0", {})
    assert "is tiny-one, and no tiny-two" in refuse(f"pip:tiny-two @ {wheel.as_uri()}")


def test_a_project_that_does_not_build_is_refused(folder: Path) -> None:
    """With what pip said last."""
    project = write_project(folder / "project", "tiny-one", "1.0", "")
    (project / "content.txt").unlink()
    assert "pip could not install it" in refuse("project")


def test_a_requirements_file_is_installed(folder: Path) -> None:
    """With what its lines name, and the same content is the same environment."""
    wheel = write_wheel(folder / "w", "tiny-one", "1.0", {"tiny_one.py": "ANSWER = 1\n"})
    (folder / "old.txt").write_text("./w/tiny_one-1.0-py3-none-any.whl\n")
    (folder / "new.txt").write_text("--find-links w\n# the same\ntiny-one==1.0\n")
    variant = make("old.txt", [])
    assert (variant.packages, find_answer(variant)) == ({"tiny-one": "1.0"}, "1")
    assert make("new.txt", []).packages == {"tiny-one": "1.0"}
    assert not make("old.txt", []).made
    write_wheel(wheel.parent, "tiny-one", "1.0", {"tiny_one.py": "ANSWER = 2\n"})
    assert find_answer(make("old.txt", [])) == "2"
