"""The stack without the GIL: its property tests under each free-threaded Python that is built."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from resilience_bench.environments import interpreters, pip, variants

ROOT = Path(__file__).resolve().parents[2]
TESTS = [
    f"test_{name}.py"
    for name in (
        *("threads", "interleavings", "breaker", "context", "fallback", "guard", "health"),
        *("limits", "manager", "metrics", "modes", "retry"),
    )
]
"""Those of the core, which need nothing but its own dependencies."""
PLUGIN = """
import sys
import hypothesis

hypothesis.settings.register_profile(
    "free", deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)
hypothesis.settings.load_profile("free")

def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"the GIL is {'on' if sys._is_gil_enabled() else 'off'}")
"""


def list_free_threaded() -> list[Path]:
    """The free-threaded Pythons that `scripts/pythons` has built."""
    command = [sys.executable, "scripts/lib/pythons.py", "--list"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [line.strip() for line in done.stdout.splitlines() if line.startswith(" ")]
    return [Path(path) for path in paths if path.endswith("t")]


def prepare(python: Path) -> Path:
    """An environment of the interpreter with what the tests need, made once and kept."""
    base = interpreters.find_interpreter(str(python))
    project = tomllib.loads((ROOT / "stack" / "pyproject.toml").read_text())["project"]

    def fill(home: Path, install: pip.Installer) -> dict[str, str]:
        # Newer releases of hypothesis have an extension, with no wheel for free-threaded Pythons.
        wheels = ("--only-binary", ":all:", "hypothesis<6.140", "pytest", *project["dependencies"])
        pip.refuse_pip_failure(str(python), install(home, *wheels))
        return {}

    digest = hashlib.sha256(repr((variants.identify(base), project["dependencies"])).encode())
    key = f"stack-tests-{digest.hexdigest()[:16]}"
    made, _ = variants.find_or_build(str(python), key, fill, base, lambda _: None)
    return made.python


@pytest.mark.minutes
def test_nothing_is_lost_without_the_gil(tmp_path: Path) -> None:
    """No count, no failure and no probe is lost or doubled when threads really run at once."""
    found = list_free_threaded()
    if not found:
        # Also with REQUIRE_ALL=1: it is built where somebody has built it, which takes minutes.
        pytest.skip("no free-threaded Python is built; 'scripts/pythons 3.13t' builds one")
    (tmp_path / "free.py").write_text(PLUGIN)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    path = os.pathsep.join(map(str, (tmp_path, ROOT / "stack" / "src", ROOT)))
    options = ["-q", "-p", "free", "-p", "no:cacheprovider", "-c", str(tmp_path / "pytest.ini")]
    files = [str(Path(__file__).with_name(name)) for name in TESTS]
    for python in found:
        done = subprocess.run(
            [prepare(python), "-m", "pytest", *options, f"--confcutdir={ROOT}/tests/stack", *files],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "the GIL is off" in done.stdout
        assert " passed" in done.stdout
