"""Publishes a release history with asv, for the site of histories."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from resilience_bench.commits import asv_files
from resilience_bench.commits import publish as asv_publishing
from resilience_bench.errors import UserError
from resilience_bench.files.checked_json import format_path
from resilience_bench.releases import asv_results, history_file


def publish(folder: Path, html_dir: Path) -> asv_publishing.Publication:
    """Publish a history's asv results, as 'asv publish' does, without those that cannot be read.

    ``folder`` is what 'resilience-bench releases' wrote; ``html_dir`` is replaced. A repository
    with a commit for each release exists while this runs. asv's own pages are written as well;
    asv-tachyon needs the data beside them. UserError if the history cannot be read, or git or asv
    is missing or fails.
    """
    history = history_file.read(folder)
    if not history.measured:
        raise UserError(
            f"{folder}: no release was measured; type 'resilience-bench releases PACKAGE'"
        )
    tree = folder / asv_results.TREE
    has_results = any(asv_files.find_results_paths(tree))
    if not has_results or not (tree / asv_files.BENCHMARKS_FILE).exists():
        command = f"resilience-bench releases {history.package} -o {format_path(folder)}"
        raise UserError(
            f"{format_path(tree)}: found no results of asv's, expected those of "
            f"{history.package}; type '{command}' to write them"
        )
    with tempfile.TemporaryDirectory(prefix="resilience-bench-") as scratch:
        repository = Path(scratch) / "repository"
        asv_results.make_repository(history, repository)
        settings = {
            "version": 1,
            "project": history.package,
            "repo": str(repository),
            "branches": [asv_results.BRANCH],
            "results_dir": str(tree.absolute()),
            "html_dir": str(html_dir.absolute()),
            "environment_type": "virtualenv",
            "hash_length": 8,
            # A release changes in steps: even small ones count.
            "regressions_thresholds": {".*": 0.01},
        }
        conf_file = Path(scratch) / "asv.conf.json"
        conf_file.write_text(json.dumps(settings), encoding="utf-8")
        return asv_publishing.publish(conf_file, html_dir)
