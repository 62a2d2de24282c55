"""The documentation is true: every command block in it runs, every path in it exists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])
BLOCK = re.compile(r"^```console\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
THIS_TEST = "scripts/test"
"""Running it from within itself would never end; that it works is shown by this test running."""
RUN_ELSEWHERE = {"README.md": "scripts/site"}
"""What takes a while, and another page runs as well."""
LONG = ("README.md", "history.md", "scenarios.md")
GATES = re.compile(r"resilience-bench (check|compare|releases --watch)\b")
"""Commands that may find, on a machine that others use as well, that something got slower."""


def commands(page: Path) -> list[str]:
    """The lines that start with a dollar in a page's console blocks, continued lines joined."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line[2:] for line in lines if line.startswith("$ ")]


COMMANDS = {page: found for page in PAGES if (found := commands(page))}


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=[pytest.mark.minutes] if page.name in LONG else [])
        for page in COMMANDS
    ],
)
def test_command_blocks_run(page: Path, checkout_copy: Path) -> None:
    """What a page tells people to type works, in its order, whatever other page was read before."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in COMMANDS[page]:
        if command.startswith(THIS_TEST):
            assert os.access(ROOT / THIS_TEST, os.X_OK)
            continue
        if command == RUN_ELSEWHERE.get(page.name):
            assert any(command in COMMANDS[other] for other in COMMANDS if other != page)
            continue
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=checkout_copy,
            env={**os.environ, "PATH": path, "RESILIENCE_BENCH_PYTHON": sys.executable},
            capture_output=True,
            text=True,
            check=False,
        )
        allowed = (0, 1) if GATES.search(command) else (0,)
        assert done.returncode in allowed, f"$ {command}\n{done.stdout}{done.stderr}"


def test_there_are_commands_to_run() -> None:
    """The pages are found, and their blocks are read."""
    assert {page.name for page in COMMANDS} >= {"README.md", "scenarios.md", "CONTRIBUTING.md"}


def test_no_command_hides_in_another_kind_of_block() -> None:
    """Shell commands stand in console blocks only, where they are run."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"^```(sh|bash|shell)\b", text, flags=re.MULTILINE), page
        outside = BLOCK.sub("", text)
        assert not re.search(r"^\$ ", outside, flags=re.MULTILINE), page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Relative links in the pages point to files that exist."""
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_readme_gives_the_first_command_by_line_15() -> None:
    """Whoever opens the README sees what to type without scrolling."""
    head = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:15]
    assert "$ scripts/bench" in head
