"""A project of its own with a few commits, in one of which a package gets slower."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).resolve().parents[2] / "src"
PROJECT: Final = """[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "planted"
version = "1.0"
"""
PACKAGE: Final = """def guarded(payload, turns):
    def guard():
        for _ in range(turns):
            pass
        return payload()
    return guard

def slowed(payload):
    return guarded(payload, {turns})

def steady(payload):
    return guarded(payload, 100)
"""
SCENARIOS: Final = """from resilience_bench import Library, scenario

class Guard:
    def __init__(self, name):
        self.name = name

    def guard(self, payload):
        import planted
        return getattr(planted, self.name)(payload)

LIBRARIES = [Library(name, Guard(name), ("planted",)) for name in ("slowed", "steady")]

@scenario(library=LIBRARIES)
def guarded(library, payload):
    '''A guard lets a call through.'''
    return library.guard(payload)
"""
# Instructions alone: they take seconds, and say the same each time.
BENCHMARKS: Final = """from pathlib import Path
from resilience_bench.commits.asv_benchmarks import make_classes

Family = make_classes(Path(__file__).parent)["Family"]
for name in ("time_call", "track_overhead_ns", "track_ratio"):
    delattr(Family, name)
"""
CONFIGURATION: Final = {
    "version": 1,
    "project": "planted",
    "repo": ".",
    "repo_subdir": "stack",
    "branches": ["HEAD"],
    "environment_type": "virtualenv",
    "launch_method": "forkserver",
    "env_dir": "env",
    "build_command": [],
    "install_command": [
        "in-dir={env_dir} python {conf_dir}/link.py",
        "in-dir={env_dir} python -m pip install --no-build-isolation --no-deps {build_dir}",
    ],
    "regressions_thresholds": {".*": 0.01},
}
# The tool, without what installing it would take.
LINK: Final = f"""import pathlib, sysconfig
pathlib.Path(sysconfig.get_path("purelib"), "tool.pth").write_text({str(SOURCE)!r})
"""
FEW_TURNS: Final = 100
MANY_TURNS: Final = 130


def git(folder: Path, *arguments: str) -> str:
    """What git says in a folder."""
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def write(folder: Path, path: str, content: str) -> None:
    """Write a file, and make its folder."""
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(content, encoding="utf-8")


def make(folder: Path, commits: int, slower_from: int) -> list[str]:
    """Make the project.

    Args:
        folder: Where.
        commits: How many of them there are that build; one that does not build comes last.
        slower_from: The number of the first one with the slower package.

    Returns:
        The hashes, oldest first.
    """
    folder.mkdir()
    git(folder, "init", "--quiet")
    write(folder, ".gitignore", "env\nresults\n")
    write(folder, "asv.conf.json", json.dumps(CONFIGURATION))
    write(folder, "benchmarks/__init__.py", "")
    write(folder, "benchmarks/family.py", SCENARIOS)
    write(folder, "benchmarks/history.py", BENCHMARKS)
    write(folder, "link.py", LINK)
    write(folder, "stack/pyproject.toml", PROJECT)
    hashes = []
    for number in range(commits + 1):
        turns = MANY_TURNS if number >= slower_from else FEW_TURNS
        write(folder, "stack/planted.py", PACKAGE.format(turns=turns))
        write(folder, "stack/README", str(number))
        if number == commits:
            write(folder, "stack/pyproject.toml", "this is no TOML")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", f"Commit {number}")
        hashes.append(git(folder, "rev-parse", "HEAD"))
    # asv measures with the scenarios of the checkout, which read this file.
    write(folder, "stack/pyproject.toml", PROJECT)
    return hashes


def environment(home: Path) -> dict[str, str]:
    """The environment variables of a user whose home is empty."""
    cache = os.environ.get("PIP_CACHE_DIR") or str(Path("~/.cache/pip").expanduser())
    own = {"HOME": str(home), "PIP_CACHE_DIR": cache}
    return {**os.environ, **own}


def history(folder: Path, home: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the command in the project."""
    return subprocess.Popen(
        [sys.executable, "-m", "resilience_bench", "history", *arguments],
        cwd=folder,
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
