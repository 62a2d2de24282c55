"""What all tests share."""

from __future__ import annotations

import os
import shutil
import signal

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker of tests that need a program, and let tests interrupt what they start."""
    config.addinivalue_line("markers", "needs(program): skipped where the program is missing")
    # A shell starts background jobs deaf to Ctrl-C, and so would be every process of a test.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def require(program: str) -> str:
    """The path of a program; without it the test is skipped, or fails with REQUIRE_ALL=1."""
    path = shutil.which(program)
    if path is None:
        reason = f"{program} is not installed; .ci/run installs it"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(f"{reason} (REQUIRE_ALL=1)")
        pytest.skip(reason)
    return path


@pytest.fixture(autouse=True)
def _needed_programs(request: pytest.FixtureRequest) -> None:
    """Skip, or with REQUIRE_ALL=1 fail, a test whose program is not on PATH."""
    for mark in request.node.iter_markers("needs"):
        for program in mark.args:
            require(program)
