"""What a scenario file imports: installed packages come first, its own folder last."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCENARIO = "from resilience_bench import scenario\n"


def write(file: Path, text: str) -> Path:
    """Write a file and the folders above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def read_where(installed: Path, file: Path) -> str:
    """Return the ``WHERE`` of a file that is imported in a process of its own."""
    program = (
        f"import pathlib, sys; sys.path.insert(0, {str(installed)!r}); "
        "from resilience_bench.scenarios.discovery import import_file; "
        f"print(import_file(pathlib.Path({str(file)!r})).WHERE)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("in_package", [True, False], ids=["in a package", "alone"])
def test_the_installed_package_is_measured_and_not_that_of_the_checkout(
    tmp_path: Path, *, in_package: bool
) -> None:
    """Else both sides of a comparison would import the checkout, and nothing could regress."""
    write(tmp_path / "site" / "guards" / "__init__.py", "WHERE = 'installed'\n")
    project = tmp_path / "project"
    folder = project / "benchmarks" if in_package else project
    write(project / "guards" / "__init__.py", "WHERE = 'checkout'\n")
    if in_package:
        write(folder / "__init__.py", "")
    file = write(folder / "mine.py", f"{SCENARIO}from guards import WHERE\n")
    assert read_where(tmp_path / "site", file) == "installed"


def test_a_scenario_file_may_be_named_like_the_package_that_it_measures(tmp_path: Path) -> None:
    """The first file of 'init' is guard.py, and many packages are called so."""
    write(tmp_path / "site" / "guard.py", "WHERE = 'installed'\n")
    file = write(tmp_path / "benchmarks" / "guard.py", f"{SCENARIO}from guard import WHERE\n")
    assert read_where(tmp_path / "site", file) == "installed"


def test_scenario_files_import_each_other_whatever_is_installed(tmp_path: Path) -> None:
    """Many distributions install a package that is called benchmarks, too."""
    write(tmp_path / "site" / "benchmarks" / "__init__.py", "")
    write(tmp_path / "site" / "benchmarks" / "words.py", "WHERE = 'installed'\n")
    folder = tmp_path / "project" / "benchmarks"
    write(folder / "__init__.py", "")
    write(folder / "words.py", "WHERE = 'ours'\n")
    file = write(folder / "mine.py", f"{SCENARIO}from benchmarks.words import WHERE\n")
    assert read_where(tmp_path / "site", file) == "ours"


def test_what_is_not_installed_is_imported_from_beside_the_file(tmp_path: Path) -> None:
    """A file of helpers needs no package."""
    write(tmp_path / "benchmarks" / "helpers.py", "WHERE = 'beside'\n")
    file = write(tmp_path / "benchmarks" / "mine.py", f"{SCENARIO}from helpers import WHERE\n")
    assert read_where(tmp_path / "site", file) == "beside"
