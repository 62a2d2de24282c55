"""The command that prepares a project: a first scenario, a CI workflow, budgets."""

from __future__ import annotations

import importlib.resources
import json
from importlib import metadata
from pathlib import Path
from typing import Final

import click

from resilience_bench.cli.console import make_console
from resilience_bench.cli.options import FILE, OK
from resilience_bench.errors import UserError, format_amount, format_names
from resilience_bench.files import atomic
from resilience_bench.files.checked_json import format_path
from resilience_bench.report import terminal

NAME: Final = "resilience-bench"
FILES: Final = {
    "benchmarks/guard.py": "guard.py.txt",
    "baselines/budgets.toml": "budgets.toml",
    ".github/workflows/benchmarks.yml": "benchmarks.yml",
    "results/.gitignore": "gitignore.txt",
}
"""What is written, and from which template."""
NEXT_STEPS: Final = """
Type next:
  resilience-bench run                     measure the example in benchmarks/guard.py
  resilience-bench show results/run-*.json show what was measured again
  resilience-bench check --baseline none   hold it against baselines/budgets.toml
  resilience-bench baseline learn          learn what is acceptable on this machine
Then have benchmarks/guard.py import your own guard, and commit these files. 'compare' measures what
a revision installs: a guard that is defined in benchmarks/ is the same on both sides."""


@click.command()
@click.argument("folder", type=FILE, default=Path())
def init(folder: Path) -> int:
    """Write a first scenario file, a CI workflow and budgets into a project.

    FOLDER is the top of the project, by default the current one. No file is overwritten.
    """
    if not folder.is_dir():
        raise UserError(
            f"{format_path(folder)}: expected the folder of a project, found none; type its path"
        )
    if taken := [name for name in FILES if (folder / name).exists()]:
        raise UserError(
            f"{format_path(folder)}: found {format_names(taken)}, which 'init' does not overwrite; "
            "nothing was written; move them away, or type 'resilience-bench list' to use them"
        )
    requirement = find_requirement()
    templates = importlib.resources.files("resilience_bench.cli") / "templates"
    for name in FILES:
        atomic.ensure_writable(folder / name, "type the path of another project")
    console = make_console()
    if console.quiet:
        click.echo(f"wrote {format_amount(len(FILES), 'file')} below {format_path(folder)}")
    for name, template in FILES.items():
        text = (templates / template).read_text(encoding="utf-8")
        atomic.write_text(text.replace("REQUIREMENT", requirement), folder / name)
        console.print(f"wrote {folder / name}", highlight=False, markup=False)
    if not (folder / "pyproject.toml").exists():
        text = "note: the workflow installs this project, which needs a pyproject.toml for that"
        terminal.print_prose(text, console)
    if requirement == NAME:
        text = "note: the workflow takes resilience-bench from the runner's package index"
        terminal.print_prose(text, console)
    if "+file:" in requirement:
        text = f"note: a runner has no {requirement}; put a URL that it reaches there"
        terminal.print_prose(text, console)
    terminal.print_line(NEXT_STEPS, console)
    return OK


def find_requirement() -> str:
    """Return what pip installs this tool by, wherever a project's workflow runs."""
    origin = json.loads(metadata.distribution(NAME).read_text("direct_url.json") or "{}")
    if not (vcs := origin.get("vcs_info")):
        return NAME
    return f"{vcs['vcs']}+{origin['url']}@{vcs['commit_id']}"
