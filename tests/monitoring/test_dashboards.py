"""The dashboards: made by the script, well laid out, of metrics that are exported."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.monitoring.panels import FILES, find_unknown, list_expressions, list_panels
from tests.monitoring.rules import MONITORING, RECORDING_FILES, RULE_FILES, list_rules

RUNBOOKS = ROOT / "docs" / "stack" / "runbooks"
UNITS = {"short", "reqps", "ops", "percentunit", "s", "none", "bytes"}
"""Names that Grafana has for units."""
BOARDS = [json.loads(path.read_text()) for path in FILES]
each_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board["uid"])


def test_the_files_are_what_the_script_makes(tmp_path: Path) -> None:
    """What scripts/dashboards writes is what is committed, file for file."""
    command = [sys.executable, "scripts/lib/dashboards.py", "--output", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert len(written) == 3
    committed = {path.name: path.read_text() for path in FILES}
    assert committed == written, "type 'scripts/dashboards' and commit the files"


@each_board
def test_panels_fill_the_grid_without_overlapping(board: dict[str, Any]) -> None:
    """No two panels, rows included, have a field of the grid in common, or reach beyond it."""
    places = [panel["gridPos"] for panel in board["panels"]]
    fields = [
        set(
            itertools.product(
                range(place["x"], place["x"] + place["w"]),
                range(place["y"], place["y"] + place["h"]),
            )
        )
        for place in places
    ]
    assert all(0 <= x < 24 for x, _ in set().union(*fields))
    assert sum(map(len, fields)) == len(set().union(*fields))
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)


@each_board
def test_every_panel_says_what_it_shows_and_in_which_unit(board: dict[str, Any]) -> None:
    """Each panel has a title, a sentence, a unit that Grafana knows, and a query."""
    panels = list(list_panels(board))
    assert len(panels) >= 8
    for panel in panels:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert [target["refId"] for target in panel["targets"]]
        assert panel["datasource"]["uid"] == "${datasource}"


@each_board
def test_job_instance_and_guard_can_be_chosen(board: dict[str, Any]) -> None:
    """The variables of the issue are there, each used by a panel; no panel uses another one."""
    names = {variable["name"] for variable in board["templating"]["list"]}
    assert {"datasource", "job", "instance", "guard"} <= names
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(board["panels"])))
    assert {"job", "instance", "guard"} <= used
    assert {name for name in used if not name.startswith("__")} <= names


@each_board
def test_a_guard_leads_to_its_runbook(board: dict[str, Any]) -> None:
    """The links of the panels lead to pages that exist."""
    links = [
        link["url"]
        for panel in list_panels(board)
        for link in panel["fieldConfig"]["defaults"].get("links") or ()
    ]
    assert links
    for link in links:
        page = re.fullmatch(r"\$\{runbooks\}/([\w-]+)\?guard=\$\{__field.labels.guard:.*", link)
        assert page
        assert (RUNBOOKS / f"{page[1]}.md").is_file()


def test_there_is_a_state_timeline_and_a_row_for_each_guard() -> None:
    """The dashboard of the guards shows the breakers over time, then repeats a row."""
    [board] = [board for board in BOARDS if board["uid"] == "resilience"]
    assert "state-timeline" in {panel["type"] for panel in board["panels"]}
    [row] = [panel for panel in board["panels"] if panel.get("repeat")]
    assert row["repeat"] == "guard"
    below = board["panels"][board["panels"].index(row) + 1 :]
    assert [panel["title"] for panel in below][:6] == [
        "Calls by outcome",
        "Failure share",
        "Latency",
        "Retries",
        "Fallbacks by source",
        "Time in each state",
    ]


def test_every_expression_is_of_what_is_exported(exported: dict[str, frozenset[str]]) -> None:
    """Panels and rules name only metrics and labels that the stack and the suite export."""
    known = exported | {
        rule["record"]: frozenset({"guard", "outcome"}) for rule in list_rules(*RECORDING_FILES)
    }
    exprs = [each.expr for each in list_expressions()]
    exprs += [rule["expr"] for rule in list_rules(*RULE_FILES)]
    # Recorded series have colons in their names; what is after the colon is no metric.
    names = {f"resilience_recorded_{number}": name for number, name in enumerate(sorted(known))}
    for expr in exprs:
        text = expr
        for short, name in names.items():
            text = text.replace(name, short) if ":" in name else text
        labels = {short: known[name] for short, name in names.items()} | exported
        assert find_unknown(text, labels) == [], expr


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("resilience_calls_total", "resilience_guarded_calls_total"),
        ('outcome="failure"', 'result="failure"'),
        ("by (guard, outcome)", "by (guard, result)"),
        ("resilience_breaker_state{", "resilience_state{"),
    ],
)
def test_a_dashboard_of_other_metrics_is_noticed(
    exported: dict[str, frozenset[str]], before: str, after: str
) -> None:
    """A metric or a label of another version is named, instead of an empty panel."""
    changed = [each.expr for each in list_expressions() if before in each.expr]
    assert changed
    for expr in changed:
        assert find_unknown(expr.replace(before, after), exported), expr


def test_provisioning_finds_the_dashboards() -> None:
    """Grafana's own configuration names a Prometheus and the folder of the dashboards."""
    import yaml

    folder = MONITORING / "grafana" / "provisioning"
    [source] = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    assert source["type"] == "prometheus"
    [provider] = yaml.safe_load((folder / "dashboards" / "resilience.yml").read_text())["providers"]
    assert provider["options"]["path"].endswith("/dashboards/resilience")
