"""What pip and interpreters say, shortened to what helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from resilience_bench.environments.pip import (
    extract_last_lines,
    query_interpreter,
    refuse_unusable_interpreter,
)
from resilience_bench.errors import VariantError

FRAMED = """
  Running command git clone --quiet file:///nowhere/x /tmp/x
  fatal: '/nowhere/x' does not appear to be a git repository
  error: subprocess-exited-with-error
  \u00d7 git clone --quiet file:///nowhere/x /tmp/x did not run successfully.
  \u2502 exit code: 128
  \u2570\u2500> See above for output.

  note: This error originates from a subprocess, and is likely not a problem with pip.
"""


def test_the_reason_is_shown_and_not_the_frame_that_pip_puts_around_it() -> None:
    """Of a program that pip starts, its own words count; without any, those of pip stay."""
    assert extract_last_lines(FRAMED).endswith("does not appear to be a git repository")
    assert extract_last_lines("\u2502 exit code: 1\n") == "\u2502 exit code: 1"


def test_a_program_that_is_no_python_is_shown_what_it_printed(tmp_path: Path) -> None:
    """No word about JSON: the user has typed the path of another program."""
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o755)
    with (
        pytest.raises(VariantError, match=r"asked about itself, it printed 'hello'; name another"),
        refuse_unusable_interpreter(str(program)),
    ):
        query_interpreter(program, "")
