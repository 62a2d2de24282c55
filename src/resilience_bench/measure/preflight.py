"""Looks, before anything is measured, whether both sides of a comparison can be used at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from resilience_bench._model import CaseInfo, CaseRecord
from resilience_bench.errors import VariantError
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.selection import IMPORT_LIMIT_S, discover, inspect

Groups = Mapping[str, Sequence[CaseInfo]]


@dataclass(frozen=True, slots=True)
class Side:
    """A side of a comparison: what was typed, and what starts its workers."""

    text: str
    launcher: Launcher


def ensure_usable(base: Side, head: Side, cases: Iterable[CaseInfo]) -> None:
    """Raise VariantError if one side can do nothing of a library or a file that the other can.

    A library that is broken in HEAD would else leave nothing to judge, and its build pass. What is
    not installed is no error: then the side is meant to be without it.
    """
    groups = _group(cases)
    first = {members[0].case.name: members[0] for members in groups.values()}
    sides = (base, head)
    seen = [_inspect(side, list(first.values())) for side in sides]
    for name, members in groups.items():
        records = [found[members[0].case.name] for found in seen]
        for number, side in enumerate(sides):
            other = 1 - number
            if _is_broken(records[number]) and records[other].status == "measured":
                _refuse_if_all_broken(side, sides[other].text, name, members)


def _group(cases: Iterable[CaseInfo]) -> Groups:
    """Return the cases of each distribution, and of each file that needs none."""
    groups: dict[str, list[CaseInfo]] = {}
    for info in cases:
        for name in info.needed_distributions or (info.path,):
            groups.setdefault(name, []).append(info)
    return groups


def _inspect(side: Side, cases: Sequence[CaseInfo]) -> dict[str, CaseRecord]:
    records = inspect(side.launcher, cases, IMPORT_LIMIT_S)
    return {record.case.name: record for record in records}


def _is_broken(record: CaseRecord) -> bool:
    return record.status not in {"measured", "not installed"}


def _refuse_if_all_broken(side: Side, other: str, name: str, members: Sequence[CaseInfo]) -> None:
    records = _inspect(side, members)
    if not all(map(_is_broken, records.values())):
        return
    problems = discover(side.launcher, [Path(members[0].path)], IMPORT_LIMIT_S).problems
    reason = next(iter(problems), records[members[0].case.name].reason)
    count = "the case" if len(members) == 1 else f"any of the {len(members)} cases"
    raise VariantError(
        f"{side.text}: it cannot do {count} of {name}: {reason}; expected what {other} can do; "
        "mend it, name another variant, or select other cases"
    )
