"""What is asked of the gate, and what is said of that which could not be answered."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from resilience_bench._model import (
    Baseline,
    Budget,
    CaseRecord,
    Estimate,
    Outcome,
    Range,
    Verdict,
)
from resilience_bench.gate.criteria import (
    apply_null_control,
    describe_null_failure,
    find_cases_without_range,
    judge,
    make_baseline_criteria,
    make_budget_criteria,
    make_comparison_criteria,
    make_headline,
    select_relevant,
)
from resilience_bench.gate.decide import Criterion, Evidence, Observations, Policy
from resilience_bench.measure.counting import SIGNALS
from tests.factories import make_case, make_environment, make_record

ONE, TWO, RETRY = make_case("one"), make_case("two"), make_case("tenacity", "retry.first_try")
RANGE = Range(10.0, 9.0, 11.0, 5, 70, 0.01, "it was agreed on")
TOLERANCES = {
    "ratio": 0.03,
    "instructions": 0.005,
    "allocated_bytes": 0.05,
    "object_bytes": 0.05,
    "scaling": 0.1,
}
STATUSES = ("measured", "not installed", "not available", "broken", "failed", "interrupted")


def make_baseline(ranges: Mapping[str, Mapping[str, Range]]) -> Baseline:
    """A baseline with these ranges."""
    held = {name: dict(each) for name, each in ranges.items()}
    return Baseline(1, "0.1.0", 1, make_environment(), None, "2026-01-02", "first", held)


def known(*records: CaseRecord) -> dict[str, CaseRecord]:
    """Records by name."""
    return {record.case.name: record for record in records}


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
        return self._told(("ratio", "overhead_ns"), cases, (10.0, 10.1, 10.01, 9.99, 9.9))

    def draw_counts(self, processes: int, cases: Collection[str]) -> Evidence:
        """Numbers of everything else."""
        self.asked.append(("counts", set(cases)))
        quantities = ("instructions", "allocated_bytes", "object_bytes")
        return self._told(quantities, cases, (10.0,))

    def draw_scalings(self, workers: int, cases: Collection[str]) -> Evidence:
        """Numbers of the rate under load."""
        self.asked.append(("scalings", set(cases)))
        return self._told(("scaling",), cases, (0.5, 0.51, 0.5, 0.49, 0.5))

    def _told(
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


def verdict(
    outcome: Outcome, signal: str = "latency", seen: float | None = None, **more: Any
) -> Verdict:
    """A verdict on the first case."""
    quantity = None if seen is None else Estimate(seen, seen, seen)
    return Verdict(more.pop("case", ONE.name), signal, "ratio", outcome, seen=quantity, **more)


# Asking


def test_a_baseline_asks_for_each_of_its_ranges() -> None:
    """The limits, what is expected and the reason are those of the range."""
    ranges = {ONE.name: {"ratio": RANGE, "instructions": RANGE}, TWO.name: {"object_bytes": RANGE}}
    found = make_baseline_criteria(make_baseline(ranges), SIGNALS, lambda _: True)
    assert found == [
        Criterion(ONE.name, "latency", "ratio", 11.0, 9.0, 10.0, "it was agreed on"),
        Criterion(ONE.name, "instructions", "instructions", 11.0, 9.0, 10.0, "it was agreed on"),
        Criterion(TWO.name, "allocations", "object_bytes", 11.0, 9.0, 10.0, "it was agreed on"),
    ]


@pytest.mark.parametrize(
    ("signals", "quantities"),
    [
        (["latency"], ["ratio"]),
        (["instructions"], ["instructions"]),
        (["allocations"], ["allocated_bytes", "object_bytes"]),
        ([], []),
    ],
)
def test_a_baseline_asks_of_the_wanted_signals(signals: list[str], quantities: list[str]) -> None:
    """What is not to be judged is not asked."""
    baseline = make_baseline({ONE.name: dict.fromkeys(TOLERANCES, RANGE)})
    found = make_baseline_criteria(baseline, signals, lambda _: True)
    assert [each.quantity for each in found] == quantities


def test_a_baseline_asks_of_the_selected_cases() -> None:
    """Whoever selects a case is not told of the others."""
    baseline = make_baseline({ONE.name: {"ratio": RANGE}, TWO.name: {"ratio": RANGE}})
    found = make_baseline_criteria(baseline, SIGNALS, lambda name: name == TWO.name)
    assert [each.case for each in found] == [TWO.name]


def test_a_budget_asks_of_the_cases_that_it_matches() -> None:
    """There is an upper end only, and the reason says whose budget it is."""
    records = [make_record(each) for each in (ONE, TWO, RETRY)]
    budgets = [
        Budget("breaker.*", "overhead_ns", 5000.0, "a call must not notice"),
        Budget("*[two*", "object_bytes", 64.0, "thousands of them"),
    ]
    found = make_budget_criteria(budgets, SIGNALS, records)
    said = "budget breaker.*: a call must not notice"
    assert found == [
        Criterion(ONE.name, "latency", "overhead_ns", 5000.0, reason=said),
        Criterion(TWO.name, "latency", "overhead_ns", 5000.0, reason=said),
        Criterion(
            TWO.name, "allocations", "object_bytes", 64.0, reason="budget *[two*: thousands of them"
        ),
    ]
    assert [each.case for each in make_budget_criteria(budgets, ["allocations"], records)] == [
        TWO.name
    ]


@pytest.mark.parametrize("status", STATUSES)
def test_what_cannot_be_there_has_no_budget_and_is_not_compared(status: str) -> None:
    """A library that is not installed, or cannot do it, breaks no promise; a failure may."""
    is_possible = status not in {"not installed", "not available"}
    record = make_record(ONE, status)
    budgets = [Budget("*", "latency_ns", 1.0, "why")]
    assert bool(make_budget_criteria(budgets, SIGNALS, [record])) is is_possible
    assert bool(make_comparison_criteria(known(record), SIGNALS, TOLERANCES)) is is_possible


def test_a_comparison_asks_for_head_and_for_base_itself() -> None:
    """Ranges lie around 1, as wide below as above; allocations need no null control."""
    found = make_comparison_criteria(known(make_record(ONE)), SIGNALS, TOLERANCES)
    told = [(each.quantity, each.is_null, each.high) for each in found]
    assert told == [
        ("ratio", False, 1.03),
        ("ratio", True, 1.03),
        ("instructions", False, 1.005),
        ("instructions", True, 1.005),
        ("allocated_bytes", False, 1.05),
        ("object_bytes", False, 1.05),
    ]
    assert {each.expected for each in found} == {1.0}
    for each in found:
        assert each.low == pytest.approx(1 / each.high)
    latency = make_comparison_criteria(known(make_record(ONE)), ["latency"], TOLERANCES)
    assert [(each.signal, each.is_null) for each in latency] == [
        ("latency", False),
        ("latency", True),
    ]


# The null control


def doubted(
    *pairs: tuple[Verdict, bool],
) -> tuple[list[Verdict], list[str]]:
    """What the null control makes of verdicts, each with whether it is on BASE itself."""
    questions = [
        Criterion(each.case, each.signal, each.quantity, 1.1, 0.9, 1.0, is_null=is_null)
        for each, is_null in pairs
    ]
    kept, worst = apply_null_control(questions, [each for each, _ in pairs])
    return kept, [describe_null_failure(each, each.case) for each in worst.values()]


@pytest.mark.parametrize("flag", ["regressed", "improved"])
def test_a_flagged_base_takes_the_red_of_its_signal_only(flag: Outcome) -> None:
    """Nobody is blamed for a machine that cannot repeat itself; other signals are not touched."""
    kept, notes = doubted(
        (verdict("regressed"), False),
        (verdict(flag, seen=1.25), True),
        (verdict("improved", case=TWO.name), False),
        (verdict("within", case=RETRY.name), False),
        (verdict("regressed", "instructions"), False),
        (verdict("within", "instructions", 1.0), True),
    )
    assert [each.outcome for each in kept] == ["inconclusive", "improved", "within", "regressed"]
    assert kept[0].reason == "BASE differs from itself, see the note"
    [note] = notes
    assert f"latency of BASE measured twice differs, {ONE.name} by 1.250 times" in note
    assert "no regression in latency is reported" in note


def test_the_note_names_the_worst() -> None:
    """Half is as bad as twice; what differs most is named."""
    _, [note] = doubted(
        (verdict("regressed", seen=1.2), True),
        (verdict("improved", seen=0.5, case=TWO.name), True),
    )
    assert f"{TWO.name} by 0.500 times" in note


@pytest.mark.parametrize("outcome", ["within", "inconclusive", "not measured"])
def test_a_base_that_agrees_with_itself_changes_nothing(outcome: Outcome) -> None:
    """The verdicts on BASE are left out; nobody wants to read those."""
    red = verdict("regressed", seen=1.3)
    assert doubted((red, False), (verdict(outcome), True)) == ([red], [])


def test_each_signal_that_is_flagged_has_a_note() -> None:
    """Two signals, two notes."""
    _, notes = doubted(
        (verdict("regressed", seen=1.2), True), (verdict("regressed", "instructions", 1.2), True)
    )
    assert ["latency" in each for each in notes] == [True, False]


def test_a_base_that_counts_nothing_the_second_time_is_flagged() -> None:
    """A quotient of 0 has no logarithm, which is no reason to end with a traceback."""
    _, [note] = doubted((verdict("improved", "instructions", 0.0), True))
    assert "0.000 times" in note


# Answering


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
        (each.case, each.quantity) for each in questions
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
        ("latency", "ratio", "fewer than 4 workers measured it at the machine's best speed"),
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
            return self._told(("ratio",), cases, (10.0,) * 5)

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


# Leaving out, and counting


@pytest.mark.parametrize(
    ("statuses", "is_kept"),
    [
        (("not installed",), False),
        (("not installed", "not available"), False),
        (("not installed", "measured"), True),
        (("failed", "not available"), True),
        ((), False),
    ],
)
def test_what_is_available_nowhere_is_left_out(statuses: tuple[str, ...], *, is_kept: bool) -> None:
    """A comparison is not about cases that neither variant can do."""
    arms = [known(make_record(ONE, status)) for status in statuses]
    lost = verdict("not measured")
    assert select_relevant([lost], *arms) == ([lost] if is_kept else [])


def test_what_has_a_range_or_was_decided_is_never_left_out() -> None:
    """A case that the baseline knows and that can no longer be measured is worth a line."""
    ranged = verdict("not measured", low=0.9)
    within = verdict("within", case=TWO.name)
    gone = known(make_record(ONE, "not installed"))
    assert select_relevant([ranged, within], gone) == [ranged, within]


def test_cases_without_a_range_are_named() -> None:
    """Only measured ones: the others could have none."""
    records = [make_record(ONE), make_record(TWO), make_record(RETRY, "failed")]
    assert find_cases_without_range(records, make_baseline({ONE.name: {"ratio": RANGE}})) == [
        TWO.name
    ]


def test_the_headline_says_how_sure_the_gate_is() -> None:
    """The number of decisions and the error rate of a build."""
    line = make_headline(Policy(), [verdict("within")] * 3)
    assert line.startswith("3 decisions, ")
    assert "fewer than 0.001 of all builds" in line


def test_a_case_under_load_has_scaling_and_nothing_else() -> None:
    """Budgets and comparisons ask of it what it has; a budget of scaling is a lower end."""
    loaded = make_record(make_case().with_load("threads-16", "io"))
    plain = make_record(make_case())
    cases = [plain, loaded]
    budgets = [
        Budget("*", "scaling", 0.8, "shared by many"),
        Budget("*", "overhead_ns", 900.0, "called often"),
    ]
    asked = make_budget_criteria(budgets, SIGNALS, cases)
    assert {(each.case, each.quantity, each.low, each.high) for each in asked} == {
        (plain.case.name, "overhead_ns", None, 900.0),
        (loaded.case.name, "scaling", 0.8, None),
    }
    compared = make_comparison_criteria(known(*cases), SIGNALS, TOLERANCES)
    assert {each.quantity for each in compared if each.case == loaded.case.name} == {"scaling"}
    assert "scaling" not in {each.quantity for each in compared if each.case == plain.case.name}
