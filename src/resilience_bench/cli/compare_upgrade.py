"""``compare`` with two requirements files: which package moved which case."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from resilience_bench._model import Signal
from resilience_bench._verdicts import Judgement, Verdict
from resilience_bench.environments import interpreters, requirement_files, upgrade
from resilience_bench.environments.upgrade import Change, Step
from resilience_bench.environments.variants import Notifier, Variant
from resilience_bench.errors import UserError, VariantError, format_amount, format_names
from resilience_bench.gate.bisect import Cause, Move, find_causes
from resilience_bench.gate.decide import FLAGS
from resilience_bench.quantities import COUNT_SIGNALS, QUANTITIES

JudgePair = Callable[[tuple[Variant, Variant], Collection[str], Collection[Signal], str], Judgement]
"""Measures two variants in some cases and signals, and judges them; the last is a folder's name."""
OTHER_PYTHONS: Final = (
    "the packages were not tried one by one: BASE and HEAD have different Pythons; type the same "
    "--base-python and --head-python to find the package"
)


def are_requirements_files(base: str, head: str) -> bool:
    """Return whether both sides are requirements files."""
    return base.endswith(requirement_files.ENDING) and head.endswith(requirement_files.ENDING)


@dataclass(slots=True)
class Upgrade:
    """The way from the packages of BASE to those of HEAD, one package after the other."""

    base: Variant
    head: Variant
    changes: Sequence[Change]
    steps: Sequence[Step]
    needed: Sequence[str]
    options: Sequence[str]
    python: Variant | None
    note: Notifier
    is_divisible: bool = True
    made: dict[int, Variant] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)

    def is_possible(self, number: int) -> bool:
        """Return whether a state has no conflict, and can be made."""
        if number in self.made or number in self.skipped:
            return number in self.made
        step = self.steps[number]
        if step.conflicts:
            self.skipped[number] = step.conflicts[0]
            return False
        try:
            self.made[number] = upgrade.make_environment(
                step.packages,
                self.needed,
                options=self.options,
                base=self.python,
                note=self.note,
            )
        except VariantError as error:
            self.skipped[number] = str(error)
        return number in self.made

    def describe(self, first: int, last: int) -> str:
        """List the changes between two states."""
        return ", ".join(map(str, self.changes[first:last]))


def plan_upgrade(
    base: Variant,
    head: Variant,
    needed: Sequence[str],
    *,
    pythons: Sequence[str | None],
    note: Notifier,
) -> Upgrade:
    """Find the packages that change; UserError if none does."""
    before, after = upgrade.query_packages(base), upgrade.query_packages(head)
    changes = upgrade.find_changes(before, after)
    if not changes:
        raise UserError(
            f"{base.text} and {head.text} install the same {len(before)} packages; expected at "
            "least one that differs; type two other files"
        )
    ordered, steps = upgrade.order_changes(before, changes)
    options = [
        part
        for variant in (base, head)
        for part in requirement_files.read(Path(variant.text).expanduser()).arguments
    ]
    made = {0: base, len(ordered): head}
    found = Upgrade(base, head, ordered, steps, needed, options, None, note, made=made)
    text = pythons[0]
    if pythons[0] != pythons[1]:
        found.is_divisible = False
    elif text:
        found.python = interpreters.find_interpreter(text)
    return found


def describe_changes(found: Upgrade) -> str:
    """Say in a line which packages change."""
    count = len(found.changes)
    listed = format_names(list(map(str, found.changes)))
    return f"{count} package{'s change' if count > 1 else ' changes'}: {listed}"


def explain_moves(found: Upgrade, judgement: Judgement, judge_pair: JudgePair) -> list[str]:
    """Return notes that say which package moved which case, and what could not be tried."""
    moved = select_moves(judgement.verdicts)
    if not moved:
        return []
    if not found.is_divisible:
        return [OTHER_PYTHONS]
    numbers = itertools.count(1)

    def judge(first: int, last: int, moves: Collection[Move]) -> dict[Move, Verdict]:
        cases = {case for case, _ in moves}
        signals = {QUANTITIES[quantity].signal for _, quantity in moves}
        found.note(f"trying {found.describe(first, last)} in {format_amount(len(cases), 'case')}")
        name = f"step-{next(numbers)}"
        judged = judge_pair((found.made[first], found.made[last]), cases, signals, name)
        return {
            move: verdict
            for verdict in judged.verdicts
            if verdict.outcome in FLAGS and (move := (verdict.case, verdict.quantity)) in moves
        }

    causes = find_causes(len(found.changes), moved, found.is_possible, judge)
    notes = [_describe_cause(found, cause) for cause in causes]
    notes += [
        f"not tried, {found.describe(0, number)} alone: {reason}"
        for number, reason in sorted(found.skipped.items())
    ]
    return notes


def select_moves(verdicts: Sequence[Verdict]) -> dict[Move, Verdict]:
    """Return what moved; of a case whose counts moved only these, which need few processes."""
    moved = [verdict for verdict in verdicts if verdict.outcome in FLAGS]
    counted = {verdict.case for verdict in moved if verdict.signal in COUNT_SIGNALS}
    return {
        (verdict.case, verdict.quantity): verdict
        for verdict in moved
        if verdict.signal in COUNT_SIGNALS or verdict.case not in counted
    }


def _describe_cause(found: Upgrade, cause: Cause) -> str:
    case, quantity = cause.move
    size = "" if cause.verdict.seen is None else f" {cause.verdict.seen.value:.3f}"
    times = "" if cause.verdict.signal == "share" or not size else " times"
    changes = found.describe(cause.first, cause.last)
    if cause.is_together:
        how = f"by several packages together, of which no part moves it alone: {changes}"
    elif cause.last - cause.first > 1:
        how = f"by one or several of {changes}, which cannot be installed one by one"
    else:
        how = f"by {changes}"
    return f"{case}: {quantity}{size}{times} {how}"
