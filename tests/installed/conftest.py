"""Environments with the built wheel, and a project of somebody who uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT

UV = str(Path(sys.executable).with_name("uv"))
PYPROJECT = """[build-system]
requires = []
build-backend = "backend"
backend-path = ["build"]

[project]
name = "my-guard"
version = "1"
"""
BACKEND = '''"""Builds the wheel with the standard library, so that no index is asked."""

import pathlib
import zipfile

INFO = "my_guard-1.dist-info"
FILES = {
    f"{INFO}/METADATA": "Metadata-Version: 2.1\\nName: my-guard\\nVersion: 1\\n",
    f"{INFO}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    f"{INFO}/RECORD": "",
}


def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "my_guard-1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        wheel.write("src/my_guard.py", "my_guard.py")
        for path, content in FILES.items():
            wheel.writestr(path, content)
    return name
'''
GUARD = '''"""A guard of one's own."""

kept = []


def guard(work):
    kept.extend({kept})
    return work()
'''
SCENARIO = '''"""What our guard costs."""

import functools

from resilience_bench import scenario
from my_guard import guard


@scenario
def success(payload):
    """Our guard lets a call through."""
    return functools.partial(guard, payload)
'''


def execute(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program as somebody does who has no checkout."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "COLUMNS")
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    env["RESILIENCE_BENCH_CACHE"] = str(cwd.parent / "cache")
    return subprocess.run(
        list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True, check=False
    )


def install(*arguments: str | Path, cwd: Path) -> None:
    """Run an installer; where no index can be reached the test is skipped, or fails."""
    done = execute(*arguments, cwd=cwd)
    if done.returncode:
        reason = f"cannot install from an index: {done.stderr.strip()[-500:]}"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(f"{reason} (REQUIRE_ALL=1)")
        pytest.skip(reason)


@dataclass(frozen=True, slots=True)
class Installation:
    """A virtual environment with the wheel, and a project to use it in."""

    python: Path
    project: Path

    def bench(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run resilience-bench in the project."""
        return execute(self.python.with_name("resilience-bench"), *arguments, cwd=self.project)

    def list_distributions(self) -> set[str]:
        """The names of what is installed."""
        done = execute(UV, "pip", "list", "-q", "--python", self.python, cwd=self.project)
        return {line.split()[0].lower() for line in done.stdout.splitlines()[2:]}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of resilience-bench, built from the checkout."""
    folder = tmp_path_factory.mktemp("wheels")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir")
    done = execute(
        sys.executable, "-m", "pip", "wheel", *options, folder, ROOT, ROOT / "stack", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert list(folder.glob("resilience_stack-*.whl"))
    [built] = folder.glob("resilience_bench-*.whl")
    return built


@pytest.fixture(scope="session")
def make_installation(
    tmp_path_factory: pytest.TempPathFactory, wheel: Path
) -> Callable[[str], Installation]:
    """A function that installs the wheel with extras (``[history]``) in a new environment."""

    def make(extras: str) -> Installation:
        top = tmp_path_factory.mktemp("installed")
        project = make_project(top / "project")
        install(UV, "venv", "-q", "--seed", "--python", sys.executable, top / "venv", cwd=top)
        python = top / "venv" / "bin" / "python"
        into = (UV, "pip", "install", "-q", "--python", python)
        install(*into, f"{wheel}{extras}", project, cwd=top)
        return Installation(python, project)

    return make


@pytest.fixture(scope="session")
def base(make_installation: Callable[[str], Installation]) -> Installation:
    """The wheel without extras."""
    return make_installation("")


def make_project(folder: Path) -> Path:
    """A project under git: a guard of its own, whose second commit keeps memory for every call."""
    files = {"pyproject.toml": PYPROJECT, "build/backend.py": BACKEND}
    for number, kept in enumerate(("[]", "[bytearray(1000)]")):
        files["src/my_guard.py"] = GUARD.format(kept=kept)
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        if number == 0:
            execute("git", "init", "-q", "-b", "main", cwd=folder)
        execute("git", "add", "-A", cwd=folder)
        identity = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
        done = execute("git", *identity, "commit", "-q", "-m", f"keeps {kept}", cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder
