"""The committed dashboards, as the tests read them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.monitoring.rules import MONITORING

FILES = sorted((MONITORING / "dashboards").glob("*.json"))
VARIABLES = {
    "$job": "shop",
    "$instance": ".+",
    "$guard": ".+",
    "$machine": ".+",
    "$library": "resilience_stack",
    "$family": "breaker|composed|real",
    "$__rate_interval": "1h",
}
"""What the tests choose on the dashboards; the interval is longer than the tests' history."""
PARTS_OF_METRICS = re.compile(r"\b((?:resilience|up)\w*)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
GROUPING = re.compile(r"\b(?:by|on|group_left|group_right|without|ignoring)\s*\(([^)]*)\)")
TARGET_LABELS = frozenset({"job", "instance"})
"""What Prometheus adds to all series of a target."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression and where it stands."""

    board: str
    title: str
    number: int
    expr: str

    def fill(self, chosen: Mapping[str, str] = VARIABLES) -> str:
        """Return the expression with values in place of its variables."""
        filled = self.expr
        for name, value in chosen.items():
            filled = filled.replace(name, value)
        assert "$" not in filled, filled
        return filled


def read_board(name: str) -> dict[str, Any]:
    """One dashboard."""
    board: dict[str, Any] = json.loads((MONITORING / "dashboards" / f"{name}.json").read_text())
    return board


def list_panels(board: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Return the panels with data, those in rows too."""
    for panel in board["panels"]:
        yield from panel.get("panels") or ()
        if panel["type"] != "row":
            yield panel


def list_expressions() -> list[Expression]:
    """Return every expression of every panel."""
    return [
        Expression(path.stem, panel["title"], number, target["expr"])
        for path in FILES
        for panel in list_panels(json.loads(path.read_text()))
        for number, target in enumerate(panel["targets"])
    ]


def find_unknown(expr: str, exported: Mapping[str, frozenset[str]]) -> list[str]:
    """Return which metrics and labels of an expression nobody exports.

    ``exported`` has the labels of each metric by its name.
    """
    bare = re.sub(r"\$\w+", "x", expr)
    selectors = [
        (name, set(MATCHER.findall(matchers)))
        for name, matchers in PARTS_OF_METRICS.findall(re.sub(r'"[^"]*"', '""', bare))
    ]
    unknown = [f"metric {name}" for name, _ in selectors if name not in exported]
    known = [name for name, _ in selectors if name in exported]
    for name, labels in selectors:
        if name in exported:
            missing = labels - exported[name] - TARGET_LABELS
            unknown += [f"label {label} of {name}" for label in sorted(missing)]
    anywhere = TARGET_LABELS.union(*(exported[name] for name in known))
    for listed in GROUPING.findall(bare):
        names = {label.strip() for label in listed.split(",")} - {""}
        unknown += [f"label {label}" for label in sorted(names - anywhere)]
    return unknown
