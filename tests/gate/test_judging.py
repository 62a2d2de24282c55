"""Criteria judged on evidence: in which order, and why something is not measured."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from resilience_bench._model import (
    CaseRecord,
)
from resilience_bench.gate.criteria import (
    judge,
)
from resilience_bench.gate.trial import Criterion, Evidence, Observations, Policy
from resilience_bench.measure.counting import SIGNALS
from resilience_bench.stats.trimmed_t import FEWEST
from tests.factories import make_record
from tests.gate.criteria_factories import ONE, TWO, known

AGAIN = "measure again on a quieter machine"


@dataclass(slots=True)
class Source:
    """A source in which every number of every case is 10, and that notes what was asked."""

    cases: Mapping[str, CaseRecord]
    signals: Collection[str] = SIGNALS
    not_available: Mapping[str, str] = field(default_factory=dict)
    silent: Collection[str] = ()
    asked: list[tuple[str, set[str]]] = field(default_factory=list)

    def draw_latencies(self, workers: int, cases: Collection[str]) -> Evidence:
        """Numbers of the ratio and of the overhead."""
        self.asked.append(("latencies", set(cases)))
        return self._report(("ratio", "overhead_ns"), cases, (10.0, 10.1, 10.01, 9.99, 9.9))

    def draw_counts(self, processes: int, cases: Collection[str]) -> Evidence:
        """Numbers of everything else."""
        self.asked.append(("counts", set(cases)))
        quantities = ("instructions", "allocated_bytes", "object_bytes")
        return self._report(quantities, cases, (10.0,))

    def draw_loads(self, workers: int, cases: Collection[str]) -> Evidence:
        """Numbers of the rate under load."""
        self.asked.append(("scalings", set(cases)))
        return self._report(("scaling",), cases, (0.5, 0.51, 0.5, 0.49, 0.5))

    def _report(
        self, quantities: Sequence[str], cases: Collection[str], values: tuple[float, ...]
    ) -> Evidence:
        return {
            (case, quantity, False): Observations(values)
            for case in cases
            if case not in self.silent
            for quantity in quantities
        }


def asked_of(case: str = ONE.name, signal: str = "latency", quantity: str = "ratio") -> Criterion:
    """A question that the source answers with "within"."""
    return Criterion(case, signal, quantity, 11.0, 9.0, 10.0)


def test_counts_are_decided_first_and_verdicts_keep_their_order() -> None:
    """Latency gets what is left of the time; each verdict answers its question."""
    source = Source(known(make_record(ONE), make_record(TWO)))
    questions = [
        asked_of(ONE.name, "instructions", "instructions"),
        asked_of(TWO.name),
        asked_of(ONE.name),
        asked_of(TWO.name, "allocations", "object_bytes"),
    ]
    found = judge(questions, source, Policy())
    assert [name for name, _ in source.asked] == ["counts", "latencies"]
    assert [(each.case, each.quantity) for each in found] == [
        (question.case, question.quantity) for question in questions
    ]
    assert {each.outcome for each in found} == {"within"}


@pytest.mark.parametrize(
    ("signal", "drawn"), [("latency", "latencies"), ("instructions", "counts")]
)
def test_only_what_is_asked_about_is_drawn(signal: str, drawn: str) -> None:
    """Without a question about a signal no process measures it."""
    source = Source(known(make_record(ONE)))
    quantity = "ratio" if signal == "latency" else signal
    judge([asked_of(ONE.name, signal, quantity)], source, Policy())
    assert source.asked == [(drawn, {ONE.name})]


@pytest.mark.parametrize(
    ("record", "more", "reason"),
    [
        (make_record(ONE, "broken", "ran twice"), {}, "broken: ran twice"),
        (make_record(ONE, "failed", "SIGSEGV"), {}, "failed: SIGSEGV"),
        (make_record(ONE, "not installed", "pip"), {}, "not installed: pip"),
        (make_record(ONE, "not available", "cannot"), {}, "not available: cannot"),
        (replace(make_record(ONE), missing={"latency": "too odd"}), {}, "too odd"),
        (make_record(ONE), {"not_available": {"latency": "no clock"}}, "latency: no clock"),
        (make_record(ONE), {"signals": ["instructions"]}, "latency was not measured"),
        (make_record(TWO), {}, "there is no such case any more"),
    ],
)
def test_what_cannot_be_measured_says_why_and_is_not_tried(
    record: CaseRecord, more: dict[str, Any], reason: str
) -> None:
    """The verdict keeps the range, so that a report can show what was expected."""
    source = Source(known(record), **more)
    [found] = judge([asked_of()], source, Policy())
    assert found.outcome == "not measured"
    assert found.reason.startswith(reason)
    assert (found.expected, found.low, found.high, found.seen) == (10.0, 9.0, 11.0, None)
    assert source.asked == []


def test_a_missing_signal_leaves_the_others() -> None:
    """A case without instructions is still judged by its latency."""
    source = Source(known(replace(make_record(ONE), missing={"instructions": "SIGSEGV"})))
    questions = [asked_of(), asked_of(ONE.name, "instructions", "instructions")]
    found = judge(questions, source, Policy())
    assert [each.outcome for each in found] == ["within", "not measured"]
    assert found[1].reason == "SIGSEGV"


@pytest.mark.parametrize(
    ("signal", "quantity", "reason"),
    [
        (
            "latency",
            "ratio",
            f"fewer than {FEWEST} workers measured it at the machine's best speed; {AGAIN}",
        ),
        ("instructions", "instructions", "no process measured it"),
    ],
)
def test_what_nobody_said_anything_of_is_not_measured(
    signal: str, quantity: str, reason: str
) -> None:
    """A case that ought to have numbers and has none says so."""
    source = Source(known(make_record(ONE)), silent=[ONE.name])
    [found] = judge([asked_of(ONE.name, signal, quantity)], source, Policy())
    assert (found.outcome, found.reason) == ("not measured", reason)


def test_what_turned_out_while_measuring_is_the_reason() -> None:
    """A case that its first worker finds broken says what the worker found."""

    @dataclass(slots=True)
    class Finding(Source):
        def draw_latencies(self, workers: int, cases: Collection[str]) -> Evidence:
            self.cases = known(make_record(ONE, "broken", "ran twice"))
            return {}

    source = Finding(known(make_record(ONE, "interrupted", "the run ended before it")))
    [found] = judge([asked_of()], source, Policy())
    assert (found.outcome, found.reason) == ("not measured", "broken: ran twice")


def test_why_a_count_is_missing_is_known_when_it_is_decided() -> None:
    """What the workers of the latency say of the case later on does not take the reason away."""

    @dataclass(slots=True)
    class Forgetting(Source):
        def draw_counts(self, processes: int, cases: Collection[str]) -> Evidence:
            self.cases = known(replace(make_record(ONE), missing={"instructions": "SIGSEGV"}))
            return {}

        def draw_latencies(self, workers: int, cases: Collection[str]) -> Evidence:
            self.cases = known(make_record(ONE))
            return self._report(("ratio",), cases, (10.0,) * 5)

    source = Forgetting(known(make_record(ONE, "interrupted", "the run ended before it")))
    questions = [asked_of(), asked_of(ONE.name, "instructions", "instructions")]
    found = judge(questions, source, Policy())
    assert [(each.outcome, each.reason) for each in found] == [
        ("within", ""),
        ("not measured", "SIGSEGV"),
    ]


def test_a_budget_and_a_range_are_two_decisions() -> None:
    """Each of them is answered with its own limits."""
    source = Source(known(make_record(ONE)))
    questions = [asked_of(), Criterion(ONE.name, "latency", "overhead_ns", 5.0, reason="budget")]
    found = judge(questions, source, Policy())
    assert [each.outcome for each in found] == ["within", "regressed"]
    assert found[1].reason == "budget"
