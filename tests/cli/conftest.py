"""Commands, run in an empty folder with scripted workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from resilience_bench.cli import main
from resilience_bench.measure import callgrind
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.measure.session import PROFILES, Profile
from tests.cli.factories import CASES, Run
from tests.scripted import Script, suite


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in an empty folder; returns exit code, output and error output."""
    monkeypatch.chdir(tmp_path)
    # The scripted worker counts without valgrind.
    monkeypatch.setattr(callgrind, "explain_unavailability", lambda: "")
    small = Profile("quick", workers=6, samples=4, block_cases=2)
    monkeypatch.setitem(PROFILES, "quick", small)

    def running(*arguments: str, script: Script | None = None) -> tuple[int, str, str]:
        monkeypatch.setattr(main, "LAUNCHER", ScriptedLauncher(script or suite(CASES)))
        code = main.main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return running
