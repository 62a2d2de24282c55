"""Real wheels of a made-up package in a folder, which pip takes for its only index."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

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
    wheels = folder / "wheels"
    wheels.mkdir()
    for version, content in RELEASES.items():
        info = f"thing_z-{version}.dist-info"
        held = {
            "thing_z.py": content,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: thing-z\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        names = [*held, f"{info}/RECORD"]
        held[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in names)
        with zipfile.ZipFile(wheels / f"thing_z-{version}-py3-none-any.whl", "w") as file:
            for name, text in held.items():
                file.writestr(name, text)


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
