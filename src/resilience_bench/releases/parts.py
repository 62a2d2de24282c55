"""Divides a release history into the parts that a fleet's hosts measure: pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from resilience_bench._model import CaseInfo
from resilience_bench.errors import format_names
from resilience_bench.releases.index import PublishedRelease
from resilience_bench.releases.measure import NULL_EVERY

PAIRS_A_BLOCK: Final = 8
"""A block compares at least so many releases, if there are enough: each begins with one more."""
BEGIN_CASES: Final = 4.0
"""Beginning to measure a release takes as long as so many cases, see docs/fleet.md."""


@dataclass(frozen=True, slots=True)
class Part:
    """Neighbouring releases and the cases that one host measures of them.

    ``has_null`` if some of the releases are measured twice. ``share`` is the part's share of all
    comparisons.
    """

    releases: Sequence[PublishedRelease]
    cases: Sequence[CaseInfo]
    has_null: bool
    share: float

    @property
    def pairs(self) -> int:
        """How many releases are compared with the one before."""
        return max(1, len(self.releases) - 1)

    @property
    def weight(self) -> float:
        """How long it takes, in cases of one release; null controls have half as many workers."""
        nulls = -(-self.pairs // NULL_EVERY) / 2 if self.has_null else 0
        return (len(self.releases) + nulls) * (BEGIN_CASES + len(self.cases))


def divide(
    usable: Sequence[PublishedRelease],
    cases: Sequence[CaseInfo],
    count_parts: Callable[[int, int], int],
) -> list[Part]:
    """Divide releases, and cases if that is faster, into parts: each release meets its neighbour.

    Of all divisions into as many parts, that is taken whose longest part is the shortest.
    """
    if not usable:
        return []
    pairs = max(1, len(usable) - 1)
    count = count_parts(pairs * len(cases), PAIRS_A_BLOCK * len(cases))
    divisions = [
        _cross(_divide_releases(usable, count // groups), _divide_cases(cases, groups))
        for groups in range(1, min(count, len(cases)) + 1)
    ]
    return min(divisions, key=lambda parts: max(part.weight for part in parts))


def _cross(
    runs: Sequence[Sequence[PublishedRelease]], groups: Sequence[Sequence[CaseInfo]]
) -> list[Part]:
    """Return the part of each run of releases with each group of cases.

    There are as many null controls as in a history on one machine: the shortest runs have them.
    """
    usable = sum(map(len, runs)) - len(runs) + 1
    pairs = max(1, usable - 1) * sum(map(len, groups))
    shortest = sorted(range(len(runs)), key=lambda number: len(runs[number]))
    with_null = shortest[: -(-usable // NULL_EVERY)]
    return [
        Part(run, group, number in with_null, max(1, len(run) - 1) * len(group) / pairs)
        for number, run in enumerate(runs)
        for group in groups
    ]


def _divide_releases(
    usable: Sequence[PublishedRelease], count: int
) -> list[Sequence[PublishedRelease]]:
    """Divide releases into so many runs, or fewer, that overlap by one.

    Runs differ by one pair at most, and the newer ones are the shorter ones: newer releases can do
    more cases.
    """
    pairs = range(max(1, len(usable) - 1))
    runs = np.array_split(pairs, min(count, len(pairs)))  # the first ones are the longer ones
    return [usable[run[0] : run[-1] + 2] for run in runs]


def _divide_cases(cases: Sequence[CaseInfo], count: int) -> list[list[CaseInfo]]:
    """Deal cases out to so many groups, there and back: neighbours are alike, and take as long."""
    groups: list[list[CaseInfo]] = [[] for _ in range(count)]
    for place, info in enumerate(sorted(cases, key=lambda info: info.case.is_loaded)):
        there, back = place % (2 * count), 2 * count - 1 - place % (2 * count)
        groups[min(there, back)].append(info)
    return groups


def describe_part(part: Part, cases: Sequence[CaseInfo]) -> str:
    """Name a part by its releases, and by its cases if it has not all of them."""
    releases = describe_releases(part.releases)
    if len(part.cases) == len(cases):
        return releases
    names = format_names([info.case.name for info in part.cases])
    return f"{releases}: {len(part.cases)} of {len(cases)} cases ({names})"


def describe_releases(releases: Sequence[PublishedRelease]) -> str:
    """Name neighbouring releases by the first and the last one."""
    return f"{releases[0].version} to {releases[-1].version}"
