"""The two copies of a suite: what was typed is found again in each of them."""

from __future__ import annotations

from pathlib import Path

from resilience_bench.environments.suites import SuiteRequest, find_project, make_sides, move_suite
from tests.environments.test_recipe import repository


def test_paths_are_those_of_the_copy(tmp_path: Path) -> None:
    """Folders, options with paths and typed tests move; a path that only begins alike does not."""
    top, copy = tmp_path / "project", tmp_path / "copies" / "base"
    request = SuiteRequest(
        top / "sub",
        top,
        (f"--config-file={top}/x.ini", f"{top}-other/y", "-k", "name"),
        (f"{top}/tests/test_x.py::test_y",),
        (str(top),),
    )
    suite = move_suite(request, top, copy)
    assert (suite.folder, suite.root) == (f"{copy}/sub", str(copy))
    assert suite.arguments == (f"--config-file={copy}/x.ini", f"{top}-other/y", "-k", "name")
    assert suite.selected == (f"{copy}/tests/test_x.py::test_y",)
    assert suite.search == (str(copy),)


def test_the_nearest_project_is_installed(tmp_path: Path) -> None:
    """That of the root directory, or above it; a file of settings alone is no project."""
    (tmp_path / "sub").mkdir()
    assert not find_project(tmp_path, tmp_path / "sub")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    assert not find_project(tmp_path, tmp_path / "sub")
    (tmp_path / "setup.py").write_text("")
    assert find_project(tmp_path, tmp_path / "sub") == "."
    (tmp_path / "sub" / "pyproject.toml").write_text('[project]\nname = "x"\n')
    assert find_project(tmp_path, tmp_path / "sub") == "sub"


def test_each_side_has_its_own_files(tmp_path: Path) -> None:
    """The revision's and those of the work tree, new ones too and ignored ones not."""
    top, copies = tmp_path / "top", tmp_path / "copies"
    top.mkdir()
    git = repository(top)
    for name, text in (("a.py", "old"), (".gitignore", "ignored.py\n")):
        (top / name).write_text(text)
    git("add", ".")
    git("commit", "-m", "one")
    for name in ("a.py", "new.py", "ignored.py"):
        (top / name).write_text("new")
    request = SuiteRequest(top, top, (), (str(top),))
    base, head = make_sides("HEAD", request, copies, "", lambda _: None)
    assert (copies / "base" / "a.py").read_text() == "old"
    assert (copies / "head" / "a.py").read_text() == "new"
    assert not (copies / "base" / "new.py").exists()
    assert (copies / "head" / "new.py").exists()
    assert not (copies / "head" / "ignored.py").exists()
    assert (base.variant.text, head.variant.text) == ("HEAD", "the working tree")
    assert len(base.suite.root) == len(head.suite.root)
