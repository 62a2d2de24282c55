"""Real wheels of a made-up package in a folder, which pip takes for its only index."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.wheels import write_wheel

COMMAND: Final = str(Path(sys.executable).with_name("resilience-bench"))
RELEASES: Final = {
    "1.0": "def call(function):\n    return function()\n",
    "1.1": "import no_such_module\n",
    "1.2": "def call(function):\n    for _ in range(200):\n        pass\n    return function()\n",
    "1.3rc1": "",
}
SCENARIOS: Final = """
from functools import partial
from resilience_bench import Library, scenario

class Thing:
    def guard(self, payload):
        import thing_z
        return partial(thing_z.call, payload)

THING = Library("thing_z", Thing, ("thing-z",))

@scenario(library=(THING,))
def called(library, payload):
    "A call goes through."
    return library.guard(payload)
"""
NAME: Final = "mine.called[thing_z]"


def write_wheels(folder: Path) -> None:
    """Write a scenario file, ``mine.py``, and a wheel of each release into a folder."""
    (folder / "mine.py").write_text(SCENARIOS)
    for version, content in RELEASES.items():
        write_wheel(folder / "wheels", "thing-z", version, {"thing_z.py": content})


def make_environment(folder: Path) -> dict[str, str]:
    """Return the variables by which pip knows those wheels alone; the cache is of its own."""
    return {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder / "wheels"),
        "RESILIENCE_BENCH_CACHE": str(folder / "cache"),
    }


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    """Start the command with that index alone."""
    return subprocess.Popen(
        [COMMAND, "releases", "thing-z", "mine.py", "--signals", "latency", "-o", "out", *more],
        cwd=folder,
        env={**os.environ, **make_environment(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
