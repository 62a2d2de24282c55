"""The scenarios that are tracked over commits, as the axes of asv's parameters, by family.

Runs inside asv's environments as well, so: standard library only.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from resilience_bench._model import CaseInfo
from resilience_bench.scenarios.definition import BoundCase
from resilience_bench.scenarios.loads import IO, NOOP, SINGLE

LOADS: Final = ("threads-16", "tasks-100")
"""The tracked loads, of the scenarios that have loads of their kind in their profile."""
BARE: Final = "bare"
"""Stands in the axis of libraries for a scenario without a library."""

ParameterKey = tuple[str, str, str]
"""Library, scenario and load, as in asv's parameters."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Cases by asv's parameters; not every combination exists."""

    bound: dict[ParameterKey, BoundCase]

    @property
    def params(self) -> list[list[str]]:
        """The values of each axis, in the order of their definition."""
        return [list(dict.fromkeys(key[axis] for key in self.bound)) for axis in range(3)]

    @property
    def cases(self) -> list[CaseInfo]:
        """The cases, as a session takes them."""
        return [bound.info for bound in self.bound.values()]


@dataclass(frozen=True, slots=True)
class Family:
    """The tracked cases of one family: those with one caller, and those under a load."""

    name: str
    single: Grid
    loaded: Grid


def group_by_family(found: Iterable[BoundCase], installable: Collection[str]) -> list[Family]:
    """Sort the cases measured by default; leave out what no environment of a commit can contain.

    The axes must be the same in every process of a run, whatever its commit has installed, because
    asv passes parameters on by their number. So they come from the checkout alone.

    ``found`` are the cases with one caller, ``installable`` the normalised names of distributions.
    """
    families: dict[str, Family] = {}
    for bound in found:
        info, case = bound.info, bound.info.case
        names = set(map(normalise_name, info.distributions))
        if not info.by_default or not names <= set(installable):
            continue
        family = families.setdefault(case.family, Family(case.family, Grid({}), Grid({})))
        library = case.label or BARE
        family.single.bound[library, case.scenario, SINGLE] = bound
        kinds = {load.partition("-")[0] for load in info.in_profile} & {*info.loads}
        for load in LOADS:
            if load.partition("-")[0] in kinds:
                payload = IO if IO in info.payloads else NOOP
                family.loaded.bound[library, case.scenario, load] = bound.with_load(load, payload)
    return list(families.values())


def read_installable(project_file: Path) -> frozenset[str]:
    """Return the normalised names of a project and of its dependencies."""
    project = tomllib.loads(project_file.read_text(encoding="utf-8"))["project"]
    requirements = [project["name"], *project.get("dependencies", [])]
    names = (re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in requirements)
    return frozenset(normalise_name(name[0]) for name in names if name)


def normalise_name(name: str) -> str:
    """Return the name that all spellings of a distribution share.

    Source: https://packaging.python.org/en/latest/specifications/name-normalization/
    """
    return re.sub(r"[-_.]+", "-", name).lower()
