"""What a variant is to hold: its text, the stack's pins, and the peers that are needed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from resilience_bench.environments import recipe
from resilience_bench.environments.recipe import Recipe
from resilience_bench.errors import VariantError

STACK = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "tiny-stack"
version = "0.0.1"
dependencies = ["pybreaker=={pybreaker}", "tenacity>=8"]

[tool.hatch.build.targets.wheel]
packages = ["tiny_stack"]
"""
Git = Callable[..., str]


def repository(folder: Path) -> Git:
    """A new repository with one commit, tagged ``empty``; returns what runs git in it."""

    def run(*arguments: str) -> str:
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        command = ["git", "-C", str(folder), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    run("init")
    (folder / "README").write_text("empty")
    run("add", ".")
    run("commit", "-m", "before there was a stack")
    run("tag", "empty")
    return run


def write_stack(root: Path, *, answer: int = 1, pybreaker: str = "1.2.0") -> None:
    """A distribution of one module."""
    package = root / "stack" / "tiny_stack"
    package.mkdir(parents=True, exist_ok=True)
    (root / "stack" / "pyproject.toml").write_text(STACK.format(pybreaker=pybreaker))
    (package / "__init__.py").write_text(f"ANSWER = {answer}\n")


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """Runs git in a new repository."""
    return repository(tmp_path)


def read(text: str, root: Path, scratch: Path, needed: tuple[str, ...] = ()) -> Recipe:
    """The recipe of a variant of a checkout."""
    scratch.mkdir()
    return recipe.read(text, needed, "stack", root, scratch)


@pytest.mark.parametrize("text", ["pip:", "pip:a b c", "pip:tenacity==", "pip:tenacity,,backoff"])
def test_malformed_requirement_is_refused(text: str, tmp_path: Path) -> None:
    """What pip would not understand is refused before anything is made, in one line."""
    with pytest.raises(VariantError, match="no requirement that pip understands") as caught:
        read(text, tmp_path, tmp_path / "scratch")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pip:tenacity==8.2.3", ("tenacity==8.2.3",)),
        ("pip:tenacity==8.2.3,pybreaker<1", ("tenacity==8.2.3", "pybreaker<1")),
        ("pip:tenacity>=8,<9", ("tenacity<9,>=8",)),
        ("pip:tenacity>=8, <9, pybreaker", ("tenacity<9,>=8", "pybreaker")),
        ("pip:tenacity[doc,test]~=8.2,backoff", ("tenacity[doc,test]~=8.2", "backoff")),
    ],
)
def test_comma_parts_requirements_but_not_their_bounds(
    text: str, expected: tuple[str, ...], tmp_path: Path
) -> None:
    """A part that starts with an operator belongs to the requirement before it."""
    assert read(text, tmp_path, tmp_path / "scratch").requirements == expected


def test_only_the_needed_peers_come_along(tmp_path: Path) -> None:
    """Needed are the cases' distributions with their dependencies, less what is replaced."""
    needed = ("Stamina", "opentelemetry_sdk", "not-installed-here")
    made = read("pip:tenacity==8.2.3", tmp_path, tmp_path / "scratch", needed)
    assert set(made.pins) == {
        "stamina",
        "opentelemetry-api",
        "opentelemetry-sdk",
        "opentelemetry-semantic-conventions",
        "typing-extensions",
    }
    assert "tenacity" not in made.constraints
    assert "pybreaker" in made.constraints


def test_what_only_the_replaced_release_needs_stays_away(tmp_path: Path) -> None:
    """Another release brings its own dependencies, not those of the release that is here."""
    made = read("pip:opentelemetry-sdk==1.20.0", tmp_path, tmp_path / "s", ("opentelemetry-sdk",))
    assert made.pins == {}


def test_uncommitted_change_is_another_environment(git: Git, tmp_path: Path) -> None:
    """A clean checkout is its commit's environment; one changed byte makes another."""
    write_stack(tmp_path)
    git("add", ".")
    git("commit", "-m", "a stack")
    committed = read("git:HEAD", tmp_path, tmp_path.parent / "one").key()
    clean_tree = read(".", tmp_path, tmp_path.parent / "two").key()
    write_stack(tmp_path, answer=2)
    changed = read(".", tmp_path, tmp_path.parent / "three").key()
    (tmp_path / "stack" / "tiny_stack" / "extra.py").write_text("")
    extended = read(".", tmp_path, tmp_path.parent / "four").key()
    assert committed == clean_tree
    assert len({clean_tree, changed, extended}) == 3


def test_files_that_git_ignores_do_not_count(git: Git, tmp_path: Path) -> None:
    """Build leftovers in the work tree neither travel along nor change the key."""
    write_stack(tmp_path)
    (tmp_path / ".gitignore").write_text("dist/\n")
    before = read(".", tmp_path, tmp_path.parent / "five").key()
    (tmp_path / "stack" / "dist").mkdir()
    (tmp_path / "stack" / "dist" / "old.whl").write_text("old")
    assert read(".", tmp_path, tmp_path.parent / "six").key() == before


def test_exact_pins_of_the_stack_replace_those_of_today(tmp_path: Path) -> None:
    """A pin that today's version does not meet is installed; what it meets stays as it is."""
    write_stack(tmp_path, pybreaker="1.2.0")
    made = read(".", tmp_path, tmp_path / "scratch", ("tiny-stack",))
    assert made.requirements == ("pybreaker==1.2.0",)
    assert set(made.pins) == {"tenacity"}
    assert [folder.name for folder in made.folders] == ["project"]


@pytest.mark.usefixtures("git")
@pytest.mark.parametrize("text", ["git:nope", "git:", "git:--all", "git:HEAD:README"])
def test_unknown_revision_is_one_clear_error(text: str, tmp_path: Path) -> None:
    """It says which repository was asked for which revision, and what to type."""
    with pytest.raises(VariantError, match=r"has no revision .*; type 'git log"):
        read(text, tmp_path, tmp_path / "scratch")


@pytest.mark.usefixtures("git")
def test_revision_without_a_stack_is_refused(tmp_path: Path) -> None:
    """A revision from before the stack has nothing to install, and that is said."""
    with pytest.raises(VariantError, match=r"no stack/pyproject\.toml in that revision"):
        read("git:empty", tmp_path, tmp_path / "scratch")


@pytest.mark.parametrize("text", ["nonsense = [", "[tool.x]\n", '[project]\nversion = "1"\n'])
def test_unusable_pyproject_is_one_clear_error(text: str, tmp_path: Path) -> None:
    """A pyproject.toml that cannot be used is named, without a traceback."""
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "pyproject.toml").write_text(text)
    with pytest.raises(VariantError, match=r"its pyproject\.toml cannot be used"):
        read(".", tmp_path, tmp_path / "scratch")


def test_a_revision_outside_git_is_refused_as_such(tmp_path: Path) -> None:
    """It says that there is no repository, and not that this has no such revision."""
    said = rf"^git:main: {tmp_path} is no git repository; .* type 'git init' .* other variants"
    with pytest.raises(VariantError, match=said):
        read("git:main", tmp_path, tmp_path / "scratch")
