"""The rules of the demo's Prometheus: those of monitoring/, with times divided by one factor."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from demo.errors import DemoError
from demo.rules import read_rules, shorten
from tests.monitoring.rules import MONITORING, RULE_FILES, list_rules


@pytest.mark.parametrize(
    ("duration", "speed", "expected"),
    [
        ("5m", 60, "5000ms"),
        ("1h30m", 60, "90000ms"),
        ("15s", 60, "250ms"),
        ("1d", 20, "4320000ms"),
        ("500ms", 1000, "1ms"),
        ("1w", 60, "10080000ms"),
        ("6h", 1, "6h"),
    ],
)
def test_a_duration_is_divided(duration: str, speed: float, expected: str) -> None:
    """All units of Prometheus are read; nothing becomes 0."""
    assert shorten(duration, speed) == expected


def test_all_rules_are_there_with_their_times_divided() -> None:
    """Each rule keeps its name, labels and texts; only its times differ."""
    made = {
        (rule.get("alert") or rule["record"]): rule
        for text in read_rules(MONITORING, 60).values()
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
    }
    rules = list_rules(*RULE_FILES)
    assert len(rules) == len(made) > 20
    for rule in rules:
        copy = made[rule.get("alert") or rule["record"]]
        assert copy.get("annotations") == rule.get("annotations")
        assert copy.get("labels") == rule.get("labels")
        assert "m]" not in copy["expr"].replace("ms]", "")
        if "for" in rule:
            assert copy["for"] == shorten(rule["for"], 60)
    flapping = made["ResilienceBreakerFlapping"]["expr"]
    assert "[15000ms:250ms]" in flapping


def test_at_speed_one_the_rules_are_those_that_are_committed() -> None:
    """Nothing is changed for a Prometheus that runs as in production."""
    texts = read_rules(MONITORING, 1)
    written = [yaml.safe_load(text) for _, text in sorted(texts.items())]
    committed = sorted(RULE_FILES, key=lambda path: f"{path.parent.name}-{path.name}")
    assert written == [yaml.safe_load(path.read_text()) for path in committed]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"groups: [", "while parsing a flow node"),
        (b"", "expected a key 'groups' with a list of groups"),
        (b"[]", "expected a key 'groups' with a list of groups"),
        (b"{}", "expected a key 'groups' with a list of groups"),
        (b"groups: 1", "expected a key 'groups' with a list of groups"),
        (b"groups: []", "expected a key 'groups' with a list of groups"),
        (b"groups: [1]", "expected in each group a key 'rules' with a list of rules"),
        (b"groups: [{name: a}]", "expected in each group a key 'rules' with a list of rules"),
        (b"groups: [{rules: [1]}]", "expected in each rule a key 'expr' with a text"),
        (b"groups: [{rules: [{}]}]", "expected in each rule a key 'expr' with a text"),
        (b"groups: [{rules: [{expr: up, for: 5}]}]", "for is 5, expected a duration such as '5m'"),
        (b"groups: [{rules: [{expr: up, for: soon}]}]", "for is 'soon', expected a duration"),
        (b"groups: [{rules: [{expr: up, for: 5m x}]}]", "for is '5m x', expected a duration"),
        (b"\xff\xfe", "can't decode byte 0xff"),
    ],
)
def test_a_file_that_holds_no_rules_is_named(text: bytes, said: str, tmp_path: Path) -> None:
    """The message has the path, what was expected and what to type, in one line."""
    (tmp_path / "alerts").mkdir()
    path = tmp_path / "alerts" / "mine.yml"
    path.write_bytes(text)
    with pytest.raises(DemoError) as caught:
        read_rules(tmp_path, 60)
    assert str(caught.value).startswith(f"{path} is broken: ")
    assert said in str(caught.value)
    assert str(caught.value).endswith("; mend it, or name other rules: --rules FOLDER")
    assert "\n" not in str(caught.value)


@pytest.mark.needs("promtool")
def test_a_rule_that_prometheus_would_refuse_is_named(tmp_path: Path) -> None:
    """An expression that is none is found before Prometheus is started."""
    copy = tmp_path / "monitoring"
    shutil.copytree(MONITORING, copy)
    path = copy / "alerts" / "calls.yml"
    path.write_text(path.read_text().replace("sum by", "sum sum by"))
    with pytest.raises(DemoError, match=r"alerts/calls\.yml is broken: .*parse error"):
        read_rules(copy, 60)


def test_a_folder_without_rules_is_refused(tmp_path: Path) -> None:
    """Nobody watches a Prometheus that has no rules for alerts."""
    with pytest.raises(DemoError, match="there is no rule file below"):
        read_rules(tmp_path, 60)
