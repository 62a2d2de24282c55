"""The files of monitoring/ and promtool, as the tests use them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT, require

MONITORING = ROOT / "monitoring"
ALERT_FILES = sorted((MONITORING / "alerts").glob("*.yml"))
RECORDING_FILES = sorted((MONITORING / "recording").glob("*.yml"))
RULE_FILES = [*ALERT_FILES, *RECORDING_FILES]
LONG_TEST_FILES = [MONITORING / "tests" / f"{name}.yml" for name in ("outages", "healthy-day")]
"""Those that a script makes: ten outages, and a day without any."""
TEST_FILES = sorted({*(MONITORING / "tests").glob("*.yml")} - {*LONG_TEST_FILES})


def read(path: Path) -> Any:
    """The content of a YAML file."""
    return yaml.safe_load(path.read_text())


def list_rules(*paths: Path) -> list[dict[str, Any]]:
    """All rules of these files."""
    return [rule for path in paths for group in read(path)["groups"] for rule in group["rules"]]


ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for rule in list_rules(*ALERT_FILES)}


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool, or skip the test where it is missing."""
    return subprocess.run(
        [require("promtool"), *map(str, arguments)], capture_output=True, text=True, check=False
    )
