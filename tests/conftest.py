"""What all tests share."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# How long an example takes is the machine's affair, and a fixture may serve several examples.
hypothesis.settings.register_profile(
    "default",
    deadline=None,
    suppress_health_check=[
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.function_scoped_fixture,
    ],
)
hypothesis.settings.load_profile("default")

ROOT = Path(__file__).resolve().parents[1]
CACHES = frozenset(
    {
        "__pycache__",
        ".benchmarks",
        ".hypothesis",
        ".import_linter_cache",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".venv",
    }
)
"""What the tools themselves leave in a checkout."""


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, and let tests interrupt what they start."""
    config.addinivalue_line("markers", "needs(program): skipped where the program is missing")
    config.addinivalue_line("markers", "minutes: takes so long that it begins before all others")
    # A shell starts background jobs deaf to Ctrl-C, and so would be every process of a test.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take minutes, so that no processor waits for the last of them.

    All others keep the random order. Tests of one module stay together, with what they share.
    """
    items.sort(key=lambda item: item.get_closest_marker("minutes") is None)


def require(program: str) -> str:
    """The path of a program; without it the test is skipped, or fails with REQUIRE_ALL=1."""
    path = shutil.which(program)
    if path is None:
        reason = f"{program} is not installed; .ci/run installs it"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(f"{reason} (REQUIRE_ALL=1)")
        pytest.skip(reason)
    return path


@pytest.fixture(autouse=True)
def _needed_programs(request: pytest.FixtureRequest) -> None:
    """Skip, or with REQUIRE_ALL=1 fail, a test whose program is not on PATH."""
    for mark in request.node.iter_markers("needs"):
        for program in mark.args:
            require(program)


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Write as always, but do not wait for the disk: no test pulls the plug."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _descriptor: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_runs_of_pytest() -> Iterator[None]:
    """Let the pytest of a test be a run of its own, not a worker of this one."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PYTEST_XDIST_")]:
            patch.delenv(name)
        patch.delenv("PYTEST_ADDOPTS", raising=False)
        yield


def list_checkout() -> dict[str, tuple[int, int]]:
    """The files of the checkout but for caches, with their sizes and times of change."""
    found = {}
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in CACHES and name != ".git"]
        for name in files:
            path = Path(folder) / name
            status = path.stat()
            found[str(path.relative_to(ROOT))] = status.st_size, status.st_mtime_ns
    return found


@pytest.fixture(scope="session", autouse=True)
def _checkout_stays_as_it_is() -> Iterator[None]:
    """Fail the run if a test has written to, changed or removed anything in the checkout."""
    before = list_checkout()
    yield
    after = list_checkout()
    changed = sorted(
        path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    )
    assert not changed, f"while the tests ran, the checkout changed: {', '.join(changed[:20])}"


@pytest.fixture
def checkout_copy(tmp_path: Path) -> Path:
    """A clone of the checkout with what is not committed yet, for commands that write beside it.

    It has the environment of the checkout, so nothing is installed for it.
    """
    copy = tmp_path / "checkout"
    subprocess.run(["git", "clone", "--quiet", ROOT, copy], check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy2(ROOT / name, copy / name)
        else:
            (copy / name).unlink(missing_ok=True)
    (copy / ".venv").symlink_to(Path(sys.executable).parents[1])
    return copy


@pytest.fixture(scope="session")
def documentation_pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation, made so strictly that a warning of mkdocs fails it; in site/docs/."""
    folder = tmp_path_factory.mktemp("www") / "site" / "docs"
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict"]
    made = subprocess.run(
        [*command, "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert (made.returncode, made.stderr) == (0, "")
    return folder
