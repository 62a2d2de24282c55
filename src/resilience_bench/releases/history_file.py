"""The file of a release history, ``releases.json``: written atomically, read with every doubt."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import msgspec
from packaging.version import Version

from resilience_bench._model import Environment, Estimate
from resilience_bench.environments.fingerprint import format_python_name
from resilience_bench.errors import UnreadableResultError
from resilience_bench.files import atomic
from resilience_bench.files.checked_json import CheckedFile, describe_value, format_json

SCHEMA: Final = 1
"""Raised whenever an older version could misread what this version writes."""
FILE_NAME: Final = "releases.json"
ReleaseStatus = Literal["measured", "does not install", "does not import", "nothing to measure"]
"""The state of a release; everything but ``measured`` comes with a reason."""


@dataclass(frozen=True, slots=True)
class CaseCost:
    """What one case costs in one release; a case that was not measured says why.

    ``quantities`` by name (``latency_ns``, ``ratio``, ``instructions`` …) with their intervals;
    ``missing`` says which signals it lacks, and why.
    """

    status: str
    reason: str = ""
    quantities: dict[str, Estimate] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Release:
    """A release: its date (UTC, ISO 8601; empty if the index does not tell), and what it costs.

    ``packages`` are the versions that its cases were measured with, ``values`` by case name.
    """

    version: str
    date: str
    status: ReleaseStatus
    reason: str = ""
    is_yanked: bool = False
    packages: dict[str, str] = field(default_factory=dict)
    values: dict[str, CaseCost] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided of one quantity of a case between a release and the one before.

    ``change`` is the release divided by the one before, with its interval. ``p_value`` bounds how
    often chance alone shows as much or more, and ``level`` is what it had to fall below; both are
    None where processes count and have to agree, ``workers`` of them.
    """

    release: str
    before: str
    case: str
    signal: str
    quantity: str
    outcome: Literal["regressed", "improved", "inconclusive"]
    change: Estimate | None
    p_value: float | None
    level: float | None
    workers: int
    reason: str

    @property
    def size(self) -> float:
        """How large the change is, where half is as large as twice."""
        if self.change is None or self.change.value <= 0:
            return math.inf
        return max(self.change.value, 1 / self.change.value)


@dataclass(frozen=True, slots=True)
class History:
    """The release history of a package.

    ``releases`` from the oldest to the newest; ``cases`` by name, with their descriptions;
    ``steps`` are the decisions that something moved, ``undecided`` those that could not be taken;
    ``counts`` says how many decisions had which outcome; ``tolerances`` are what is no step yet, by
    quantity, as a share of the release before.
    """

    schema: int
    package: str
    tool_version: str
    reference_version: int
    started: str
    ended: str
    complete: bool
    environment: Environment
    selectors: tuple[str, ...]
    signals: tuple[str, ...]
    not_available: dict[str, str]
    tolerances: dict[str, float]
    cases: dict[str, str]
    releases: tuple[Release, ...]
    steps: tuple[Decision, ...]
    undecided: tuple[Decision, ...]
    counts: dict[str, int]
    headline: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def measured(self) -> tuple[Release, ...]:
        """The releases that were measured."""
        return tuple(release for release in self.releases if release.status == "measured")


def write(history: History, path: Path) -> None:
    """Write a history; UnwritableOutputError if it cannot be, and what was there stays."""
    # A line for each release and step: a diff shows which of them changed.
    atomic.write_text(format_json(msgspec.to_builtins(history), depth=2) + "\n", path)


def read(path: Path) -> History:
    """Read a history from its file, or from the folder that holds it as ``releases.json``.

    UnreadableResultError if it is missing, cut short, no history, or of another schema.
    """
    file = path / FILE_NAME if path.is_dir() else path
    remedy = f"type 'resilience-bench releases PACKAGE -o {file.parent}' to measure it"
    source = CheckedFile(file, "a release history", UnreadableResultError, remedy)
    stored = source.parse(source.read_content())
    source.check_schema(stored, SCHEMA)
    if not isinstance(stored.get("releases"), list):
        found = describe_value(stored["releases"]) if "releases" in stored else "no such key"
        source.refuse("releases", f"expected {source.kind}, found {found}")
    return source.convert(stored, History)


def read_below(folder: Path) -> dict[str, History]:
    """Read the histories in the folders below one, by interpreter, the oldest Python first.

    UnreadableResultError as for `read`.
    """
    found = [read(file) for file in folder.glob(f"*/{FILE_NAME}")]
    ordered = sorted(found, key=lambda one: _get_python_version(one.environment))
    return {format_python_name(one.environment): one for one in ordered}


def _get_python_version(environment: Environment) -> tuple[Version, bool]:
    return Version(environment.python.rpartition(" ")[2]), environment.free_threaded


def group_cases(history: History, quantity: str) -> dict[str, list[str]]:
    """Return the cases that have a quantity in some release, by scenario."""
    costs = [item for release in history.measured for item in release.values.items()]
    having = {name for name, cost in costs if quantity in cost.quantities}
    groups: dict[str, list[str]] = {}
    for name in history.cases:
        if name in having:
            groups.setdefault(split_name(name)[0], []).append(name)
    return groups


def split_name(case: str) -> tuple[str, str]:
    """Return the scenario of a case, and the rest of its name without brackets."""
    scenario, _, rest = case.partition("[")
    return scenario, rest.removesuffix("]")
