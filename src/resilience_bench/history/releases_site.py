"""Publishes a release history with asv: what the site of histories shows beside the commits.

    publish(folder: Path, html_dir: Path) -> None
    histories(root: Path) -> list[Path]

``folder`` is what 'resilience-bench releases' wrote, with ``releases.json`` and ``asv/`` in it;
``html_dir`` becomes a folder as 'asv publish' makes it, in the place of what was there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from resilience_bench.errors import UserError
from resilience_bench.history import releases_asv, releases_file
from resilience_bench.installing import last_lines

TREE: Final = "asv"
"""The folder of asv's results, beside ``releases.json``."""


def histories(root: Path) -> list[Path]:
    """The folders below ``results/releases`` that hold a history, by name."""
    return sorted(each.parent for each in root.glob(f"*/{releases_file.NAME}"))


def publish(folder: Path, html_dir: Path) -> None:
    """Publish a history's asv results, as 'asv publish' does.

    A repository with a commit a release is made for as long as this takes. asv's own pages are
    written as well; asv-tachyon needs the data beside them.

    Args:
        folder: The history: ``releases.json`` and ``asv/``.
        html_dir: What asv writes, in the place of what was there before.

    Raises:
        UnreadableResultError: If the history cannot be read.
        UserError: If git or asv is missing, or fails.
    """
    history = releases_file.read(folder)
    if not history.measured:
        message = f"{folder}: no release was measured; type 'resilience-bench releases PACKAGE'"
        raise UserError(message)
    with tempfile.TemporaryDirectory(prefix="resilience-bench-") as scratch:
        repository = Path(scratch) / "repository"
        releases_asv.make_repository(history, repository)
        settings = {
            "version": 1,
            "project": history.package,
            "repo": str(repository),
            "branches": [releases_asv.BRANCH],
            "results_dir": str((folder / TREE).absolute()),
            "html_dir": str(html_dir.absolute()),
            "environment_type": "virtualenv",
            "hash_length": 8,
            # A release moves in steps; none is too small to be told.
            "regressions_thresholds": {".*": 0.01},
        }
        (Path(scratch) / "asv.conf.json").write_text(json.dumps(settings), encoding="utf-8")
        _asv(folder, Path(scratch))


def _asv(folder: Path, scratch: Path) -> None:
    command = [sys.executable, "-m", "asv", "publish", "--no-pull"]
    done = subprocess.run(  # noqa: S603 - the command is ours
        command,
        cwd=scratch,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(scratch)},
    )
    if done.returncode:
        said = last_lines(done.stderr or done.stdout or "nothing")
        message = (
            f"{folder}: asv could not publish it: {said}; expected asv 0.6.5 or newer; "
            "type: pip install 'resilience-bench[history]'"
        )
        raise UserError(message)
