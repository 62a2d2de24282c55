"""The command releases on real wheels and workers: Ctrl-C in the middle, and what moved."""

from __future__ import annotations

import collections
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from resilience_bench.files import results
from resilience_bench.releases import history_file
from resilience_bench.releases.measure import POLICY
from resilience_bench.releases.publish import publish

COMMAND = str(Path(sys.executable).with_name("resilience-bench"))
RELEASES = {
    "1.0": "def call(function):\n    return function()\n",
    "1.1": "import no_such_module\n",
    "1.2": "def call(function):\n    for _ in range(200):\n        pass\n    return function()\n",
    "1.3rc1": "",
}
SCENARIOS = """
from functools import partial
from resilience_bench import Library, scenario

class Thing:
    def guard(self, payload):
        import thing_z
        return partial(thing_z.call, payload)

@scenario(library=(Library("thing_z", Thing, ("thing-z",)),))
def called(library, payload):
    "A call goes through."
    return library.guard(payload)
"""
NAME = "mine.called[thing_z]"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a scenario file, and an index of one package."""
    (tmp_path / "mine.py").write_text(SCENARIOS)
    wheels = tmp_path / "wheels"
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
    return tmp_path


def start(folder: Path) -> subprocess.Popen[str]:
    """Start the command with that index alone."""
    own = {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder / "wheels"),
        "RESILIENCE_BENCH_CACHE": str(folder / "cache"),
    }
    return subprocess.Popen(
        [COMMAND, "releases", "thing-z", "mine.py", "--signals", "latency", "-o", "out"],
        cwd=folder,
        env={**os.environ, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_interrupted_history_goes_on_and_finds_the_step(folder: Path) -> None:
    """Killed with the first workers done, typed again, and then published by asv."""
    process = start(folder)
    file = folder / "out" / "measured" / "1.2.json"
    while not file.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130, err
    assert "type the same command again to go on" in err
    kept = results.read(file).workers
    assert 0 < len(kept) < POLICY.screen

    process = start(folder)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "making the environment" not in err
    again = results.read(file).workers
    assert again[: len(kept)] == kept
    assert set(collections.Counter(each.index for each in again).values()) == {1}

    history = history_file.read(folder / "out")
    became = {release.version: release.status for release in history.releases}
    assert became == {"1.0": "measured", "1.1": "does not import", "1.2": "measured"}
    assert "ModuleNotFoundError" in history.releases[1].reason
    [step] = history.steps
    assert (step.release, step.before, step.case, step.outcome) == ("1.2", "1.0", NAME, "regressed")
    assert step.change is not None
    assert step.change.low > 2
    assert "1.2 (not known) against 1.0" in out

    publish(folder / "out", folder / "html")
    assert set(json.loads((folder / "html" / "index.json").read_text())["tags"]) == {"v1.0", "v1.2"}
