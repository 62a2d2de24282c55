"""``releases``, with a fake index, scripted workers and no environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from resilience_bench.cli import main
from resilience_bench.cli import releases as cli_releases
from resilience_bench.environments import variants
from resilience_bench.measure import callgrind
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.measure.session import PROFILES, Profile
from resilience_bench.releases import prepare
from tests.cli.releases.factories import CASES, Machine, Run, list_releases
from tests.scripted import suite


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    """A machine without any environment."""
    one = Machine()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(callgrind, "explain_unavailability", lambda: "")
    monkeypatch.setattr(cli_releases.index, "list_releases", list_releases)
    monkeypatch.setattr(cli_releases, "create_shared_path", one.stage)
    monkeypatch.setattr(variants, "make", one.make)
    monkeypatch.setattr(variants, "query_environment", one.environment_of)
    monkeypatch.setattr(prepare, "check_import", lambda package, variant: "")
    monkeypatch.setitem(PROFILES, "quick", Profile("quick", workers=6, samples=4))
    return one


@pytest.fixture
def run(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs the command; returns exit code, output and error output."""

    def running(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(main, "LAUNCHER", ScriptedLauncher(suite(CASES)))
        code = main.main(["releases", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return running
