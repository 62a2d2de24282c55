"""Variants that are compared with scripted workers."""

from __future__ import annotations

from collections.abc import Callable

from resilience_bench.gate.live import LiveSource
from tests.scripted import info

CASES = [info("a", "x"), info("b", "x")]

A, B = (each.case.name for each in CASES)

BOTH = {A, B}

ARMS = ("BASE", "HEAD", "NULL")

EVEN = list(ARMS)

ODD = ["HEAD", "BASE"]

Log = list[tuple[str, str, int, tuple[str, ...]]]

Made = Callable[..., tuple[LiveSource, Log]]
