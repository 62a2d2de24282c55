"""Fixtures of the tests of the demo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.leftovers import Place, make_place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A folder for temporary files of this test alone."""
    with make_place() as made:
        yield made
