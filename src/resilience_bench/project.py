"""The project that a command works on: where its suite and its baselines are."""

from __future__ import annotations

import tomllib
from importlib import metadata
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
    raise NoScenariosError(
        f"no folder {SUITE!r} in {Path.cwd()}; type 'resilience-bench init' to get one with an "
        "example, or give the path of a scenario file or folder: 'resilience-bench run my.py'"
    )


def find_outdated_install(folder: Path) -> str:
    """Return the name of the project in a folder if another state of it is installed; else ""."""
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        files = metadata.distribution(project["name"]).files or ()
        for file in (file for file in files if file.suffix == ".py"):
            for source in (folder / file, folder / "src" / file):
                if source.is_file() and source.read_bytes() != Path(file.locate()).read_bytes():
                    return str(project["name"])
    except (OSError, ValueError, LookupError, TypeError, metadata.PackageNotFoundError):
        pass  # no project, or none that is installed
    return ""
