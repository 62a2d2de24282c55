"""asv's results files, read with every doubt: one that cannot be read must not spoil the others.

asv itself checks little: a file with a list too short ends ``asv publish`` with a traceback.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

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


class UnreadableFileError(Exception):
    """A file cannot be used; the text says what was found and what was expected."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What asv knows of a benchmark, and is of use here."""

    name: str
    params: list[list[str]]
    param_names: list[str]
    version: str


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """What was measured of one benchmark: a value for each combination of its parameters.

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
    """What a results file says: ``rows`` by the name of the benchmark.

    ``durations`` are those of what is no benchmark: of the build, and of measuring in one go.
    """

    path: Path
    commit: str
    params: dict[str, Setting]
    rows: dict[str, BenchmarkRow]
    durations: dict[str, float] = field(default_factory=dict)

    @property
    def is_unbuilt(self) -> bool:
        """Whether the commit does not build: everything failed without having been started."""
        was_started = any(key.startswith(SETUP_CACHE) for key in self.durations)
        return (
            not was_started
            and bool(self.rows)
            and all(row.result is None and row.duration is None for row in self.rows.values())
        )


def find_results_paths(folder: Path) -> Iterator[Path]:
    """The files below a folder that asv takes for results, in a fixed order."""
    for root, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if name.endswith(".json") and name not in OTHER_FILES:
                yield Path(root) / name


def read(path: Path) -> ResultsFile:
    """Read a results file.

    Raises:
        UnreadableFileError: If asv could not use it.
    """
    stored = _convert(read_versioned_json(path, API_VERSION), _RawResultsFile, "")
    if not re.fullmatch(r"[0-9a-f]{40}", stored.commit_hash):
        found = repr(stored.commit_hash[:SHOWN_CHARACTERS])
        message = f"commit_hash is {found}, expected 40 hexadecimal digits"
        raise UnreadableFileError(message)
    if not stored.params.get("machine") or not isinstance(stored.params["machine"], str):
        message = "params names no machine"
        raise UnreadableFileError(message)
    _check_date(stored.date)
    rows = {
        name: _convert_row(name, stored.result_columns, row) for name, row in stored.results.items()
    }
    return ResultsFile(path, stored.commit_hash, stored.params, rows, stored.durations)


def read_benchmarks(folder: Path) -> dict[str, Benchmark]:
    """The benchmarks that asv last found, by name.

    Raises:
        UnreadableFileError: If there is no list of them.
    """
    content = read_versioned_json(folder / BENCHMARKS_FILE, API_VERSION)
    found: dict[str, Benchmark] = _convert(content, dict[str, Benchmark], "")
    return found


def read_json(path: Path) -> Any:
    """The JSON in a file; NaN is what asv writes for a skip.

    Raises:
        UnreadableFileError: If there is none.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        raise UnreadableFileError(message) from error
    except (ValueError, RecursionError) as error:
        message = f"is no JSON, or was cut short: {str(error)[:SHOWN_CHARACTERS]}"
        raise UnreadableFileError(message) from error


def read_versioned_json(path: Path, version: int) -> dict[str, Any]:
    """The content of a file of a version of asv's formats, without the version.

    Raises:
        UnreadableFileError: If it is anything else.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.pop("version", None) != version:
        message = f"is not in version {version} of asv's format"
        raise UnreadableFileError(message)
    return content


def read_machine(folder: Path) -> dict[str, Any]:
    """What the ``machine.json`` of a folder says.

    Raises:
        UnreadableFileError: If there is none, or it names no machine.
    """
    content = read_versioned_json(folder / MACHINE_FILE, MACHINE_VERSION)
    if not isinstance(content.get("machine"), str):
        message = "names no machine"
        raise UnreadableFileError(message)
    return {**content, "version": MACHINE_VERSION}


def _convert(content: Any, kind: Any, where: str) -> Any:
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        message = f"{where}{str(error)[0].lower()}{str(error)[1:]}"
        raise UnreadableFileError(message) from error


def _check_date(date_ms: float) -> None:
    try:
        dt.datetime.fromtimestamp(date_ms / 1000, dt.UTC)
    except (ValueError, OverflowError, OSError) as error:
        message = f"date is {date_ms!r}, expected milliseconds since 1970"
        raise UnreadableFileError(message) from error


def _convert_row(name: str, columns: list[str], values: list[Any]) -> BenchmarkRow:
    if unknown := set(columns) - set(BenchmarkRow.__slots__):
        message = f"result_columns has {min(unknown)[:SHOWN_CHARACTERS]!r}, which asv does not know"
        raise UnreadableFileError(message)
    named: Mapping[str, Any] = dict(zip(columns, values, strict=False))
    row: BenchmarkRow = _convert(named, BenchmarkRow, f"{name[:SHOWN_CHARACTERS]}: ")
    count = math.prod(len(each) for each in row.params or [])
    for column in (
        "result",
        *(each for each in BenchmarkRow.__slots__ if each.startswith("stats_")),
    ):
        found = getattr(row, column)
        if found is not None and len(found) != count:
            message = (
                f"{name[:SHOWN_CHARACTERS]}: {column} has {len(found)} values, expected {count}, "
                "one a combination of its parameters"
            )
            raise UnreadableFileError(message)
    return row
