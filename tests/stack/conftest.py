"""Fixtures of the tests of the stack."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from resilience_stack.core import breaker
from tests.stack.bench import Bench


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A fresh manager, whose breakers go by the clock of the bench."""
    made = Bench()
    monkeypatch.setattr(breaker, "monotonic", lambda: made.now_s)
    return made


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads that take turns as often as Python can, so that they meet everywhere."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)
