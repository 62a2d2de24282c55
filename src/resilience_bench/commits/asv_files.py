"""Reads asv's results files, and checks them: a damaged one must not stop the others.

asv itself checks little: a list that is too short ends ``asv publish`` with a traceback.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import msgspec

API_VERSION: Final = 2
MACHINE_VERSION: Final = 1
MACHINE_FILE: Final = "machine.json"
BENCHMARKS_FILE: Final = "benchmarks.json"
OTHER_FILES: Final = frozenset({MACHINE_FILE, BENCHMARKS_FILE})
SETUP_CACHE: Final = "<setup_cache"
SHOWN_CHARACTERS: Final = 80

ValueList = list[float | None] | None
Setting = str | int | float | None
T = TypeVar("T")


class UnreadableFileError(Exception):
    """A file cannot be used; the text says what was found and what was expected."""


def refuse(complaint: str) -> NoReturn:
    """Raise an UnreadableFileError."""
    raise UnreadableFileError(complaint)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark in asv's list."""

    name: str
    params: list[list[str]]
    param_names: list[str]
    version: str


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """The results of one benchmark: a value for each combination of its parameters.

    A value is None where it failed and NaN where it was skipped; ``result`` is None where all
    failed, as they do for a commit that does not build.
    """

    result: ValueList = None
    params: list[list[str]] | None = None
    version: str | None = None
    started_at: float | None = None
    duration: float | None = None
    stats_ci_99_a: ValueList = None
    stats_ci_99_b: ValueList = None
    stats_q_25: ValueList = None
    stats_q_75: ValueList = None
    stats_number: ValueList = None
    stats_repeat: ValueList = None
    samples: list[list[float] | None] | None = None
    profile: str | None = None


VALUE_COLUMNS: Final = (
    "result",
    *(name for name in BenchmarkRow.__slots__ if name.startswith("stats_")),
)
"""The columns with a value for each combination of parameters."""


@dataclass(frozen=True, slots=True)
class _RawResultsFile:
    """A results file as asv writes it."""

    commit_hash: str
    env_name: str
    date: float
    params: dict[str, Setting]
    python: str
    requirements: dict[str, Setting]
    result_columns: list[str]
    results: dict[str, list[Any]]
    env_vars: dict[str, str] = field(default_factory=dict)
    durations: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResultsFile:
    """A checked results file: ``rows`` by the name of the benchmark.

    ``durations`` are those of the build, and of caches that several benchmarks share.
    """

    path: Path
    commit: str
    params: dict[str, Setting]
    rows: dict[str, BenchmarkRow]
    durations: dict[str, float] = field(default_factory=dict)

    @property
    def is_unbuilt(self) -> bool:
        """Whether the commit does not build: everything failed without a start."""
        rows = self.rows.values()
        was_started = any(key.startswith(SETUP_CACHE) for key in self.durations) or any(
            row.result is not None or row.duration is not None for row in rows
        )
        return bool(rows) and not was_started


def find_results_paths(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder that asv takes for results, in a fixed order."""
    return (path for path in sorted(folder.rglob("*.json")) if path.name not in OTHER_FILES)


def read(path: Path) -> ResultsFile:
    """Read a results file; UnreadableFileError if asv could not use it."""
    stored = _convert(read_versioned_json(path, API_VERSION), _RawResultsFile)
    if not re.fullmatch(r"[0-9a-f]{40}", stored.commit_hash):
        found = repr(stored.commit_hash[:SHOWN_CHARACTERS])
        refuse(f"commit_hash is {found}, expected 40 hexadecimal digits")
    if not stored.params.get("machine") or not isinstance(stored.params["machine"], str):
        refuse("params names no machine")
    try:
        dt.datetime.fromtimestamp(stored.date / 1000, dt.UTC)
    except (ValueError, OverflowError, OSError):
        refuse(f"date is {stored.date!r}, expected milliseconds since 1970")
    rows = {
        name: _convert_row(name, stored.result_columns, row) for name, row in stored.results.items()
    }
    return ResultsFile(path, stored.commit_hash, stored.params, rows, stored.durations)


def read_benchmarks(folder: Path) -> dict[str, Benchmark]:
    """Return the benchmarks that asv last found, by name; UnreadableFileError if it has no list."""
    content = read_versioned_json(folder / BENCHMARKS_FILE, API_VERSION)
    return _convert(content, dict[str, Benchmark])


def read_versioned_json(path: Path, version: int) -> dict[str, Any]:
    """Return the content of a file of a version of asv's formats, without the version.

    UnreadableFileError if it is anything else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        refuse(f"cannot be read: {error.strerror}")
    except (ValueError, RecursionError) as error:
        refuse(f"is no JSON, or was cut short: {str(error)[:SHOWN_CHARACTERS]}")
    if not isinstance(content, dict) or content.pop("version", None) != version:
        refuse(f"is not in version {version} of asv's format")
    return content


def read_machine(folder: Path) -> dict[str, Any]:
    """Return the content of a ``machine.json``; UnreadableFileError if it names no machine."""
    content = read_versioned_json(folder / MACHINE_FILE, MACHINE_VERSION)
    if not isinstance(content.get("machine"), str):
        refuse("names no machine")
    return {**content, "version": MACHINE_VERSION}


def _convert(content: Any, kind: type[T], where: str = "") -> T:
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        refuse(f"{where}{str(error)[0].lower()}{str(error)[1:]}")


def _convert_row(name: str, columns: list[str], values: list[Any]) -> BenchmarkRow:
    if unknown := set(columns) - set(BenchmarkRow.__slots__):
        refuse(f"result_columns has {min(unknown)[:SHOWN_CHARACTERS]!r}, which asv does not know")
    named = dict(zip(columns, values, strict=False))
    row = _convert(named, BenchmarkRow, f"{name[:SHOWN_CHARACTERS]}: ")
    count = math.prod(map(len, row.params or []))
    for column in VALUE_COLUMNS:
        found = getattr(row, column)
        if found is not None and len(found) != count:
            refuse(
                f"{name[:SHOWN_CHARACTERS]}: {column} has {len(found)} values, expected {count}, "
                "one for each combination of its parameters"
            )
    return row
