"""The pages of a project's documentation, made by mkdocs from its mkdocs.yml."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from resilience_bench.errors import UserError
from resilience_bench.files.checked_json import format_path


def publish(file: Path, folder: Path) -> None:
    """Make the pages in a folder; raise UserError if mkdocs is missing, or refuses its file."""
    if importlib.util.find_spec("mkdocs") is None:
        raise UserError(
            f"{format_path(file)} needs mkdocs, which is not installed; type "
            "pip install 'resilience-bench[docs]'"
        )
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--config-file", str(file)]
    made = subprocess.run(  # noqa: S603 - the command is ours
        [*command, "--site-dir", str(folder.absolute())],
        capture_output=True,
        text=True,
        check=False,
        # Its theme says on every run that it is maintained until 2027.
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    if made.returncode:
        lines = (made.stderr or made.stdout).strip().splitlines() or ["it said nothing"]
        raise UserError(
            f"mkdocs could not make the pages of {format_path(file)}: {lines[-1]}; type "
            f"mkdocs build --config-file {format_path(file)}"
        )
