"""Who imports what: the arrows between rooms, and the standard library alone in the worker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WORKER_MODULES = sorted(
    "resilience_bench.worker." + path.stem
    for path in (ROOT / "src" / "resilience_bench" / "worker").glob("*.py")
    if path.stem != "__init__"
)

IN_ASVS_ENVIRONMENTS = [
    f"resilience_bench.commits.{name}"
    for name in ("asv_parameters", "estimates", "measure", "asv_benchmarks")
]


@pytest.mark.parametrize(
    "module",
    [
        "resilience_bench",
        "resilience_bench.scenarios.definition",
        "resilience_bench.worker",
        *WORKER_MODULES,
        *IN_ASVS_ENVIRONMENTS,
    ],
)
def test_import_pulls_in_the_standard_library_only(module: str) -> None:
    """In a fresh interpreter nothing is imported that is not ours or Python's."""
    code = (
        "import sys; before = set(sys.modules); "
        f"import {module}; print(*(set(sys.modules) - before))"
    )
    # -I -S: no site-packages, no .pth files; so a third-party import could not even succeed.
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, 'src'); {code}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    foreign = {
        name.partition(".")[0]
        for name in done.stdout.split()
        if name.partition(".")[0] not in sys.stdlib_module_names
    }
    assert foreign == {"resilience_bench"}


def test_the_worker_modules_are_found() -> None:
    """The list above is not empty by mistake."""
    assert "resilience_bench.worker.timing" in WORKER_MODULES


def test_arrows_point_down_the_list_of_rooms() -> None:
    """import-linter walks every import, lazy and typing ones included, and finds no way back."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_a_wrong_arrow_is_found(tmp_path: Path) -> None:
    """The check itself is able to fail: a lazy import upwards breaks the contract."""
    source = tmp_path / "src"
    subprocess.run(["cp", "-r", ROOT / "src", source], check=True)
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    model = source / "resilience_bench" / "_model.py"
    model.write_text(
        model.read_text() + "\n\ndef late() -> None:\n    from resilience_bench import cli\n"
    )
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    environment = {"PYTHONPATH": str(source), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout
