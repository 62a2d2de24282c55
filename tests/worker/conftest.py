"""Fixtures of the tests of the worker."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _unwatched() -> Iterator[None]:
    """A group has this process ended if it hangs; nobody has it ended later."""
    yield
    faulthandler.cancel_dump_traceback_later()
