"""The rules: promtool accepts them, and each alert fires and stays silent where it should."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.monitoring.rules import (
    ALERT_FILES,
    ALERTS,
    LONG_TEST_FILES,
    MONITORING,
    RULE_FILES,
    TEST_FILES,
    promtool,
    read,
)

RUNBOOKS = ROOT / "docs" / "stack" / "runbooks"
BASE_URL = "https://resilience-bench.example/stack/runbooks/"


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    """Every file of rules passes promtool's check."""
    checked = promtool("check", "rules", "--lint-fatal", *RULE_FILES)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("path", [*TEST_FILES, *LONG_TEST_FILES], ids=lambda path: path.stem)
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
    files = [copy / "tests" / path.name for path in TEST_FILES if alert in path.read_text()]
    assert files
    assert any(promtool("test", "rules", path).returncode == 1 for path in files)


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


def test_the_long_tests_are_what_the_script_makes(tmp_path: Path) -> None:
    """What scripts/rule-tests writes is what is committed."""
    command = [sys.executable, "scripts/lib/rule_tests.py", "--output", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert set(written) == {path.name for path in LONG_TEST_FILES}
    committed = {path.name: path.read_text() for path in LONG_TEST_FILES}
    assert committed == written, "type 'scripts/rule-tests' and commit the files"


def test_ten_outages_fire_every_alert_at_least_once() -> None:
    """Each alert belongs to some of the ten outages; four of these are of public reports."""
    [outages] = [read(path)["tests"] for path in LONG_TEST_FILES if path.stem == "outages"]
    fired = {
        alert
        for test in outages
        for entry in test["promql_expr_test"]
        for sample in entry["exp_samples"]
        for alert in re.findall(r'alertname="(\w+)"', sample["labels"])
    }
    assert fired == set(ALERTS)
    assert len(outages) == 10
    assert sum(bool(re.search(r"'.*', \d+ \w+ \d{4}: ", test["name"])) for test in outages) == 4


Change = tuple[str, int, int, str]
"""A file of alerts, where a number begins and ends in it, and what is put there instead."""


def list_changed_limits() -> list[Change]:
    """Each limit of an alert a fifth lower and higher, and each "for" 30 s shorter and longer.

    Limits of 0 stay, and so do the comments.
    """
    found: list[Change] = []
    for path in ALERT_FILES:
        text = path.read_text()
        for limit in re.finditer(r"^[^#\n]*[<>]=? ([1-9][\d.]*|0\.\d+)", text, re.MULTILINE):
            values = [f"{float(limit[1]) * factor:g}" for factor in (0.8, 1.2)]
            found += [(path.name, *limit.span(1), value) for value in values]
        for minutes in re.finditer(r"^ +for: (\d+)m$", text, re.MULTILINE):
            values = [f"{60 * int(minutes[1]) + change}s" for change in (-30, 30)]
            found += [(path.name, minutes.start(1), minutes.end(), value) for value in values]
    return found


@pytest.mark.parametrize(
    "change", list_changed_limits(), ids=lambda change: "-".join(map(str, change))
)
def test_a_limit_that_moves_fails_a_test(change: Change, tmp_path: Path) -> None:
    """Promtool's tests know each limit of each alert, from both sides."""
    name, start, end, value = change
    copy = tmp_path / "monitoring"
    shutil.copytree(MONITORING, copy)
    rules = copy / "alerts" / name
    text = rules.read_text()
    rules.write_text(text[:start] + value + text[end:])
    assert promtool("check", "rules", rules).returncode == 0
    files = (copy / "tests" / known for known in ("limits.yml", name))
    assert any(promtool("test", "rules", path).returncode == 1 for path in files)


def test_every_limit_is_moved() -> None:
    """Each "for" is found, and a limit in each kind of alert that has one."""
    moved = {(name, start) for name, start, _, _ in list_changed_limits()}
    waits = sum("for" in rule for rule in ALERTS.values())
    limits = {"breaker.yml": 1, "calls.yml": 4, "fallbacks.yml": 1, "latency.yml": 6}
    assert len(moved) == waits + sum(limits.values())


def test_a_rule_that_is_too_eager_fires_on_the_healthy_day(tmp_path: Path) -> None:
    """The healthy day has failures and slow calls enough for a rule with a tenth of its limit."""
    copy = tmp_path / "monitoring"
    shutil.copytree(MONITORING, copy)
    calls = copy / "alerts" / "calls.yml"
    eager = calls.read_text().replace("ratio_rate5m > 0.1\n", "ratio_rate5m > 0.01\n")
    assert eager != calls.read_text()
    calls.write_text(eager)
    tested = promtool("test", "rules", copy / "tests" / "healthy-day.yml")
    assert tested.returncode != 0
    assert "ResilienceHighFailureShare" in tested.stdout + tested.stderr
