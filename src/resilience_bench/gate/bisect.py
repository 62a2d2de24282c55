"""Finds which of several changes moved a case, by judging the states between BASE and HEAD."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from resilience_bench._verdicts import Verdict

Move = tuple[str, str]
"""A case, and the quantity in which it moved."""
IsPossible = Callable[[int], bool]
"""Whether a state can be made."""
Judge = Callable[[int, int, Collection[Move]], Mapping[Move, Verdict]]
"""Judges the later of two states by the earlier, and returns what moved."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What moved a case: the changes from one state to another.

    They are several if no state between them could be made. ``is_together`` if there are states
    between them, but no part of the changes moves the case alone. ``verdict`` has the size.
    """

    move: Move
    first: int
    last: int
    verdict: Verdict
    is_together: bool = False


def find_causes(
    last: int, moved: Mapping[Move, Verdict], is_possible: IsPossible, judge: Judge
) -> list[Cause]:
    """Find the changes that moved cases, by halving the way from state 0 to the ``last``.

    ``moved`` is what was judged between these two. Both halves are judged, because several changes
    may move one case.
    """
    return _search(0, last, moved, is_possible, judge)


def _search(
    first: int, last: int, moved: Mapping[Move, Verdict], is_possible: IsPossible, judge: Judge
) -> list[Cause]:
    if not moved:
        return []
    middle = _find_middle(first, last, is_possible)
    if middle is None:
        return [Cause(move, first, last, verdict) for move, verdict in moved.items()]
    causes: list[Cause] = []
    explained: set[Move] = set()
    for start, end in ((first, middle), (middle, last)):
        found = judge(start, end, moved.keys())
        explained |= found.keys()
        causes += _search(start, end, found, is_possible, judge)
    return causes + [
        Cause(move, first, last, verdict, is_together=True)
        for move, verdict in moved.items()
        if move not in explained
    ]


def _find_middle(first: int, last: int, is_possible: IsPossible) -> int | None:
    """Return the possible state nearest to the middle of two, None if there is none between."""
    between = sorted(range(first + 1, last), key=lambda number: abs(2 * number - first - last))
    return next((number for number in between if is_possible(number)), None)
