"""A judgement as JUnit's XML, which Jenkins, GitLab and others show as tests.

No schema is official; the attributes are those of the Jenkins JUnit plug-in and of pytest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as ET

from resilience_bench._verdicts import Judgement, Verdict
from resilience_bench.gate.verdicts import sort_worst_first
from resilience_bench.report.text import clean_text
from resilience_bench.report.verdicts import (
    format_evidence,
    format_outcome,
    make_verdict_row,
    summarise_judgement,
)

NAME: Final = "resilience-bench"
TAGS: Final = {"regressed": "failure", "inconclusive": "skipped", "not measured": "skipped"}


def render(judgement: Judgement) -> str:
    """Return one suite with a test for each case and quantity.

    A regression fails, what is undecided is skipped.

    Every text goes through `clean_text`, which leaves no character that XML forbids.
    """
    tests: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for verdict in judgement.verdicts:
        tests[verdict.case, verdict.quantity or verdict.signal].append(verdict)
    cases = [
        _make_test_case(name, quantity, members) for (name, quantity), members in tests.items()
    ]
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": "0",
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
        "time": "0",
    }
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", {"name": NAME, **counts})
    suite.append(_make_properties(judgement))
    suite.extend(cases)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _make_properties(judgement: Judgement) -> ET.Element:
    values = {"title": judgement.title, "summary": summarise_judgement(judgement)}
    for kind, lines in (("headline", judgement.headline), ("note", judgement.notes)):
        values |= {f"{kind} {number}": line for number, line in enumerate(lines, start=1)}
    properties = ET.Element("properties")
    for name, value in values.items():
        ET.SubElement(properties, "property", {"name": name, "value": clean_text(value)})
    return properties


def _make_test_case(name: str, quantity: str, verdicts: Sequence[Verdict]) -> ET.Element:
    # A range and a budget may judge the same quantity: readers want a name once.
    ordered = sort_worst_first(verdicts)
    family = clean_text(name.partition(".")[0])
    attributes = {"classname": family, "name": clean_text(f"{name} {quantity}"), "time": "0"}
    test = ET.Element("testcase", attributes)
    worst = ordered[0]
    if worst.outcome in TAGS:
        message = f"{format_outcome(worst.outcome)}: {format_evidence(make_verdict_row(worst))}"
        tag = ET.SubElement(test, TAGS[worst.outcome], {"message": message})
        tag.text = "\n".join(line for verdict in ordered for line in _explain_verdict(verdict))
    return test


def _explain_verdict(verdict: Verdict) -> list[str]:
    row = make_verdict_row(verdict)
    return [
        f"{format_outcome(row.outcome)}: {row.case} {format_evidence(row)}",
        *(f"{number}. {clean_text(step)}" for number, step in enumerate(verdict.steps, start=1)),
    ]
