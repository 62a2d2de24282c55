"""The stack as a distribution of its own."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import resilience_stack

ROOT = Path(__file__).resolve().parents[2]


def test_pins_are_those_of_the_lock() -> None:
    """The stack depends on three exact versions, which are the ones that the checkout uses."""
    project = tomllib.loads((ROOT / "stack" / "pyproject.toml").read_text())["project"]
    locked = (ROOT / "requirements.lock").read_text().splitlines()
    names = {pin.partition("==")[0] for pin in project["dependencies"]}
    assert names == {"pybreaker", "tenacity", "prometheus-client"}
    assert set(project["dependencies"]) <= set(locked)
    assert sorted(requires("resilience-stack") or []) == sorted(project["dependencies"])


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


def test_examples_of_the_readme_run() -> None:
    """The Python blocks of the README do what they say."""
    text = (ROOT / "stack" / "README.md").read_text()
    blocks = [part.partition("```")[0] for part in text.split("```python\n")[1:]]
    assert len(blocks) >= 3
    command = [sys.executable, "-W", "error", "-c", "\n".join(blocks)]
    subprocess.run(command, check=True)
