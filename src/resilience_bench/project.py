"""The project that a command works on: where its suite and its baselines are."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from resilience_bench.errors import NoScenariosError

SUITE: Final = "benchmarks"
"""The folder that is measured when no path is given."""
BASELINES: Final = "baselines"
CHECKOUT: Final = Path(__file__).resolve().parents[2]
"""The top of the checkout, unless the tool is installed from a wheel."""


def find_baselines_folder() -> Path:
    """Return the folder of baselines and budgets; it need not exist."""
    for root in (Path.cwd(), CHECKOUT):
        if (root / BASELINES).is_dir():
            return root / BASELINES
    return Path.cwd() / BASELINES


def find_suite_folder() -> Path:
    """Return the suite here, or else in the tool's own checkout; NoScenariosError if none."""
    for root in (Path.cwd(), CHECKOUT):
        if (root / SUITE).is_dir():
            return root / SUITE
    message = (
        f"no folder {SUITE!r} in {Path.cwd()}; give the path of a scenario file or folder, "
        "e.g. 'resilience-bench run my_scenarios.py'"
    )
    raise NoScenariosError(message)
