"""``releases --watch`` on real wheels and workers, from an index that is a folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.releases.published import COMMAND, NAME, SCENARIOS
from tests.wheels import write_wheel

SLOW = "def call(function):\n    for _ in range(500):\n        pass\n    return function()\n"
FAST = "def call(function):\n    return function()\n"
INDEX = "--no-index\n--find-links wheels\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a scenario file, and an index: one package got slower, one has no case."""
    (tmp_path / "mine.py").write_text(SCENARIOS)
    for version, module in (("1.0", FAST), ("1.1", SLOW)):
        write_wheel(tmp_path / "wheels", "thing-z", version, {"thing_z.py": module})
        write_wheel(tmp_path / "wheels", "idle-z", version, {"idle_z.py": ""})
    return tmp_path


def watch(folder: Path, text: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the command on a requirements file with this text."""
    (folder / "all.txt").write_text(text)
    return subprocess.run(
        [COMMAND, "releases", "--watch", "all.txt", "mine.py", "--signals", "latency", *more],
        cwd=folder,
        env={**os.environ, "RESILIENCE_BENCH_CACHE": str(folder / "cache"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_newer_release_that_costs_more_is_reported_and_fails(folder: Path) -> None:
    """Its row says which case; what no case needs is listed as such; the exit code is 1."""
    done = watch(folder, f"{INDEX}thing-z==1.0\nidle-z==1.0\n", "--seconds", "60", "-o", "out")
    assert done.returncode == 1, done.stdout + done.stderr
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert rows["idle-z"].split()[1:3] == ["1.0", "1.1"]
    assert "not measured: no case needs it" in rows["idle-z"]
    assert f"1 slower ({NAME}: latency" in done.stdout
    assert "2 of 2 packages have a newer release, 1 of 1 that cases need were measured" in (
        done.stdout
    )
    assert (folder / "out" / "thing-z" / "head.json").exists()


def test_nothing_newer_is_said_and_measures_nothing(folder: Path) -> None:
    """The exit code is 0, and no environment is made."""
    done = watch(folder, f"{INDEX}thing-z>=1.0\nidle-z==1.1\n")
    assert done.returncode == 0, done.stderr
    assert "all.txt: nothing newer for 2 packages" in done.stdout
    assert not (folder / "cache").exists()
    assert not (folder / "results").exists()


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [
        (f"{INDEX}nowhere-z==1.0\n", (), "nowhere-z: no releases found: no index of pip's"),
        ("--index-url http://127.0.0.1:9/simple\nthing-z==1.0\n", (), "127.0.0.1: Connection"),
        ("# nothing\n", (), "it requires nothing"),
        (f"{INDEX}thing-z==1.0\n", ("--show",), "leave out --show"),
    ],
)
def test_what_cannot_be_watched_is_one_line(
    folder: Path, text: str, more: tuple[str, ...], said: str
) -> None:
    """An unknown package, a dead index, an empty file, options without meaning: exit code 2."""
    done = watch(folder, text, *more)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_newer_release_that_does_not_import_cannot_be_judged(folder: Path) -> None:
    """Its row says so, and the exit code is 2: a build must not pass on that."""
    write_wheel(folder / "wheels", "thing-z", "2.0", {"thing_z.py": "import no_such_module\n"})
    done = watch(folder, f"{INDEX}thing-z==1.0\n")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "not measured: " in done.stdout
    assert "no_such_module" in done.stdout.replace("\n", "")
