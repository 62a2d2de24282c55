"""A suite with loads, and what patterns select of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from resilience_bench._model import CaseInfo
from resilience_bench.errors import UnknownLoadError, UnknownSelectorError
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.measure.selection import select
from resilience_bench.scenarios.loads import PAYLOADS
from tests.scripted import info, suite

THREADED = ("threads", "mixed")


def declared(
    scenario: str,
    library: str = "",
    loads: Sequence[str] = THREADED,
    payloads: Sequence[str] = PAYLOADS,
    in_profile: Sequence[str] = (),
) -> CaseInfo:
    """A case as its scenario declares it."""
    family, _, name = scenario.rpartition(".")
    return replace(
        info(name, library, family),
        loads=tuple(loads),
        payloads=tuple(payloads),
        in_profile=tuple(in_profile),
    )


CASES = [
    declared("breaker.closed", "pybreaker", in_profile=("threads",)),
    declared("breaker.closed", "purgatory", in_profile=("threads",)),
    declared("breaker.rejects", "pybreaker", payloads=("noop",), in_profile=("threads-16",)),
    declared("breaker.recovers", "pybreaker", ("threads",), ("io",), ("threads-16",)),
    declared("breaker.awaited", "purgatory", ("tasks",), in_profile=("tasks",)),
    declared("metrics.inc", "lib-2", payloads=("noop",), in_profile=("threads", "mixed")),
    declared("metrics.shared", "", (*THREADED, "processes"), ("noop",), ("processes",)),
    declared("retry.scripted", "tenacity", (), PAYLOADS),
    declared("mine.plain"),
]


def names(*selectors: str, cases: Sequence[CaseInfo] = CASES, loaded: bool = False) -> list[str]:
    """The names that the selectors mean in a scripted suite."""
    launcher = ScriptedLauncher(suite(cases))
    return [
        case.case.name
        for case in select(launcher, selectors, profile="concurrency" if loaded else "").cases
    ]


def refused(selector: str, *, loaded: bool = False) -> str:
    """What is said of a selector that means nothing."""
    with pytest.raises((UnknownLoadError, UnknownSelectorError)) as caught:
        names(selector, loaded=loaded)
    return str(caught.value)
