"""A judgement as JUnit's XML, which Jenkins, GitLab and others show as tests.

No schema is official; the attributes are those of the Jenkins JUnit plug-in and of pytest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as ET

from resilience_bench._model import Judgement, Outcome, Verdict
from resilience_bench.report.blocks import plain
from resilience_bench.report.verdicts import MARKS, WORST_FIRST, evidence, summary

NAME: Final = "resilience-bench"
TAGS: Final = {"regressed": "failure", "inconclusive": "skipped", "not measured": "skipped"}


def render(judgement: Judgement) -> str:
    """One suite, and a test a case and quantity; a regression fails, what is undecided is skipped.

    Every text goes through `plain`, which leaves no character that XML forbids.
    """
    tests: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for verdict in judgement.verdicts:
        tests[verdict.case, verdict.quantity or verdict.signal].append(verdict)
    cases = [_test(name, quantity, members) for (name, quantity), members in tests.items()]
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": "0",
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
        "time": "0",
    }
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", {"name": NAME, **counts})
    suite.append(_properties(judgement))
    suite.extend(cases)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _properties(judgement: Judgement) -> ET.Element:
    values = {"title": judgement.title, "summary": summary(judgement)}
    for kind, lines in (("headline", judgement.headline), ("note", judgement.notes)):
        values |= {f"{kind} {number}": line for number, line in enumerate(lines, start=1)}
    properties = ET.Element("properties")
    for name, value in values.items():
        ET.SubElement(properties, "property", {"name": name, "value": plain(value)})
    return properties


def _test(name: str, quantity: str, verdicts: Sequence[Verdict]) -> ET.Element:
    # A range and a budget may judge the same quantity: readers want a name once.
    ordered = sorted(verdicts, key=lambda each: WORST_FIRST.index(each.outcome))
    family = plain(name.partition(".")[0])
    attributes = {"classname": family, "name": plain(f"{name} {quantity}"), "time": "0"}
    test = ET.Element("testcase", attributes)
    worst = ordered[0]
    if worst.outcome in TAGS:
        message = f"{_mark(worst.outcome)}: {evidence(worst)}"
        tag = ET.SubElement(test, TAGS[worst.outcome], {"message": message})
        tag.text = "\n".join(line for verdict in ordered for line in _evidence(verdict))
    return test


def _mark(outcome: Outcome) -> str:
    return MARKS.get(outcome, outcome)


def _evidence(verdict: Verdict) -> list[str]:
    steps = [f"{number}. {plain(step)}" for number, step in enumerate(verdict.steps, start=1)]
    return [f"{_mark(verdict.outcome)}: {plain(verdict.case)} {evidence(verdict)}", *steps]
