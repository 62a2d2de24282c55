"""What the families and adapters import."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.vocabulary import NEVER
from tests.benchmarks.families import FAMILIES, FOLDER


def imports_of(file: Path) -> Iterator[str]:
    """The dotted names that a file imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("family", [*FAMILIES, "vocabulary", "vocabulary_limits"])
def test_family_imports_no_library(family: str) -> None:
    """A family file imports where no library is installed."""
    allowed = {*sys.stdlib_module_names, "resilience_bench"}
    foreign = [
        name
        for name in imports_of(FOLDER / f"{family}.py")
        if name.partition(".")[0] not in allowed and not name.startswith("benchmarks.vocabulary")
    ]

    assert foreign == []


@pytest.mark.parametrize("file", sorted((FOLDER / "adapters").glob("*.py")), ids=lambda f: f.stem)
def test_adapters_never_import_one_another(file: Path) -> None:
    """An adapter imports its own library, and of this project the vocabulary only."""
    ours = [name for name in imports_of(file) if name.startswith("benchmarks")]

    assert not [name for name in ours if not name.startswith("benchmarks.vocabulary")]


def test_shared_breakers_are_listed_without_a_driver() -> None:
    """Redis' driver is imported when a breaker is made."""
    code = "import sys; sys.path[:0] = ['src', '.']; import benchmarks.shared"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=FOLDER.parent, check=True)


def test_adapters_are_out_of_reach_of_asv() -> None:
    """Asv imports every package below benchmarks/, so the adapters are none."""
    assert not (FOLDER / "adapters" / "__init__.py").exists()


def test_never_is_out_of_reach() -> None:
    """A threshold that is never reached is larger than any number of calls."""
    assert NEVER > 10**15
