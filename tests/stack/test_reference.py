"""The reference of the stack is what its docstrings say now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import resilience_stack

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "stack" / "reference.md"


def test_the_reference_is_up_to_date(tmp_path: Path) -> None:
    """What scripts/reference writes is what is committed, and no public name is missing."""
    written = tmp_path / "reference.md"
    command = [sys.executable, "scripts/lib/reference.py", "--output", str(written)]
    subprocess.run(command, cwd=ROOT, check=True)
    text = written.read_text()
    headings = [line.removeprefix("### ") for line in text.splitlines() if line.startswith("### ")]
    assert set(resilience_stack.__all__) <= set(headings)
    assert PAGE.read_text() == text, "type 'scripts/reference' and commit the page"
