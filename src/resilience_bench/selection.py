"""Which cases a command line means: paths say where to look, patterns say which to take."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from resilience_bench._model import CaseInfo
from resilience_bench.errors import NoScenariosError, UnknownSelectorError
from resilience_bench.launcher import Launcher
from resilience_bench.scenario import matches, scenario_files
from resilience_bench.session import discover

SUITE: Final = "benchmarks"
"""The folder that is measured when no path is given."""
BASELINES: Final = "baselines"
CHECKOUT: Final = Path(__file__).resolve().parents[2]
"""Where the tool runs from, if it was not installed elsewhere."""
CLOSE_NAMES: Final = 3
IMPORT_LIMIT_S: Final = 30.0
"""How long importing the scenario files, or building the cases, may take."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected cases, and the scenario files that could not be used."""

    cases: tuple[CaseInfo, ...]
    problems: tuple[str, ...]


def select(launcher: Launcher, selectors: Sequence[str]) -> Selection:
    """Find the cases that the selectors mean.

    Args:
        launcher: Starts the worker that imports the scenario files.
        selectors: Patterns over case names, and paths of scenario files or folders.

    Raises:
        UnknownSelectorError: If a pattern matches nothing, or a path does not exist.
        NoScenariosError: If there is nothing to select from.
    """
    paths = [Path(each) for each in selectors if _is_path(each)]
    patterns = [each for each in selectors if not _is_path(each)]
    files = [file for path in paths or [suite_folder()] for file in scenario_files(path)]
    if not files:
        where = ", ".join(str(path) for path in paths)
        message = (
            f"no file below {where} uses @scenario; see docs/scenarios.md for how to write one"
        )
        raise NoScenariosError(message)
    listing = discover(launcher, files, IMPORT_LIMIT_S)
    infos = listing.cases
    for pattern in patterns:
        if not any(matches(pattern, info.case) for info in infos):
            raise UnknownSelectorError(pattern, _close_names(pattern, infos), listing.problems)
    chosen = tuple(
        info
        for info in infos
        if not patterns or any(matches(pattern, info.case) for pattern in patterns)
    )
    if not chosen:
        raise NoScenariosError(_nothing_to_do(files, listing.problems))
    return Selection(chosen, listing.problems)


def baselines_folder() -> Path:
    """The folder of baselines and budgets, beside the suite; it need not exist."""
    for root in (Path.cwd(), CHECKOUT):
        if (root / BASELINES).is_dir():
            return root / BASELINES
    return Path.cwd() / BASELINES


def suite_folder() -> Path:
    """The suite in the current directory, or else in the checkout that the tool runs from.

    Raises:
        NoScenariosError: If there is neither.
    """
    for root in (Path.cwd(), CHECKOUT):
        if (root / SUITE).is_dir():
            return root / SUITE
    message = (
        f"no folder {SUITE!r} in {Path.cwd()}; give the path of a scenario file or folder, "
        "e.g. 'resilience-bench run my_scenarios.py'"
    )
    raise NoScenariosError(message)


def _is_path(selector: str) -> bool:
    looks_like_one = selector.endswith(".py") or os.sep in selector
    exists = Path(selector).exists() if "\0" not in selector else False
    if looks_like_one and not exists:
        message = (
            f"no such file or folder: {selector}; expected a scenario file, a folder of them, or "
            "a pattern such as 'breaker.*'; type 'resilience-bench list' to see every case"
        )
        raise NoScenariosError(message)
    return exists


def _close_names(pattern: str, infos: Sequence[CaseInfo]) -> tuple[str, ...]:
    names = dict.fromkeys(name for info in infos for name in (info.case.group, info.case.name))
    return tuple(difflib.get_close_matches(pattern.strip("*?"), names, n=CLOSE_NAMES, cutoff=0.5))


def _nothing_to_do(files: Sequence[Path], problems: Sequence[str]) -> str:
    if problems:
        return f"nothing to measure: {'; '.join(problems)}"
    where = ", ".join(map(str, files))
    return f"no @scenario in {where}; see docs/scenarios.md for how to write one"
