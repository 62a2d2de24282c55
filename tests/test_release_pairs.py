"""The table of pairs of releases: what was expected, what was found, and what is said of it."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "results" / "release-pairs"
PAIR = """
[[pair]]
package = "thing"
before = "1"
after = "{after}"
case = "some.case[thing]"
expected = "{expected}"
why = "somebody read it"
"""


def make_table(folder: Path, output: Path) -> str:
    """Have the table written of what is kept in a folder; nothing is measured."""
    command = ["scripts/release-pairs", "--expected", str(folder / "expected.toml")]
    done = subprocess.run(
        [*command, "--package", "none-of-these", "-o", str(output)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return output.read_text("utf-8")


def test_the_committed_table_is_what_was_kept_of_each_pair(tmp_path: Path) -> None:
    """At least ten pairs with a step and ten without were chosen."""
    table = make_table(FOLDER, tmp_path / "table.txt")
    assert table == (ROOT / "results" / "release-pairs.txt").read_text("utf-8")
    pairs = tomllib.loads((FOLDER / "expected.toml").read_text("utf-8"))["pair"]
    expected = [pair["expected"] for pair in pairs]
    assert expected.count("none") >= 10
    assert len(expected) - expected.count("none") >= 10


@pytest.mark.parametrize(
    ("expected", "kept", "verdict"),
    [
        ("slower", {"found": "slower"}, "right"),
        ("slower", {"found": "faster"}, "wrong way"),
        ("slower", {"found": "none"}, "missed"),
        ("none", {"found": "none"}, "right"),
        ("none", {"found": "faster"}, "false step"),
        ("none", {"found": "none", "false_steps": ["other.case[x] slower"]}, "false step"),
        ("none", {"found": "none", "undecided": ["some.case[thing] latency"]}, "undecided"),
        ("none", {"found": "none", "undecided": ["other.case[x] latency"]}, "right"),
        ("slower", {"found": "none", "undecided": ["some.case[thing] latency"]}, "undecided"),
        ("slower", {"reason": "it does not install"}, "not measured"),
        ("slower", None, "not measured"),
    ],
)
def test_what_was_found_is_held_against_what_was_expected(
    tmp_path: Path, expected: str, kept: dict[str, object] | None, verdict: str
) -> None:
    """A step in a control is false even if the case of the pair is right."""
    text = 'chosen = 2026-01-02\ncontrols = ["other.case[x]"]\n'
    text += PAIR.format(after="2", expected=expected)
    (tmp_path / "expected.toml").write_text(text)
    if kept is not None:
        (tmp_path / "thing-2.json").write_text(json.dumps(kept))
    table = make_table(tmp_path, tmp_path / "table.txt")
    [row] = [line for line in table.splitlines() if line.startswith("thing  ")]
    assert row.rstrip().endswith(verdict)
    assert ("1 false steps" in table) == (verdict == "false step")
    assert ("1 of 1 expected steps found" in table) == ((expected, verdict) == ("slower", "right"))
