"""Fixtures of the tests of the worker."""

from __future__ import annotations

import asyncio
import faulthandler
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _unwatched() -> Iterator[None]:
    """A group has this process ended if it hangs; nobody has it ended later."""
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """The runner that a worker has."""
    with asyncio.Runner() as running:
        yield running
