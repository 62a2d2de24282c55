"""Scripted workers in which a planted slowdown costs something, and what a proof holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from resilience_bench._model import Counts, Samples
from resilience_bench.selftest.calibration import LEARNING_RUNS, PROBE
from resilience_bench.worker.protocol import CountsMessage, Message, Plan, SamplesMessage
from tests.scripted import Script, info, suite

CASES = [info("call", family="control"), info("a", "x"), info("b", "x")]

_, A, B = (each.case.name for each in CASES)

Prove = Callable[..., tuple[int, str, str]]


def planting(found: bool = True, red: str = "") -> Script:  # noqa: FBT001, FBT002 - a test's own
    """Workers in which what is planted costs something, or nothing; one case rises once learned."""
    counter = iter(range(10**6))

    def call_ns(plan: Plan, name: str, seed: int) -> float:
        planted = dict(plan.plants)
        extra = 20 + 0.5 * planted[name] if name in planted else 0
        extra += dict(plan.waits).get(name, 0)
        if not found and plan.cases != (PROBE,):  # it had a price once
            extra = 0
        costlier = 500 if name == red and next(counter) >= LEARNING_RUNS * 6 else 0
        return 1000 * (1 + seed % 7 / 500) + extra + costlier

    def reported(plan: Plan, message: Message, seed: int) -> Message:
        if isinstance(message, SamplesMessage) and message.kind == "operation":
            elapsed = round(100 * call_ns(plan, message.name, seed))
            return replace(message, samples=Samples(100, (elapsed,) * 4))
        if isinstance(message, CountsMessage) and message.kind == "operation":
            total = round(100 * call_ns(plan, message.name, 0))
            return replace(message, counts=Counts((0, 10), (0, total)))
        return message

    def script(plan: Plan, seed: int) -> list[Message]:
        return [reported(plan, each, seed) for each in suite(CASES)(plan, seed)]

    return script


def held(name: str = "proof.json") -> dict[str, Any]:
    """What a proof says."""
    stored: dict[str, Any] = json.loads(Path(name).read_text())
    return stored


def made(name: str = "proof.json") -> list[tuple[str, float]]:
    """The builds of a proof, in their order."""
    return [(each["gate"], each["planted_percent"]) for each in held(name)["builds"]]


FRESH = ("-o", "proof.json", "--builds", 2)

TIMED = ("--signals", "latency", "--gate", "check", "--gate", "compare")


def stopping(plans: int) -> Script:
    """Workers of a proof that is interrupted after so many of them."""
    left = iter(range(plans))

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        if plan.action != "discover" and next(left, None) is None:
            raise KeyboardInterrupt
        return planting()(plan, seed)

    return script


LEARNING = 4 * 6 + 3 * 6
"""So many workers learn: four runs and three prices, six each."""


def measuring() -> tuple[Script, list[tuple[int, ...]]]:
    """Workers, and a list of the seeds of those that measured."""
    log: list[tuple[int, ...]] = []

    def script(plan: Plan, seed: int) -> Iterable[Message]:
        if plan.action != "discover":
            log.append((seed, len(plan.cases)))
        return planting()(plan, seed)

    return script, log
