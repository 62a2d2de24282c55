"""Which results files there are: the latest run, the last check, and what cannot be read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from resilience_bench._model import Result
from resilience_bench.errors import UnreadableResultError, WrongFileKindError
from resilience_bench.files import results
from resilience_bench.report.text import clean_text

CHECK: Final = "check"
"""The profile of a results file that a check has written."""
UNCOMMITTED: Final = "run-*"
"""Results files of this name are not committed; there may be hundreds."""
LONG_AGO: Final = dt.datetime.min.replace(tzinfo=dt.UTC)

SkippedFile = tuple[Path, str]
"""A file that could not be read, and why."""


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A results file that can be read, in a line."""

    path: Path
    started: str
    profile: str
    cases: int
    measured: int
    commit: str
    complete: bool

    @property
    def is_kept(self) -> bool:
        """Whether it was given a name to be kept under."""
        return not self.path.match(UNCOMMITTED)


@dataclass(frozen=True, slots=True)
class SavedRuns:
    """The results files of a folder, the latest first; checks apart."""

    runs: tuple[SavedRun, ...]
    checks: tuple[SavedRun, ...]
    skipped: tuple[SkippedFile, ...]


def find_runs(folder: Path) -> SavedRuns:
    """Find the results files of a folder; proofs and baselines beside them are none, and no loss.

    Args:
        folder: Where they lie; folders in it are not looked into.
    """
    skipped: list[SkippedFile] = []
    listed = sorted(_read_runs(folder, skipped), key=_make_sort_key, reverse=True)
    return SavedRuns(
        tuple(each for each in listed if each.profile != CHECK),
        tuple(each for each in listed if each.profile == CHECK),
        tuple(skipped),
    )


def _read_runs(folder: Path, skipped: list[SkippedFile]) -> Iterator[SavedRun]:
    for path in sorted(folder.glob("*.json")):
        try:
            yield _make_saved_run(path, results.read(path))
        except WrongFileKindError:
            continue
        except UnreadableResultError as error:
            skipped.append((path, describe_error(path, error)))


def describe_error(path: Path, error: Exception) -> str:
    """Why a file could not be read, without its name at the front."""
    return str(error).removeprefix(f"{path}: ")


def _make_saved_run(path: Path, result: Result) -> SavedRun:
    return SavedRun(
        path,
        clean_text(result.started),
        clean_text(result.profile),
        len(result.cases),
        sum(record.status == "measured" for record in result.cases),
        clean_text(result.commit.revision[:10]) if result.commit else "",
        result.complete,
    )


def _make_sort_key(listed: SavedRun) -> tuple[dt.datetime, str]:
    try:
        moment = dt.datetime.fromisoformat(listed.started)
    except ValueError:  # somebody edited the file; it is the last that anybody wants to see
        moment = LONG_AGO
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return aware, listed.path.name
