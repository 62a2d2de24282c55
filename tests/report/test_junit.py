"""JUnit's XML, as a reader of tests sees it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from resilience_bench._model import Estimate
from resilience_bench._verdicts import Judgement, Verdict
from resilience_bench.report import junit
from tests.report.judgement_factories import (
    HOSTILE,
    bare,
    budgeted,
    counted,
    make_judgement,
    regressed,
    sample,
)


def suite_of(judgement: Judgement) -> ET.Element:
    """The suite in the XML."""
    root = ET.fromstring(junit.render(judgement))
    assert root.tag == "testsuites"
    (suite,) = root
    return suite


def test_counts_are_those_of_the_tests() -> None:
    """The attributes say how many tests there are, and how many failed or were skipped."""
    suite = suite_of(sample())
    assert len(suite.findall("testcase")) == int(suite.attrib["tests"]) == 16
    assert len(suite.findall("testcase/failure")) == int(suite.attrib["failures"]) == 4
    assert len(suite.findall("testcase/skipped")) == int(suite.attrib["skipped"]) == 10
    assert suite.attrib["errors"] == "0"
    assert all("time" in value.attrib for value in (suite, *suite.findall("testcase")))


def test_a_regression_fails_with_its_evidence() -> None:
    """The message is one line, the text has the steps of the decision."""
    suite = suite_of(make_judgement(regressed()))
    (test,) = suite.findall("testcase")
    assert test.attrib["classname"] == "breaker"
    assert test.attrib["name"] == "breaker.closed_success[pybreaker] ratio"
    (failure,) = test
    assert failure.attrib["message"] == (
        "REGRESSED: latency +23.4 %: seen 1.617 (1.580 - 1.660), expected 1.310, "
        "range 1.179 - 1.441, by chance: 1 in 40,000"
    )
    assert failure.text
    assert "2. 24 workers: above the range" in failure.text.splitlines()


def test_doubts_are_skipped_and_the_rest_passes() -> None:
    """Inconclusive and not measured are skipped with the reason; improved and within pass."""
    judgement = make_judgement(
        regressed("a.one", outcome="inconclusive", reason="time was up"),
        bare("a.two", "not measured", "valgrind is not installed", "instructions"),
        regressed("a.three", outcome="improved"),
        regressed("a.four", outcome="within"),
    )
    one, two, three, four = suite_of(judgement).findall("testcase")
    assert [value.tag for value in (*one, *two, *three, *four)] == ["skipped", "skipped"]
    assert one[0].attrib["message"].endswith("time was up")
    assert two.attrib["name"] == "a.two instructions"
    assert two[0].attrib["message"] == "not measured: instructions; valgrind is not installed"


def test_a_quantity_with_a_range_and_a_budget_is_one_test() -> None:
    """The worse verdict decides; the evidence has both."""
    within = counted(outcome="within")
    judgement = make_judgement(within, counted(low=None, expected=None, reason="a budget"))
    (test,) = suite_of(judgement).findall("testcase")
    (failure,) = test
    assert failure.tag == "failure"
    assert failure.text
    assert "a budget" in failure.text
    assert "within: breaker.closed_success" in failure.text


def test_the_headline_is_kept_as_properties() -> None:
    """Who reads the file later sees what was held against what."""
    suite = suite_of(make_judgement(budgeted(), notes=("mind this",)))
    values = {each.attrib["name"]: each.attrib["value"] for each in suite.iter("property")}
    assert values["title"] == "check against the baseline"
    assert values["headline 2"] == "24 workers at most"
    assert values["note 1"] == "mind this"
    assert values["summary"].startswith("1 case judged: 1 regressed")


def test_hostile_texts_stay_texts() -> None:
    """Control characters, half surrogates and markup leave XML that is read back."""
    evil = "]]> <x> & \x00\x08\x1b\ud800\ufffe \"'\n::error::"
    verdict = Verdict(
        HOSTILE, evil, evil, "regressed", seen=Estimate(1, 1, 1), reason=evil, steps=(evil,)
    )
    text = junit.render(Judgement(evil, (evil,), (verdict,), (evil,)))
    text.encode()
    (test,) = ET.fromstring(text).iter("testcase")
    assert "<script>alert(1)</script>" in test.attrib["name"]
    assert "]]> <x> &" in test[0].attrib["message"]


def test_an_empty_judgement_is_an_empty_suite() -> None:
    """No case, no test, and still valid."""
    suite = suite_of(Judgement("", (), ()))
    assert suite.attrib["tests"] == "0"
    assert suite.findall("testcase") == []
