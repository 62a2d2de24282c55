"""The gate: what is certain at once, what is measured again, what stays open, how often it errs."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from resilience_bench._model import Outcome, Verdict
from resilience_bench.gate.decide import (
    Criterion,
    Evidence,
    Key,
    Observations,
    Policy,
    decide,
    extend_evidence,
)
from resilience_bench.gate.decide_counts import decide_counts
from resilience_bench.stats.trimmed_t import FEWEST

POLICY = Policy()
FIRST, SECOND = POLICY.confirm
WORKERS = max(POLICY.screen, SECOND)
Answer = Callable[[int, Collection[str]], Evidence]


def spread(value: float, workers: int, share: float = 0.01) -> Observations:
    """Numbers around a value, evenly spread, so that each test sees the same ones."""
    return Observations(tuple((value * (1 + share * np.linspace(-1, 1, workers))).tolist()))


def pair(head: float, base: float, workers: int, share: float = 0.01) -> Observations:
    """The numbers of two variants."""
    return Observations(spread(head, workers, share).heads, spread(base, workers, share).heads)


def ranged(case: str = "a", quantity: str = "ratio", width: float = 0.1) -> Criterion:
    """Whether a case that is expected to be 1 still is."""
    return Criterion(case, "latency", quantity, 1 + width, 1 - width, 1.0)


def compared(case: str, *, is_null: bool = False, most: float = 1.03) -> Criterion:
    """Whether HEAD, or BASE itself, is as dear as BASE."""
    return Criterion(case, "latency", "ratio", most, 1 / most, 1.0, is_null=is_null)


@dataclass(slots=True)
class Drawing:
    """Draws what a script says, for each draw the numbers by key, and notes what was asked."""

    script: Sequence[Mapping[Key, Callable[[int], Observations]]]
    asked: list[tuple[int, set[str]]] = field(default_factory=list)

    def __call__(self, workers: int, cases: Collection[str]) -> Evidence:
        """The numbers of the next draw, for the cases that are asked for."""
        told = self.script[min(len(self.asked), len(self.script) - 1)]
        self.asked.append((workers, set(cases)))
        return {key: made(workers) for key, made in told.items() if key[0] in cases}


def around(
    value: float, share: float = 0.01, case: str = "a", quantity: str = "ratio"
) -> dict[Key, Callable[[int], Observations]]:
    """A draw in which a case has numbers around a value."""
    return {(case, quantity, False): lambda workers: spread(value, workers, share)}


def versus(
    head: float, case: str = "a", share: float = 0.01, *, is_null: bool = False
) -> dict[Key, Callable[[int], Observations]]:
    """A draw in which HEAD, or BASE once more, has numbers around a multiple of BASE's."""
    return {(case, "ratio", is_null): lambda workers: pair(head, 1.0, workers, share)}


def decided(
    questions: Sequence[Criterion], *draws: Mapping[Key, Callable[[int], Observations]]
) -> tuple[list[Verdict], list[tuple[int, set[str]]]]:
    """The verdicts, and what was drawn for them."""
    drawing = Drawing(draws)
    return decide(questions, drawing, POLICY), drawing.asked


def outcomes(verdicts: Sequence[Verdict]) -> list[Outcome]:
    """The outcomes alone."""
    return [each.outcome for each in verdicts]


# Screening


@pytest.mark.parametrize(
    ("value", "outcome"), [(1.0, "within"), (1.5, "regressed"), (0.5, "improved")]
)
def test_what_is_clear_at_screening_is_not_drawn_again(value: float, outcome: Outcome) -> None:
    """A case far from its limits on either side is settled by the first workers."""
    [verdict], asked = decided([ranged()], around(value))
    assert verdict.outcome == outcome
    assert asked == [(POLICY.screen, {"a"})]
    assert verdict.workers == POLICY.screen
    assert verdict.seen
    assert verdict.seen.low < verdict.seen.value < verdict.seen.high
    assert verdict.seen.value == pytest.approx(value, rel=0.01)
    assert (verdict.expected, verdict.low, verdict.high) == (1.0, 0.9, 1.1)
    assert len(verdict.steps) == 1


def test_the_level_of_the_screening_is_shared_by_all_decisions() -> None:
    """Half of the error rate is for the screening, and each decision has its part of it."""
    questions = [ranged(case) for case in "abcde"]
    draws: dict[Key, Callable[[int], Observations]] = {}
    for case in "abcd":
        draws |= around(1.0, case=case)
    verdicts, _ = decided(questions, draws)
    levels = [each.level for each in verdicts]
    # Nobody measured "e", so it is no decision.
    assert levels == [pytest.approx(POLICY.error_rate / 2 / 4)] * 4 + [None]


def test_a_regression_is_certain_to_its_level_only() -> None:
    """The chance of a red verdict lies below its level, that of a green one says nothing."""
    for value in np.linspace(1.05, 1.3, 30):
        [verdict], asked = decided([ranged()], around(float(value), 0.05))
        assert verdict.p_value is not None
        assert verdict.level is not None
        assert (verdict.outcome == "regressed") == (verdict.p_value < verdict.level)
        assert len(asked) <= 1 + len(POLICY.confirm)


def test_verdicts_are_in_the_order_of_the_questions() -> None:
    """Whatever their outcomes and numbers of draws are."""
    values = {"e": 1.0, "b": 1.5, "d": 1.09, "a": 0.5, "c": 1.0}
    draws: dict[Key, Callable[[int], Observations]] = {}
    for case, value in values.items():
        draws |= around(value, 0.05, case)
    verdicts, _ = decided([ranged(case) for case in [*values, "lost"]], draws)
    assert [each.case for each in verdicts] == [*values, "lost"]
    assert outcomes(verdicts)[:2] == ["within", "regressed"]
    assert outcomes(verdicts)[3:] == ["improved", "within", "not measured"]


def test_one_case_may_be_asked_several_questions() -> None:
    """A range and a budget of the same case are decided one by one, from one draw."""
    questions = [ranged(), Criterion("a", "latency", "overhead_ns", 100.0)]
    told = around(1.0) | around(150.0, quantity="overhead_ns")
    verdicts, asked = decided(questions, told)
    assert outcomes(verdicts) == ["within", "regressed"]
    assert len(asked) == 1


@pytest.mark.parametrize("workers", range(FEWEST))
def test_too_few_workers_measure_nothing(workers: int) -> None:
    """A handful of numbers says nothing about its own spread, whatever it is."""
    key = ("a", "ratio", False)
    [verdict], asked = decided([ranged()], {key: lambda _: spread(9.0, workers)})
    assert verdict.outcome == "not measured"
    at_speed = "measured it at the machine's best speed"
    assert verdict.reason == f"fewer than {FEWEST} workers {at_speed}"
    assert (verdict.seen, verdict.p_value, verdict.steps) == (None, None, ())
    assert len(asked) == 1


@pytest.mark.parametrize(("heads", "bases"), [(FEWEST - 1, 20), (20, FEWEST - 1)])
def test_both_variants_need_enough_workers(heads: int, bases: int) -> None:
    """A comparison is as uncertain as its poorer half."""
    numbers = Observations(spread(9.0, heads).heads, spread(1.0, bases).heads)
    [verdict], _ = decided([compared("a")], {("a", "ratio", False): lambda _: numbers})
    assert verdict.outcome == "not measured"


def test_cases_may_have_different_numbers_of_workers() -> None:
    """Slow cases are measured by fewer workers, and judged among the others all the same."""
    told = {
        ("a", "ratio", False): lambda _: spread(1.0, 14),
        ("b", "ratio", False): lambda _: spread(1.5, 5),
        ("c", "ratio", False): lambda _: spread(1.0, 14),
    }
    verdicts, _ = decided([ranged(case) for case in "abc"], told)
    assert outcomes(verdicts) == ["within", "regressed", "within"]
    assert [each.workers for each in verdicts] == [14, 5, 14]


def test_nothing_asked_is_nothing_decided() -> None:
    """Without questions there are no verdicts."""
    assert decided([], {})[0] == []


# Confirmation


def test_what_is_borderline_is_drawn_again_for_its_case_only() -> None:
    """The others are settled and cost no more time; each draw is of fresh workers, counted up."""
    told = around(1.1) | around(1.0, case="b")
    verdicts, asked = decided([ranged(), ranged("b")], told)
    assert asked == [
        (POLICY.screen, {"a", "b"}),
        (FIRST, {"a"}),
        (SECOND - FIRST, {"a"}),
    ]
    assert outcomes(verdicts) == ["inconclusive", "within"]
    assert verdicts[0].reason == "not certain either way with the workers it was given"
    assert (verdicts[0].workers, len(verdicts[0].steps)) == (SECOND, 3)
    assert verdicts[0].level == pytest.approx(POLICY.error_rate / 2 / (1 * len(POLICY.confirm)))


@pytest.mark.parametrize(
    ("fresh", "outcome"), [(1.0, "within"), (1.5, "regressed"), (0.5, "improved")]
)
def test_a_confirmation_is_judged_on_fresh_numbers_alone(fresh: float, outcome: Outcome) -> None:
    """What made a case doubtful is no evidence any more: fresh workers start from nothing."""
    [verdict], asked = decided([ranged()], around(1.1, 0.05), around(fresh))
    assert asked == [(POLICY.screen, {"a"}), (FIRST, {"a"})]
    assert verdict.outcome == outcome
    assert verdict.workers == FIRST
    assert verdict.seen
    assert verdict.seen.value == pytest.approx(fresh, rel=0.01)


def test_the_second_look_has_all_fresh_workers() -> None:
    """The draws of a confirmation add up; those of the screening never join them."""
    [verdict], _ = decided([ranged()], around(1.1), around(1.09, 0.2), around(1.0))
    assert verdict.workers == SECOND
    assert verdict.seen
    assert 1.0 < verdict.seen.value < 1.09


def test_the_level_of_a_confirmation_is_shared_by_what_is_confirmed() -> None:
    """The other half of the error rate is divided by the doubtful decisions and the looks."""
    told = around(1.1) | around(1.1, case="b") | around(1.0, case="c")
    verdicts, _ = decided([ranged(case) for case in "abc"], told)
    confirmed = POLICY.error_rate / 2 / (2 * len(POLICY.confirm))
    screened = POLICY.error_rate / 2 / 3
    assert [each.level for each in verdicts] == pytest.approx([confirmed, confirmed, screened])


def test_all_levels_together_are_the_error_rate() -> None:
    """Bonferroni: what all looks may err sums up to what a build may."""
    told = around(1.1) | around(1.1, case="b") | around(1.0, case="c")
    verdicts, _ = decided([ranged(case) for case in "abc"], told)
    screening = 3 * POLICY.error_rate / 2 / 3
    confirming = sum(
        (len(each.steps) - 1) * (each.level or 0) for each in verdicts if len(each.steps) > 1
    )
    assert screening + confirming == pytest.approx(POLICY.error_rate)


def test_a_case_that_is_settled_leaves_the_confirmation() -> None:
    """The second look asks only for what the first has left open."""
    questions = [ranged(case) for case in "abc"]
    doubt = around(1.1) | around(1.1, case="b") | around(1.0, case="c")
    later = around(1.5) | around(1.1, case="b")
    verdicts, asked = decided(questions, doubt, later)
    assert [cases for _, cases in asked] == [{"a", "b", "c"}, {"a", "b"}, {"b"}]
    assert outcomes(verdicts) == ["regressed", "inconclusive", "within"]


def test_a_settled_question_of_a_doubtful_case_stays_settled() -> None:
    """Fresh workers for one quantity of a case do not reopen what is known of another."""
    questions = [ranged(), Criterion("a", "latency", "overhead_ns", 100.0)]
    first = around(1.1) | around(50.0, quantity="overhead_ns")
    later = around(1.0) | around(150.0, quantity="overhead_ns")
    verdicts, _ = decided(questions, first, later)
    assert outcomes(verdicts) == ["within", "within"]
    assert verdicts[1].workers == POLICY.screen


def test_a_draw_that_brings_nothing_leaves_it_open() -> None:
    """Time is up, or every worker failed: what was doubtful is inconclusive, never passed."""
    [verdict], asked = decided([ranged()], around(1.1), {})
    assert verdict.outcome == "inconclusive"
    assert verdict.workers == POLICY.screen
    assert len(asked) == 3


def test_a_confirmation_with_too_few_workers_leaves_it_open() -> None:
    """Three fresh workers decide nothing, even when they are far out."""
    few = {("a", "ratio", False): lambda _: spread(9.0, 1)}
    [verdict], _ = decided([ranged()], around(1.1), few)
    assert verdict.outcome == "inconclusive"


# Budgets


@pytest.mark.parametrize(
    ("value", "outcome"), [(50.0, "within"), (-20.0, "within"), (150.0, "regressed")]
)
def test_a_budget_has_an_upper_end_only(value: float, outcome: Outcome) -> None:
    """An overhead is judged in ns, may be negative, and is never too small."""
    question = Criterion("a", "latency", "overhead_ns", 100.0, reason="budget a: why")
    [verdict], asked = decided([question], around(value, quantity="overhead_ns"))
    assert verdict.outcome == outcome
    assert (verdict.low, verdict.expected, verdict.high) == (None, None, 100.0)
    assert verdict.reason == "budget a: why"
    assert len(asked) == 1


def test_a_budget_is_judged_on_a_linear_scale() -> None:
    """What is seen is the mean of the ns, not that of their logarithms."""
    values = (-10.0, 0.0, 10.0, 20.0)
    question = Criterion("a", "latency", "overhead_ns", 1000.0)
    told = {("a", "overhead_ns", False): lambda _: Observations(values)}
    [verdict], _ = decided([question], told)
    assert verdict.seen
    assert verdict.seen.value == pytest.approx(5.0)


def test_a_ratio_is_judged_on_a_logarithmic_scale() -> None:
    """What slows code down multiplies: what is seen is a geometric mean."""
    told = {("a", "ratio", False): lambda _: Observations((1.0, 2.0, 4.0, 8.0))}
    [verdict], _ = decided([Criterion("a", "latency", "ratio", 1e6, 1e-6, 1.0)], told)
    assert verdict.seen
    assert verdict.seen.value == pytest.approx(math.sqrt(8))


def test_a_range_that_starts_at_zero_has_no_lower_end() -> None:
    """The logarithm of zero does not exist, and nothing is cheaper than free."""
    question = Criterion("a", "latency", "ratio", 1.1, 0.0, 1.0)
    assert outcomes(decided([question], around(0.01))[0]) == ["within"]


def test_workers_that_all_agree_are_certain() -> None:
    """Numbers without any spread make no NaN: the verdict is what they say."""
    for value, outcome in ((1.0, "within"), (1.2, "regressed"), (0.8, "improved")):
        [verdict], _ = decided([ranged()], around(value, 0.0))
        assert verdict.outcome == outcome
        assert verdict.p_value in (0.0, 1.0)


def test_a_policy_may_have_no_confirmation() -> None:
    """What the screening leaves undecided then stays so."""
    drawing = Drawing([around(1.1)])
    [verdict] = decide([ranged()], drawing, Policy(confirm=()))
    assert verdict.outcome == "inconclusive"
    assert drawing.asked == [(POLICY.screen, {"a"})]


# Comparisons, and the null control


@pytest.mark.parametrize(
    ("head", "outcome"), [(1.0, "within"), (1.3, "regressed"), (0.7, "improved")]
)
def test_a_comparison_sees_head_divided_by_base(head: float, outcome: Outcome) -> None:
    """The estimate is a quotient, and 1 is what is expected."""
    [verdict], asked = decided([compared("a")], versus(head))
    assert verdict.outcome == outcome
    assert verdict.seen
    assert verdict.seen.value == pytest.approx(head, rel=0.01)
    assert len(asked) == 1


def test_the_null_control_takes_no_part_of_the_error_rate() -> None:
    """BASE against itself is judged like HEAD, but never makes a build fail."""
    questions = [compared("a"), compared("b"), compared("a", is_null=True)]
    told = versus(1.0) | versus(1.0, "b") | versus(1.5, is_null=True)
    verdicts, _ = decided(questions, told)
    assert outcomes(verdicts) == ["within", "within", "regressed"]
    assert [each.level for each in verdicts] == pytest.approx([POLICY.error_rate / 2 / 2] * 3)


def test_a_null_control_alone_is_judged() -> None:
    """Where only BASE has numbers there is no decision to share with, and no division by zero."""
    [verdict], asked = decided([compared("a", is_null=True)], versus(1.03, is_null=True))
    assert verdict.outcome == "inconclusive"
    assert verdict.level == pytest.approx(POLICY.error_rate / 2)
    assert len(asked) == 1


def test_the_null_control_is_no_reason_to_draw() -> None:
    """A doubt about BASE itself costs no more workers when there is none about HEAD."""
    questions = [compared("a"), compared("a", is_null=True)]
    verdicts, asked = decided(questions, versus(1.0) | versus(1.03, is_null=True))
    assert outcomes(verdicts) == ["within", "inconclusive"]
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("fresh", "outcome"), [(1.0, "within"), (1.5, "regressed"), (0.5, "improved")]
)
def test_the_null_control_is_confirmed_with_its_case(fresh: float, outcome: Outcome) -> None:
    """Where HEAD is measured again, so is BASE against itself, also if it was fine before."""
    questions = [compared("a"), compared("a", is_null=True), compared("b", is_null=True)]
    first = versus(1.03) | versus(1.0, is_null=True) | versus(1.0, "b", is_null=True)
    later = versus(1.3) | versus(fresh, is_null=True)
    verdicts, asked = decided(questions, first, later)
    assert outcomes(verdicts) == ["regressed", outcome, "within"]
    assert [cases for _, cases in asked] == [{"a", "b"}, {"a"}]
    # One decision about HEAD; BASE against itself is none.
    confirmed = POLICY.error_rate / 2 / len(POLICY.confirm)
    assert [each.level for each in verdicts[:2]] == pytest.approx([confirmed] * 2)


@pytest.mark.parametrize(("again", "outcome"), [(1.0, "within"), (1.5, "regressed")])
def test_a_flag_of_the_null_control_is_confirmed(again: float, outcome: str) -> None:
    """BASE differs from itself only if fresh workers say so too; they are drawn for that."""
    questions = [compared("a"), compared("a", is_null=True)]
    first = versus(1.0) | versus(1.5, is_null=True)
    verdicts, asked = decided(questions, first, versus(1.0) | versus(again, is_null=True))
    assert outcomes(verdicts) == ["within", outcome]
    assert [cases for _, cases in asked] == [{"a"}, {"a"}]


# How often it errs

CASES = 60
NOISE = 0.02


def simulated(seed: int, slower: Mapping[int, float], noise: float = NOISE) -> list[Verdict]:
    """The verdicts of a build with normal noise between workers; nothing is measured."""
    random = np.random.default_rng(seed)
    names = [f"case{number}" for number in range(CASES)]
    factors = {names[number]: factor for number, factor in slower.items()}

    def draw(workers: int, cases: Collection[str]) -> Evidence:
        order = [name for name in names if name in cases]
        table = 1 + noise * random.standard_normal((len(order), 2, workers))
        return {
            (name, "ratio", False): Observations(
                tuple((factors.get(name, 1.0) * head).tolist()), tuple(base.tolist())
            )
            for name, (head, base) in zip(order, table, strict=True)
        }

    return decide([compared(name) for name in names], draw, Policy(screen=12, confirm=(30, 100)))


def test_healthy_builds_do_not_fail() -> None:
    """300 builds of 60 equal cases with 2 % of noise and a tolerance of 3 %: none is red."""
    found = [each for seed in range(300) for each in simulated(seed, {})]
    assert not [each for each in found if each.outcome == "regressed"]
    assert sum(each.outcome == "within" for each in found) >= 0.99 * len(found)


def test_builds_on_their_very_limit_hardly_fail() -> None:
    """Also where every case is 3 % slower, the worst that is allowed, the error rate holds."""
    limit = dict.fromkeys(range(CASES), 1.03)
    red = [
        any(each.outcome == "regressed" for each in simulated(seed, limit)) for seed in range(100)
    ]
    assert sum(red) <= 2  # 0.1 are expected; three or more come once in 6000 times


def test_what_is_slower_is_found() -> None:
    """One case of 60 that is 8 % slower turns at least 90 of 100 builds red, and it alone does."""
    found = 0
    for seed in range(100):
        red = [each.case for each in simulated(seed, {7: 1.08}) if each.outcome == "regressed"]
        assert red in ([], ["case7"])
        found += bool(red)
    assert found >= 90


# Counts


def counts(
    case: str = "a", *, is_null: bool = False, low: float | None = 990.0, high: float = 1010.0
) -> Criterion:
    """Whether a case still takes about 1000 instructions."""
    expected = None if low is None else (low + high) / 2
    return Criterion(case, "instructions", "instructions", high, low, expected, is_null=is_null)


def relative(case: str = "a", *, is_null: bool = False) -> Criterion:
    """Whether HEAD takes as many instructions as BASE."""
    return Criterion(case, "instructions", "instructions", 1.005, 1 / 1.005, 1.0, is_null=is_null)


def counted(
    questions: Sequence[Criterion], *draws: Mapping[tuple[str, bool], Observations]
) -> tuple[list[Verdict], list[tuple[int, set[str]]]]:
    """The verdicts on counts, and what was drawn for them."""
    drawing = Drawing(
        [
            {
                (case, "instructions", is_null): lambda _, numbers=numbers: numbers
                for (case, is_null), numbers in draw.items()
            }
            for draw in draws
        ]
    )
    return decide_counts(questions, drawing, POLICY), drawing.asked


def heads(*values: float) -> dict[tuple[str, bool], Observations]:
    """A draw in which processes counted so much."""
    return {("a", False): Observations(values)}


@pytest.mark.parametrize("value", [990.0, 1000.0, 1010.0])
def test_one_process_settles_what_is_within(value: float) -> None:
    """Both ends belong to the range, and nobody counts twice what is fine."""
    [verdict], asked = counted([counts()], heads(value))
    assert verdict.outcome == "within"
    assert asked == [(1, {"a"})]
    assert (verdict.workers, verdict.p_value) == (1, None)


@pytest.mark.parametrize(("value", "outcome"), [(1081.0, "regressed"), (989.0, "improved")])
def test_what_is_outside_has_to_be_confirmed_by_all(value: float, outcome: Outcome) -> None:
    """Fresh processes are asked, for this case only, and they all say so."""
    first = {**heads(value), ("b", False): Observations((1000.0,))}
    [verdict, other], asked = counted(
        [counts(), counts("b")], first, heads(value + 0.5, value - 0.5)
    )
    assert (verdict.outcome, other.outcome) == (outcome, "within")
    assert asked == [(1, {"a", "b"}), (2, {"a"})]
    assert verdict.workers == POLICY.processes[0]
    assert verdict.reason == f"all {POLICY.processes[0]} processes say so"
    assert verdict.seen
    assert (verdict.seen.low, verdict.seen.value, verdict.seen.high) == (
        value - 0.5,
        value,
        value + 0.5,
    )


@pytest.mark.parametrize(
    ("last", "outcome"),
    [((1011.0,) * 4, "regressed"), ((1011.0, 1011.0, 1009.0, 1011.0), "inconclusive")],
    ids=["all agree", "one does not"],
)
def test_a_small_difference_takes_more_processes(last: tuple[float, ...], outcome: Outcome) -> None:
    """What a memory layout may do by itself is red only if seven layouts say so."""
    [verdict], asked = counted([counts()], heads(1011.0), heads(1012.0, 1029.0), heads(*last))
    assert (verdict.outcome, verdict.workers) == (outcome, POLICY.processes[1])
    assert asked == [(1, {"a"}), (2, {"a"}), (4, {"a"})]


@pytest.mark.parametrize(
    ("bases", "outcome"),
    [((1000.0,) * 4, "regressed"), ((1000.0, 1000.0, 1000.0, 1008.0), "inconclusive")],
    ids=["apart", "overlapping"],
)
def test_small_differences_of_variants_whose_layouts_overlap_fail_nobody(
    bases: tuple[float, ...], outcome: Outcome
) -> None:
    """All pairs may agree by chance where layouts alone differ by more than the tolerance."""
    draws = [
        {("a", False): Observations((1006.0,) * len(each), each)}
        for each in ((1000.0,), (1000.0, 1000.0))
    ]
    last = {("a", False): Observations(tuple(1.007 * each for each in bases), bases)}
    [verdict], _ = counted([relative()], *draws, last)
    assert verdict.outcome == outcome


@pytest.mark.parametrize(
    ("later", "outcome"),
    [((1000.0, 1000.0), "within"), ((1020.0, 1000.0), "inconclusive"), ((1020.0,), "regressed")],
)
def test_processes_that_disagree_fail_nobody(later: tuple[float, ...], outcome: Outcome) -> None:
    """One that lies within is enough; where most do, so does the case."""
    [verdict], _ = counted([counts()], heads(1020.0), heads(*later))
    assert verdict.outcome == outcome


def test_processes_that_disagree_are_said_to() -> None:
    """Undecided counts say why."""
    [verdict], _ = counted([counts()], heads(1020.0), heads(1020.0, 1000.0))
    assert verdict.reason == "3 processes do not agree"


def test_a_budget_of_counts_has_an_upper_end_only() -> None:
    """Nothing is too cheap for a budget, and its reason is shown beside who says so."""
    question = Criterion("a", "instructions", "instructions", 1010.0, reason="budget a: why")
    assert outcomes(counted([question], heads(1.0))[0]) == ["within"]
    draws = heads(2000.0), heads(2000.0, 2000.0), heads(*[2000.0] * 4)
    [verdict], _ = counted([question], *draws)
    assert verdict.outcome == "regressed"
    assert verdict.reason == "all 7 processes say so; budget a: why"


@pytest.mark.parametrize("numbers", [None, Observations(), Observations((math.nan,))])
def test_what_nobody_counted_is_not_measured(numbers: Observations | None) -> None:
    """No number is no verdict, and no reason to start more processes."""
    [verdict], asked = counted([counts()], {("a", False): numbers} if numbers else {})
    assert (verdict.outcome, verdict.reason) == ("not measured", "no process measured it")
    assert len(asked) == 1


def test_one_process_may_have_to_do() -> None:
    """A policy of one process draws no other."""
    drawing = Drawing([{("a", "instructions", False): lambda _: Observations((2000.0,))}])
    [verdict] = decide_counts([counts()], drawing, Policy(processes=()))
    assert (verdict.outcome, len(drawing.asked)) == ("regressed", 1)
    assert verdict.reason == "1 process says so"


def test_a_stored_file_that_has_no_more_to_tell_is_judged_on_what_it_holds() -> None:
    """Processes that all say so are enough, however many there are."""
    [verdict], asked = counted([counts()], heads(2000.0, 2001.0), {})
    assert (verdict.outcome, verdict.workers, len(asked)) == ("regressed", 2, 2)


@pytest.mark.parametrize(
    ("head", "base", "outcome"),
    [
        (1000.0, 1000.0, "within"),
        (1004.0, 1000.0, "within"),
        (1006.0, 1000.0, "regressed"),
        (990.0, 1000.0, "improved"),
        (0.0, 0.0, "within"),
    ],
)
def test_counts_of_two_variants_are_divided(head: float, base: float, outcome: Outcome) -> None:
    """Process by process: the third of HEAD against the third of BASE."""
    draw = {("a", False): Observations((head,), (base,))}
    [verdict], _ = counted(
        [relative()], draw, {("a", False): Observations((head,) * 2, (base,) * 2)}
    )
    assert verdict.outcome == outcome


def test_what_costs_something_where_it_cost_nothing_regressed() -> None:
    """HEAD keeps bytes, BASE keeps none: that is no missing number, it is infinitely dearer."""
    draw = {("a", False): Observations((4096.0,), (0.0,))}
    [verdict], _ = counted([relative()], draw)
    assert verdict.outcome == "regressed"


def test_null_pairs_are_judged_with_the_case_that_is_confirmed() -> None:
    """They come with the second draw, and are not measured where nothing is confirmed."""
    questions = [relative(), relative(is_null=True), relative("b", is_null=True)]
    first = {("a", False): Observations((2000.0,), (1000.0,))}
    twice = Observations((2000.0, 2000.0), (1000.0, 1000.0))
    later = {("a", False): twice, ("a", True): Observations((1500.0, 1500.0), (1000.0, 1000.0))}
    verdicts, asked = counted(questions, first, later)
    assert outcomes(verdicts) == ["regressed", "regressed", "not measured"]
    assert asked == [(1, {"a", "b"}), (2, {"a"})]


def null_draws(*nulls: tuple[float, ...]) -> list[dict[tuple[str, bool], Observations]]:
    """HEAD is twice as dear, which is clear; the null control is drawn from the second time on."""
    counts = (1, *map(len, nulls))
    draws = [{("a", False): Observations((2000.0,) * n, (1000.0,) * n)} for n in counts]
    for draw, values in zip(draws[1:], nulls, strict=True):
        draw["a", True] = Observations(values, (1000.0,) * len(values))
    return draws


@pytest.mark.parametrize(
    ("last", "outcome"),
    [((1006.0,) * 4, "regressed"), ((1006.0, 1000.0, 1006.0, 1006.0), "inconclusive")],
    ids=["all agree", "one does not"],
)
def test_a_small_difference_of_the_null_control_takes_more_processes(
    last: tuple[float, ...], outcome: Outcome
) -> None:
    """Two of them would take the word from all other cases by the memory layout alone."""
    questions = [relative(), relative(is_null=True)]
    [_, null], asked = counted(questions, *null_draws((1006.0, 1006.0), last))
    assert null.outcome == outcome
    assert asked == [(1, {"a"}), (2, {"a"}), (4, {"a"})]


def test_a_null_control_that_is_cheaper_than_itself_takes_more_processes_too() -> None:
    """It is flagged in both directions."""
    questions = [relative(), relative(is_null=True)]
    [_, null], asked = counted(
        questions, *null_draws((994.0, 994.0), (994.0, 1000.0, 994.0, 994.0))
    )
    assert (null.outcome, len(asked)) == ("inconclusive", 3)


@pytest.mark.parametrize(
    ("policy", "draws"), [(Policy(), 2), (Policy(confirms_improvements=True), 3)]
)
def test_a_small_improvement_is_confirmed_where_a_policy_asks_for_it(
    policy: Policy, draws: int
) -> None:
    """A history names what became cheaper; no build fails by it."""
    values = [Observations((994.0,) * n, (1000.0,) * n) for n in (1, 2, 4)]
    drawing = Drawing([{("a", "instructions", False): lambda _, n=each: n} for each in values])
    [verdict] = decide_counts([relative()], drawing, policy)
    assert (verdict.outcome, len(drawing.asked)) == ("improved", draws)


def test_a_small_improvement_where_layouts_overlap_is_none() -> None:
    """As for what is dearer: every count of HEAD lies below every one of BASE, or it is open."""
    bases = ((1000.0,), (1000.0, 1000.0), (1000.0, 1000.0, 1000.0, 992.0))
    values = [Observations(tuple(0.993 * base for base in each), each) for each in bases]
    drawing = Drawing([{("a", "instructions", False): lambda _, n=each: n} for each in values])
    [verdict] = decide_counts([relative()], drawing, Policy(confirms_improvements=True))
    assert verdict.outcome == "inconclusive"


def test_a_null_pair_is_no_reason_to_count_again() -> None:
    """Only a doubt about HEAD starts more processes."""
    first = {
        ("a", False): Observations((1000.0,), (1000.0,)),
        ("a", True): Observations((2000.0,), (1000.0,)),
    }
    verdicts, asked = counted([relative(), relative(is_null=True)], first)
    assert outcomes(verdicts) == ["within", "regressed"]
    assert len(asked) == 1


# Numbers


def test_numbers_are_joined_in_their_order() -> None:
    """Fresh numbers stand behind those that were there, for either side."""
    collected: dict[Key, Observations] = {("a", "ratio", False): Observations((1.0,), (2.0,))}
    fresh = {
        ("a", "ratio", False): Observations((3.0,), (4.0,)),
        ("b", "ratio", False): Observations((5.0,)),
    }
    extend_evidence(collected, fresh)
    assert collected == {
        ("a", "ratio", False): Observations((1.0, 3.0), (2.0, 4.0)),
        ("b", "ratio", False): Observations((5.0,)),
    }


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [(1.3, "improved"), (1.0, "within"), (0.7, "regressed")],
    ids=["more", "the same", "less"],
)
def test_more_of_a_scaling_is_better(seen: float, outcome: Outcome) -> None:
    """A case under load regresses by falling below its range, and its interval is in order."""
    question = Criterion("a", "scaling", "scaling", 1.1, 0.9, 1.0)
    (verdict,), _ = decided([question], around(seen, quantity="scaling"))
    assert verdict.outcome == outcome
    assert verdict.seen is not None
    assert verdict.seen.low < verdict.seen.value < verdict.seen.high
    assert verdict.seen.value == pytest.approx(seen, rel=0.01)


@pytest.mark.parametrize(("seen", "outcome"), [(0.95, "within"), (0.06, "regressed")])
def test_a_budget_of_scaling_is_the_least(seen: float, outcome: Outcome) -> None:
    """It has a lower end only, and the explanation says so."""
    question = Criterion("a", "scaling", "scaling", None, 0.8)
    (verdict,), _ = decided([question], around(seen, quantity="scaling"))
    assert verdict.outcome == outcome
    assert "acceptable at least 0.8" in verdict.steps[0]
    assert (verdict.low, verdict.high) == (0.8, None)


def test_a_scaling_of_nothing_is_judged() -> None:
    """Callers that get nothing done are as bad as can be, and no error."""
    question = Criterion("a", "scaling", "scaling", None, 0.8)
    (verdict,), _ = decided(
        [question], {("a", "scaling", False): lambda workers: Observations((0.0,) * workers)}
    )
    assert verdict.outcome == "regressed"


def test_a_comparison_of_scaling_fails_where_head_gets_less_done() -> None:
    """HEAD divided by BASE, where less is worse."""
    question = Criterion("a", "scaling", "scaling", 1.1, 1 / 1.1, 1.0)
    draw = {("a", "scaling", False): lambda workers: pair(0.06, 0.9, workers)}
    (verdict,), _ = decided([question], draw)
    assert verdict.outcome == "regressed"
    assert verdict.seen is not None
    assert verdict.seen.value == pytest.approx(0.0667, rel=0.02)
