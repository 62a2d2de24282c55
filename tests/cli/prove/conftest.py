"""``prove``, run in a folder of its own with scripted workers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from resilience_bench.cli import main
from resilience_bench.measure import callgrind, recording
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.measure.session import PROFILES, Profile
from resilience_bench.selftest import proof_file
from tests.cli.prove.factories import Prove, planting
from tests.factories import make_environment
from tests.scripted import Script


@pytest.fixture
def prove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Prove:
    """Runs the command with scripted workers; returns exit code, output and error output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "mine.py").write_text("from resilience_bench import scenario\n")
    monkeypatch.setattr(callgrind, "explain_unavailability", lambda: "")
    monkeypatch.setitem(PROFILES, "quick", Profile("quick", workers=6, samples=4))
    for module in (recording, proof_file):  # looking at every package takes longer than a build
        monkeypatch.setattr(module, "detect_environment", make_environment)
    monkeypatch.setattr(recording, "find_commit", lambda _: None)

    def proving(
        *arguments: object, script: Script | None = None, selectors: Sequence[str] = ("mine.py",)
    ) -> tuple[int, str, str]:
        monkeypatch.setattr(main, "LAUNCHER", ScriptedLauncher(script or planting()))
        options = ["--plant", "30", "--planted-cases", "2", "--drawn", "2"]
        code = main.main(["prove", *selectors, *options, *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return proving
