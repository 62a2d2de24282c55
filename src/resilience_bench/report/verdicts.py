"""What every format shows of a judgement: its sections, the texts of its cells, its summary."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from resilience_bench._verdicts import Judgement, Outcome, Verdict
from resilience_bench.errors import format_amount
from resilience_bench.gate.verdicts import (
    WORST_FIRST,
    compute_change_size,
    compute_exit_code,
    group_by_case,
    has_measured_verdict,
    sort_by_change,
    sort_worst_first,
)
from resilience_bench.quantities import QUANTITIES
from resilience_bench.report.blocks import NO_VALUE
from resilience_bench.report.text import clean_text

FULL_SECTIONS: Final[tuple[Outcome, ...]] = ("regressed", "improved", "inconclusive")
"""The outcomes of which every verdict is shown."""
SECTIONS: Final[tuple[Outcome, ...]] = (*FULL_SECTIONS, "not measured", "within")
"""The order in which people read."""
SHOWN_NAMES: Final = 6
SHOWN_CHANGES: Final = 10
CHANGE_SIGNALS: Final = ("latency", "scaling", "instructions")
"""The signals of which the largest changes are shown."""
CHANCE_NOTE: Final = (
    "by chance: how often chance alone shows as much or more when the case lies within its range."
)
LEAST_CHANCE: Final = 1e-9
LIKELY: Final = 0.5
NO_CASE: Final = "nothing was judged, for there is no case"
MAIN_QUANTITIES: Final = frozenset({"ratio", "instructions", "scaling"})
"""The quantities that a signal stands for without their name."""
CONCLUSIONS: Final = {
    0: "NO REGRESSION",
    1: "REGRESSED",
    2: "NOTHING JUDGED",
    3: "NO REGRESSION FOUND, NOT ALL DECIDED",
}
"""A judgement in a word or two, by the exit code with ``--strict``."""


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """One verdict in words; a text is "-" where there is nothing to say, ``reason`` is empty."""

    outcome: Outcome
    case: str
    signal: str
    change: str
    seen: str
    expected: str
    range: str
    chance: str
    reason: str


@dataclass(frozen=True, slots=True)
class JudgementView:
    """A judgement as every format shows it.

    ``rows`` has the verdicts by outcome, in the order of `SECTIONS`; ``not_measured`` the names of
    cases by the reason. ``chance_note`` is empty where no row has a chance. ``exit_code`` is that
    of the command without ``--strict``.
    """

    word: str
    summary: str
    exit_code: int
    rows: Mapping[Outcome, Sequence[VerdictRow]]
    not_measured: Mapping[str, Sequence[str]]
    headline: Sequence[str]
    notes: Sequence[str]
    chance_note: str

    def count_section(self, outcome: Outcome) -> str:
        """Say how many decisions came out so, in how many cases, and where these are counted.

        The summary counts a case once, as its worst outcome, but has a decision for each quantity.
        """
        cases = {row.case for row in self.rows[outcome]}
        worse = WORST_FIRST[: WORST_FIRST.index(outcome)]
        others = cases & {row.case for other in worse for row in self.rows[other]}
        text = f"{format_amount(len(self.rows[outcome]), 'decision')} in "
        text += format_amount(len(cases), "case")
        return f"{text}, {len(others)} of them counted as worse" if others else text

    @property
    def sections(self) -> dict[Outcome, Sequence[VerdictRow]]:
        """The rows of the outcomes that are shown in full, as far as there are any."""
        return {outcome: self.rows[outcome] for outcome in FULL_SECTIONS if self.rows[outcome]}


def make_judgement_view(judgement: Judgement) -> JudgementView:
    """Return what to show of a judgement, without control codes."""
    found = group_by_outcome(judgement)
    has_chance = any(
        verdict.p_value is not None for outcome in FULL_SECTIONS for verdict in found[outcome]
    )
    return JudgementView(
        CONCLUSIONS[compute_exit_code(judgement, strict=True)],
        summarise_judgement(judgement),
        compute_exit_code(judgement, strict=False),
        {outcome: [*map(make_verdict_row, verdicts)] for outcome, verdicts in found.items()},
        collect_not_measured(judgement),
        [clean_text(line) for line in (judgement.title, *judgement.headline) if line],
        list(map(clean_text, judgement.notes)),
        CHANCE_NOTE if has_chance else "",
    )


def make_verdict_row(verdict: Verdict) -> VerdictRow:
    """Return the cells of a verdict; names and reasons in one line, without control codes."""
    numbers = _NumberFormat(verdict)
    is_main = verdict.quantity in {*MAIN_QUANTITIES, verdict.signal, ""}
    signal = verdict.signal if is_main else f"{verdict.signal}: {verdict.quantity}"
    return VerdictRow(
        outcome=verdict.outcome,
        case=clean_text(verdict.case),
        signal=clean_text(signal),
        change=_format_change(verdict, numbers),
        seen=_format_seen(verdict, numbers),
        expected=NO_VALUE if verdict.expected is None else numbers.text(verdict.expected),
        range=_format_range(verdict, numbers),
        chance=_format_chance(verdict.p_value),
        reason=clean_text(verdict.reason),
    )


def format_outcome(outcome: Outcome) -> str:
    """Return the word for an outcome; a regression is written large."""
    return outcome.upper() if outcome == "regressed" else outcome


def format_evidence(row: VerdictRow) -> str:
    """Return a verdict in one line, without its case."""
    parts = {
        "seen ": row.seen,
        "expected ": row.expected,
        "range ": row.range,
        "by chance: ": row.chance,
    }
    known = ", ".join(label + text for label, text in parts.items() if text != NO_VALUE)
    change = "" if row.change == NO_VALUE else f" {row.change}"
    line = f"{row.signal}{change}: {known}" if known else row.signal
    return f"{line}; {row.reason}" if row.reason else line


def group_by_outcome(judgement: Judgement) -> dict[Outcome, list[Verdict]]:
    """Return the verdicts by outcome, in the order of `SECTIONS`; of a case they stand together.

    What regressed or improved comes with the largest change first, the rest in its own order.
    """
    found = {}
    for outcome in SECTIONS:
        verdicts = [verdict for verdict in judgement.verdicts if verdict.outcome == outcome]
        has_changed = outcome in {"regressed", "improved"}
        cases = sort_by_change(verdicts) if has_changed else group_by_case(verdicts).values()
        found[outcome] = list(chain.from_iterable(cases))
    return found


def find_largest_changes(judgement: Judgement) -> dict[str, dict[str, str]]:
    """Find the cases within their ranges that changed most, in any signal of `CHANGE_SIGNALS`.

    Returns:
        By case, the largest change first, by signal: the change, and its interval where it has one.
        Without cases of which nothing changed.
    """
    within = [
        verdict
        for verdict in judgement.verdicts
        if verdict.outcome == "within" and verdict.quantity in MAIN_QUANTITIES
    ]
    changed = [members for members in sort_by_change(within) if compute_change_size(members[0])]
    return {
        clean_text(members[0].case): {
            verdict.signal: _format_relative_change(verdict) for verdict in members
        }
        for members in changed[:SHOWN_CHANGES]
    }


def _format_relative_change(verdict: Verdict) -> str:
    seen, expected = verdict.seen, verdict.expected
    if seen is None or not expected:
        return NO_VALUE
    change, low, high = (value / expected - 1 for value in (seen.value, seen.low, seen.high))
    interval = "" if low == high else f" ({_format_signed(low)} to {_format_signed(high)})"
    return f"{_format_signed(change)}{interval}"


def collect_not_measured(judgement: Judgement) -> dict[str, list[str]]:
    """Return the reasons, each with its cases and the signals that these lack."""
    lacking: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for verdict in judgement.verdicts:
        if verdict.outcome == "not measured":
            signals = lacking[clean_text(verdict.reason) or "no reason given"][verdict.case]
            if verdict.signal and verdict.signal not in signals:
                signals.append(verdict.signal)
    return {
        reason: [
            clean_text(f"{case} ({', '.join(signals)})" if signals else case)
            for case, signals in cases.items()
        ]
        for reason, cases in lacking.items()
    }


def shorten_names(names: Sequence[str], shown: int = SHOWN_NAMES) -> list[str]:
    """Return the first names, and how many more there are."""
    more = len(names) - shown
    return [*names[:shown], f"and {more:,} more"] if more > 0 else list(names)


def summarise_judgement(judgement: Judgement) -> str:
    """Return in one line how many cases have which outcome; a case counts once, as its worst."""
    cases = group_by_case(judgement.verdicts)
    judged = format_amount(len(cases), "case")
    if not has_measured_verdict(judgement):
        return f"nothing was judged: {judged} not measured" if cases else NO_CASE
    worst = Counter(sort_worst_first(members)[0].outcome for members in cases.values())
    parts = [
        f"{worst[outcome]:,} {outcome}"
        for outcome in SECTIONS
        if outcome != "within" and (worst[outcome] or outcome == "regressed")
    ]
    within = worst["within"]
    parts.append(f"{within:,} within {'its range' if within == 1 else 'their ranges'}")
    decisions = format_amount(len(judgement.verdicts), "decision")
    return f"{judged} judged: {', '.join(parts)} ({decisions})"


class _NumberFormat:
    """The format of the numbers of one verdict: one unit, and the same number of decimals."""

    def __init__(self, verdict: Verdict) -> None:
        # A comparison holds HEAD divided by BASE, whatever the quantity, and expects exactly 1.
        relative = verdict.expected == 1 and verdict.low is not None
        quantity = "ratio" if relative else verdict.quantity
        self.unit = QUANTITIES[quantity].unit if quantity in QUANTITIES else ""
        self._decimals = _choose_decimals(quantity, list(_list_known_values(verdict)))

    def bare(self, value: float) -> str:
        """Return a number without its unit."""
        # Adding 0 turns the -0 of a rounded number into 0.
        return f"{round(value, self._decimals) + 0.0:,.{self._decimals}f}"

    def text(self, value: float) -> str:
        """Return a number with its unit."""
        return self.bare(value) + self.unit


def _list_known_values(verdict: Verdict) -> Iterator[float]:
    seen = verdict.seen.value if verdict.seen else None
    for value in (verdict.expected, verdict.low, verdict.high, seen):
        if value is not None and math.isfinite(value):
            yield value


def _choose_decimals(quantity: str, values: Sequence[float]) -> int:
    largest = max(map(abs, values), default=0.0)
    if quantity == "instructions" or not largest:
        return 0
    if quantity in QUANTITIES and QUANTITIES[quantity].unit:
        whole = largest >= 100 or all(value == round(value) for value in values)  # noqa: PLR2004
        return 0 if whole else 1
    return min(max(3 - math.floor(math.log10(largest)), 0), 4)


def _format_seen(verdict: Verdict, numbers: _NumberFormat) -> str:
    if verdict.seen is None:
        return NO_VALUE
    value, low, high = map(numbers.bare, (verdict.seen.value, verdict.seen.low, verdict.seen.high))
    # A count that is the same in every process has no interval.
    return f"{value}{numbers.unit}" + ("" if low == high else f" ({low} - {high})")


def _format_range(verdict: Verdict, numbers: _NumberFormat) -> str:
    if verdict.low is None and verdict.high is None:
        return NO_VALUE
    if verdict.low is None:
        return f"at most {numbers.text(verdict.high or 0.0)}"
    if verdict.high is None:
        return f"at least {numbers.text(verdict.low)}"
    return f"{numbers.bare(verdict.low)} - {numbers.text(verdict.high)}"


def _format_change(verdict: Verdict, numbers: _NumberFormat) -> str:
    if verdict.seen is None:
        return NO_VALUE
    seen = verdict.seen.value
    if verdict.expected is None:
        # A budget expects nothing, it only has a limit.
        if verdict.high and verdict.high < seen:
            return f"{_format_percent(seen / verdict.high - 1)} over"
        if verdict.low and verdict.low > seen:
            return f"{_format_percent(1 - seen / verdict.low)} under"
        return NO_VALUE
    if verdict.expected <= 0:
        difference = seen - verdict.expected
        return f"{'+' if difference >= 0 else ''}{numbers.text(difference)}"
    return _format_signed(seen / verdict.expected - 1)


def _format_signed(change: float) -> str:
    return f"{'+' if change >= 0 else ''}{_format_percent(change)}"


def _format_percent(change: float) -> str:
    percent = change * 100
    decimals = 2 if abs(percent) < 1 else 1 if abs(percent) < 1000 else 0  # noqa: PLR2004
    return f"{round(percent, decimals) + 0.0:,.{decimals}f} %"


def _format_chance(p_value: float | None) -> str:
    if p_value is None or math.isnan(p_value):
        return NO_VALUE
    if p_value < LEAST_CHANCE:
        return "less than 1 in 1,000,000,000"
    if p_value > LIKELY:
        return "more often than not"
    # Two digits: nobody knows a chance better than that.
    return f"1 in {float(f'{1 / p_value:.2g}'):,.0f}"
