"""The stack as a distribution of its own."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest

import resilience_stack

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "stack" / "README.md", *sorted((ROOT / "docs" / "stack").glob("*.md"))]


def test_pins_are_those_of_the_lock() -> None:
    """The stack depends on three exact versions, which are the ones that the checkout uses."""
    project = tomllib.loads((ROOT / "stack" / "pyproject.toml").read_text())["project"]
    locked = (ROOT / "requirements.lock").read_text().splitlines()
    names = {pin.partition("==")[0] for pin in project["dependencies"]}
    assert names == {"pybreaker", "tenacity", "prometheus-client"}
    assert set(project["dependencies"]) <= set(locked)
    installed = [one for one in requires("resilience-stack") or [] if "extra ==" not in one]
    assert sorted(installed) == sorted(project["dependencies"])


def test_stack_imports_nothing_of_the_tool() -> None:
    """The stack is a distribution of its own: importing it loads nothing of resilience_bench."""
    code = "import sys, resilience_stack; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = done.stdout.split()
    assert "pybreaker" in modules
    assert not [name for name in modules if name.startswith("resilience_bench")]


def test_files_stay_short() -> None:
    """Every file of the stack is read in one go: under 200 lines."""
    folder = Path(resilience_stack.__file__).parent
    lengths = {file.name: len(file.read_text().splitlines()) for file in folder.rglob("*.py")}
    assert not {name: length for name, length in lengths.items() if length > 200}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_of_the_pages_run(page: Path, tmp_path: Path) -> None:
    """The Python blocks of the stack's pages do what they say, one after the other."""
    text = page.read_text(encoding="utf-8")
    blocks = [part.partition("```")[0] for part in text.split("```python\n")[1:]]
    command = [sys.executable, "-W", "error", "-c", "\n".join(blocks)]
    subprocess.run(command, cwd=tmp_path, check=True)


def test_pages_have_examples() -> None:
    """The README shows three blocks at least, and no page of a pattern is without one."""
    counts = {page.name: page.read_text(encoding="utf-8").count("```python\n") for page in PAGES}
    assert counts.pop("README.md") >= 3
    counts.pop("reference.md", None)
    assert all(counts.values()), counts
