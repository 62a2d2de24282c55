"""Which results files there are: the latest run, the last check, and what cannot be read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from resilience_bench._model import Result
from resilience_bench.errors import OtherFileError, UnreadableResultError
from resilience_bench.files import results
from resilience_bench.report.blocks import plain

CHECK: Final = "check"
"""The profile of a results file that a check has written."""
UNKEPT: Final = "run-*"
"""Results files of this name are not committed; there may be hundreds."""
LONG_AGO: Final = dt.datetime.min.replace(tzinfo=dt.UTC)

Skipped = tuple[Path, str]
"""A file that could not be read, and why."""


@dataclass(frozen=True, slots=True)
class Listed:
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
        return not self.path.match(UNKEPT)


@dataclass(frozen=True, slots=True)
class Runs:
    """The results files of a folder, the latest first; checks apart."""

    runs: tuple[Listed, ...]
    checks: tuple[Listed, ...]
    skipped: tuple[Skipped, ...]


def found_in(folder: Path) -> Runs:
    """Find the results files of a folder; proofs and baselines beside them are none, and no loss.

    Args:
        folder: Where they lie; folders in it are not looked into.
    """
    skipped: list[Skipped] = []
    listed = sorted(_listed(folder, skipped), key=_moment, reverse=True)
    return Runs(
        tuple(each for each in listed if each.profile != CHECK),
        tuple(each for each in listed if each.profile == CHECK),
        tuple(skipped),
    )


def _listed(folder: Path, skipped: list[Skipped]) -> Iterator[Listed]:
    for path in sorted(folder.glob("*.json")):
        try:
            yield _line(path, results.read(path))
        except OtherFileError:
            continue
        except UnreadableResultError as error:
            skipped.append((path, reason(path, error)))


def reason(path: Path, error: Exception) -> str:
    """Why a file could not be read, without its name at the front."""
    return str(error).removeprefix(f"{path}: ")


def _line(path: Path, result: Result) -> Listed:
    return Listed(
        path,
        plain(result.started),
        plain(result.profile),
        len(result.cases),
        sum(record.status == "measured" for record in result.cases),
        plain(result.commit.revision[:10]) if result.commit else "",
        result.complete,
    )


def _moment(listed: Listed) -> tuple[dt.datetime, str]:
    try:
        moment = dt.datetime.fromisoformat(listed.started)
    except ValueError:  # somebody edited the file; it is the last that anybody wants to see
        moment = LONG_AGO
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return aware, listed.path.name
