"""The cases of the scripted suite, and what every error looks like."""

from __future__ import annotations

from collections.abc import Callable

from tests.scripted import info

CASES = [info("closed", "pybreaker"), info("closed", "purgatory"), info("first", family="retry")]

PYBREAKER, PURGATORY, RETRY = (each.case.name for each in CASES)

Run = Callable[..., tuple[int, str, str]]


def assert_one_line(err: str, *parts: str) -> None:
    """An error is one line, without a traceback, and says these things."""
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    for part in parts:
        assert part in err
