"""The command releases on real wheels and workers: Ctrl-C in the middle, and what moved."""

from __future__ import annotations

import collections
import json
import signal
import time
from pathlib import Path

import pytest

from resilience_bench.files import results
from resilience_bench.releases import history_file
from resilience_bench.releases.measure import POLICY
from resilience_bench.releases.publish import publish
from tests.releases.published import NAME, start, write_wheels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a scenario file, and an index of one package."""
    write_wheels(tmp_path)
    return tmp_path


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
