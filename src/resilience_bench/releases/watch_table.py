"""A table of newer releases for the terminal: what each of them would cost."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from resilience_bench._verdicts import Judgement, Verdict
from resilience_bench.quantities import JUDGED
from resilience_bench.releases.table import STYLES, WORDS
from resilience_bench.releases.watch import Watched
from resilience_bench.report.blocks import NO_VALUE
from resilience_bench.report.text import clean_text

OUTCOMES: Final = {**WORDS, "inconclusive": "undecided"}
NO_CASE: Final = "not measured: no case needs it"
LEGEND: Final = "×: the newest release divided by the current one, in the case that changes most"


def render(
    watched: Sequence[Watched],
    judgements: Mapping[str, Judgement],
    reasons: Mapping[str, str],
    console: Console,
) -> None:
    """Print a row for each package: its releases, and what the newest would change.

    ``judgements`` and ``reasons`` (why a release was not measured) are by package.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("package", "current", "newest"):
        table.add_column(heading, no_wrap=True)
    table.add_column("cases", justify="right")
    table.add_column("what it would change")
    for one in watched:
        judgement = judgements.get(one.name)
        if judgement:
            found = _describe(judgement)
        else:
            found = Text(_explain(one, reasons.get(one.name, "")), style="dim")
        cases = str(one.cases or NO_VALUE)
        newest = one.newest if one.has_newer else "-"
        table.add_row(one.name, one.current or NO_VALUE, newest or NO_VALUE, cases, found)
    console.print(table)
    if judgements:
        console.print(Text(LEGEND, style="dim"))


def _explain(one: Watched, reason: str) -> str:
    if one.reason or reason:
        return clean_text(one.reason or f"not measured: {reason}")
    if one.has_newer:
        return NO_CASE
    return "nothing newer"


def _describe(judgement: Judgement) -> Text:
    """Count the cases by their outcome, and name the largest change of each way."""
    cases: dict[str, set[str]] = collections.defaultdict(set)
    for verdict in judgement.verdicts:
        cases[verdict.outcome].add(verdict.case)
    parts = [
        f"{len(cases[outcome])} {word}{_name_largest(judgement, outcome)}"
        for outcome, word in OUTCOMES.items()
        if cases[outcome]
    ]
    style = next((STYLES[outcome] for outcome in STYLES if cases[outcome]), "")
    return Text("; ".join(parts) or "nothing", style=style)


def _name_largest(judgement: Judgement, outcome: str) -> str:
    seen = [one for one in judgement.verdicts if one.outcome == outcome and one.seen]
    if outcome not in WORDS or not seen:
        return ""
    largest = max(seen, key=_compute_size)
    value = largest.seen.value if largest.seen else 1.0
    return f" ({clean_text(largest.case)}: {JUDGED[largest.quantity].heading} {value:,.3f} ×)"


def _compute_size(verdict: Verdict) -> float:
    """Return how large a change is, where half is as large as twice."""
    value = verdict.seen.value if verdict.seen else 1.0
    return max(value, 1 / value) if value > 0 else float("inf")
