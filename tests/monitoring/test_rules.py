"""The rules: promtool accepts them, and each alert fires and stays silent where it should."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.monitoring.rules import ALERTS, MONITORING, RULE_FILES, TEST_FILES, promtool, read

RUNBOOKS = ROOT / "docs" / "stack" / "runbooks"
BASE_URL = "https://resilience-bench.example/stack/runbooks/"


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    """Every file of rules passes promtool's check."""
    checked = promtool("check", "rules", "--lint-fatal", *RULE_FILES)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.stem)
def test_alerts_fire_and_stay_silent_as_their_series_say(path: Path) -> None:
    """All series of a file of promtool's tests have the alerts that the file names."""
    tested = promtool("test", "rules", path)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_that_never_fires_fails_its_tests(alert: str, tmp_path: Path) -> None:
    """Promtool's tests see it when an alert is taken away: none of them passes for nothing."""
    copy = tmp_path / "monitoring"
    shutil.copytree(MONITORING, copy)
    for path in (copy / "alerts").glob("*.yml"):
        path.write_text(path.read_text().replace(f"alert: {alert}\n", "alert: Another\n"))
    files = [path for path in (copy / "tests").glob("*.yml") if alert in path.read_text()]
    assert files
    assert promtool("test", "rules", *files).returncode != 0


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_series_that_fire_it_and_series_that_do_not(alert: str) -> None:
    """Each alert has a test with its labels and texts, and one that sees it pending or absent."""
    tests = [test for path in TEST_FILES for test in read(path)["tests"]]
    fired = [
        entry
        for test in tests
        for entry in test.get("alert_rule_test", ())
        if entry["alertname"] == alert and entry["exp_alerts"]
    ]
    assert fired
    mine = [test for test in tests if alert in str(test)]
    assert any(entry["exp_samples"] == [] for test in mine for entry in test["promql_expr_test"])
    if "for" in ALERTS[alert]:
        pending = f'alertname="{alert}", alertstate="pending"'
        assert any(pending in str(test["promql_expr_test"]) for test in mine)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_what_is_wrong_and_where_to_read_on(alert: str) -> None:
    """Each alert has a severity, a summary, a description and the address of a page that exists."""
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"warning", "critical"}
    texts = rule["annotations"]
    assert set(texts) == {"summary", "description", "runbook_url"}
    assert "{{ $labels.job }}" in texts["summary"]
    assert texts["runbook_url"].startswith(BASE_URL)
    page = RUNBOOKS / f"{texts['runbook_url'].removeprefix(BASE_URL)}.md"
    text = page.read_text()
    assert f"`{alert}`" in text
    assert {"## What it means", "## What to look at", "## What to do"} <= set(
        re.findall(r"^## .*$", text, re.MULTILINE)
    )


def test_every_page_belongs_to_an_alert() -> None:
    """No runbook is left of an alert that is gone."""
    named = {rule["annotations"]["runbook_url"].removeprefix(BASE_URL) for rule in ALERTS.values()}
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == named
