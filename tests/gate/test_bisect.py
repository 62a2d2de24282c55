"""The search for the change that moved a case, on changes whose effects are known."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest

from resilience_bench._verdicts import Verdict
from resilience_bench.gate.bisect import Cause, Move, find_causes

CASE: Move = ("a.case", "instructions")
OTHER: Move = ("b.case", "instructions")


def verdict(move: Move) -> Verdict:
    """A regression."""
    return Verdict(move[0], move[1], move[1], "regressed")


class Machine:
    """Judges states: a case moves if the costs of its changes differ between them."""

    def __init__(self, costs: Mapping[Move, list[int]], impossible: Collection[int] = ()) -> None:
        self.costs = costs
        self.impossible = impossible
        self.judged: list[tuple[int, int]] = []

    def judge(self, first: int, last: int, moves: Collection[Move]) -> dict[Move, Verdict]:
        """What moves between two states."""
        assert not {first, last} & {*self.impossible}
        self.judged.append((first, last))
        return {move: verdict(move) for move in moves if sum(self.costs[move][first:last]) > 4}

    def search(self) -> list[Cause]:
        """The causes of all that moves."""
        last = len(next(iter(self.costs.values())))
        moved = {move: verdict(move) for move in self.costs}
        return find_causes(last, moved, lambda number: number not in self.impossible, self.judge)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 13])
def test_the_one_change_is_found_wherever_it_is(count: int) -> None:
    """With two judgements for each halving, and none if there is one change only."""
    for place in range(count):
        machine = Machine({CASE: [9 if number == place else 0 for number in range(count)]})
        [cause] = machine.search()
        assert (cause.move, cause.first, cause.last) == (CASE, place, place + 1)
        assert not cause.is_together
        assert len(machine.judged) <= 2 * (count - 1).bit_length()


def test_each_case_has_its_own_change() -> None:
    """Two cases that two changes moved are distinguished."""
    machine = Machine({CASE: [0, 9, 0, 0], OTHER: [0, 0, 0, 9]})
    assert {cause.move: cause.first for cause in machine.search()} == {CASE: 1, OTHER: 3}


def test_two_changes_that_move_one_case_are_both_found() -> None:
    """Both halves are judged."""
    causes = Machine({CASE: [9, 0, 0, 9]}).search()
    assert [(cause.first, cause.last) for cause in causes] == [(0, 1), (3, 4)]


def test_a_state_with_a_conflict_is_left_out() -> None:
    """Its neighbours narrow the search down to the changes that go together."""
    [cause] = Machine({CASE: [0, 0, 9, 0, 0]}, impossible=[2, 3]).search()
    assert (cause.first, cause.last, cause.is_together) == (1, 4, False)


def test_changes_that_only_move_a_case_together_are_named_together() -> None:
    """No half is beyond the range, the whole is."""
    [cause] = Machine({CASE: [3, 0, 0, 3]}).search()
    assert (cause.first, cause.last, cause.is_together) == (0, 4, True)
