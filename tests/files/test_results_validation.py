"""Values that make no sense are refused with their key."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories import (
    CONTROL,
)
from tests.files.results_factories import NAME, refusal

Change = Callable[[dict[str, Any]], object]


def _set(*keys: str | int, to: Any) -> Change:
    def change(document: Any) -> None:
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = to

    return change


def _drop(*keys: str | int) -> Change:
    def change(document: Any) -> None:
        for key in keys[:-1]:
            document = document[key]
        del document[keys[-1]]

    return change


OPERATION = ("workers", 0, "operations", NAME)

COUNTED = ("instructions", 0, "operations", NAME)

CONTROL_COUNTED = ("instructions", 0, "controls", CONTROL)

WEIGHED = ("allocations", 0, "operations", NAME)

LOADED = ("loads", 0, "operations", NAME)

IN_LOADED = f"loads[0].operations.{NAME}"

TALLIED = ("loads", 0, "tallies", NAME)

IN_COUNTED = f"instructions[0].operations.{NAME}"

IN_WEIGHED = f"allocations[0].operations.{NAME}"


@pytest.mark.parametrize(
    ("change", "key", "expected"),
    [
        (_drop("cases"), "", "cases"),
        (_drop("cases", 0, "status"), "cases[0]", "status"),
        (_set("cases", 0, "status", to="fine"), "cases[0].status", "expected one of measured, not"),
        (_set("cases", to={}), "cases", "array"),
        (_set("environment", "cpu_count", to="two"), "environment.cpu_count", "int"),
        (_set("environment", "packages", to={"x": 1}), "environment.packages.x", "str"),
        (_set(*OPERATION, to=5), f"operations.{NAME}", "object"),
        (_set("load_average", to=[float("nan")]), "load_average[0]", "finite"),
        (_set(*OPERATION, "elapsed_ns", 3, to=float("nan")), "operations", "finite"),
        (_set(*OPERATION, "elapsed_ns", 3, to=-5), "elapsed_ns[3]", "found -5"),
        (_set(*OPERATION, "elapsed_ns", to=[]), "elapsed_ns", "none"),
        (_set(*OPERATION, "elapsed_ns", to=[10**400]), "elapsed_ns[0]", "finite"),
        (_set(*OPERATION, "elapsed_ns", 0, to=1.5), "elapsed_ns[0]", "int"),
        (_set(*OPERATION, "calls", to=0), "calls", "found 0"),
        (_set("workers", 0, "reference", "elapsed_ns", to=[0]), "reference", "found 0"),
        (_set(*OPERATION, "beside", to=[0]), "beside", "of elapsed_ns, 12, found 1"),
        (_set(*OPERATION, "beside", to=[99] * 12), "beside[0]", "from 0 to 11, found 99"),
        (_set("workers", 0, "controls", to={}), "workers[0].controls", "1xreturns"),
        (_set("workers", 1, "clock_resolution_ns", to=0), "clock_resolution_ns", "more than 0"),
        (_set("workers", 0, "operations", to={"who": {"calls": 1, "elapsed_ns": [1]}}), "who", ""),
        (_set(*COUNTED, "instructions", to=[-1, 5]), f"{IN_COUNTED}.instructions", "-1 and 5"),
        (_set(*COUNTED, "instructions", to=[7, 7]), f"{IN_COUNTED}.instructions", "7 and 7"),
        (_set(*COUNTED, "calls", to=[40, 10]), f"{IN_COUNTED}.calls", "found 40 and 10"),
        (_set(*COUNTED, "calls", to=[1, 2, 3]), f"{IN_COUNTED}.calls", "array"),
        (_set(*COUNTED, "calls", to=[1, "2"]), f"{IN_COUNTED}.calls[1]", "int"),
        (_set(*COUNTED, "calls", to=[1, float("nan")]), f"{IN_COUNTED}.calls[1]", "finite"),
        (_set(*COUNTED, "calls", to=[0, 10**30]), f"{IN_COUNTED}.calls", "0 and 10000"),
        (_set(*COUNTED, to=None), IN_COUNTED, "object"),
        (
            _set(*CONTROL_COUNTED, "calls", to=[9, 9]),
            f"instructions[0].controls.{CONTROL}.calls",
            "found 9 and 9",
        ),
        (_set("instructions", 0, "index", to="0"), "instructions[0].index", "int"),
        (_set("instructions", 0, "operations", "who", to=5), "operations.who", "object"),
        (
            _set(*COUNTED[:-1], to={"who": {"calls": [0, 1], "instructions": [0, 1]}}),
            "instructions[0].operations.who",
            "one of the names in cases",
        ),
        (_set("instructions", to={}), "instructions", "array"),
        (_set(*WEIGHED, "kept_bytes", to=-0.5), f"{IN_WEIGHED}.kept_bytes", "found -0.5"),
        (_set(*WEIGHED, "calls", to=-1), f"{IN_WEIGHED}.calls", "found -1"),
        (_set(*WEIGHED, "peak_bytes", to=float("inf")), f"{IN_WEIGHED}.peak_bytes", "finite"),
        (_set(*WEIGHED, "peak_bytes", to="1"), f"{IN_WEIGHED}.peak_bytes", "float"),
        (_drop(*WEIGHED, "kept_blocks"), IN_WEIGHED, "kept_blocks"),
        (
            lambda document: document["allocations"][0]["operations"].update(
                who=document["allocations"][0]["operations"].pop(NAME)
            ),
            "allocations[0].operations.who",
            "one of the names in cases",
        ),
        (_set("cases", 0, "missing", to=["latency"]), "cases[0].missing", "object"),
        (_set("signals", to=[1]), "signals[0]", "str"),
        (_set("not_available", to={"latency": 5}), "not_available.latency", "str"),
        (lambda document: document["cases"].append(document["cases"][0]), "cases[1]", "once"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_key(
    tmp_path: Path, stored: dict[str, Any], change: Change, key: str, expected: str
) -> None:
    """A wrong value deep in the file is found and named."""
    change(stored)
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(stored))
    text = refusal(path)
    assert key in text
    assert expected in text


@pytest.mark.parametrize(
    ("change", "key", "expected"),
    [
        (_set("loads", to={}), "loads", "array"),
        (_set(*LOADED, "callers", to=0), f"{IN_LOADED}.callers", "expected 1 or more, found 0"),
        (_set(*LOADED, "calls", to=[]), f"{IN_LOADED}.calls", "expected samples, found none"),
        (_set(*LOADED, "calls", 1, to=-1), f"{IN_LOADED}.calls[1]", "found -1"),
        (_set(*LOADED, "calls", 1, to=10**30), f"{IN_LOADED}.calls[1]", "found 10000"),
        (_set(*LOADED, "calls", 1, to=float("nan")), "calls[1]", "finite number, found nan"),
        (_set(*LOADED, "elapsed_ns", to=[5]), f"{IN_LOADED}.elapsed_ns", "of calls, 2, found 1"),
        (_set(*LOADED, "elapsed_ns", 0, to=0), f"{IN_LOADED}.elapsed_ns[0]", "1 or more, found 0"),
        (_set(*LOADED, "most", to=[9, 9, 9]), f"{IN_LOADED}.most", "of calls, 2, found 3"),
        (_set(*LOADED, "reads", to=[9, 9, 9]), f"{IN_LOADED}.reads", "of calls, 2, found 3"),
        (_set(*LOADED, "fewest", 1, to=999), f"{IN_LOADED}.fewest[1]", "fastest caller, found 999"),
        (_set(*LOADED, "latencies", "300", to=-1), f"{IN_LOADED}.latencies.300", "found -1"),
        (_set(*LOADED, "latencies", "300", to="5"), f"{IN_LOADED}.latencies.300", "int"),
        (_set(*LOADED, "latencies", "x", to=5), f"{IN_LOADED}.latencies", "one of its names"),
        (_set(*LOADED, "latencies", "-1", to=5), "latencies.-1", "from 0 to 2205, found -1"),
        (_set(*LOADED, "latencies", "9999", to=5), "latencies.9999", "found 9999"),
        (_set(*LOADED, "clock_ns", to=float("inf")), f"{IN_LOADED}.clock_ns", "finite"),
        (_set(*LOADED, "clock_ns", to=-0.5), f"{IN_LOADED}.clock_ns", "found -0.5"),
        (_set(*LOADED, "longest_ns", to=-1), f"{IN_LOADED}.longest_ns", "found -1"),
        (_set(*LOADED, "lags_ns", 1, to=-1), f"{IN_LOADED}.lags_ns[1]", "found -1"),
        (_set(*LOADED, "release_ns", to=-1), f"{IN_LOADED}.release_ns", "found -1"),
        (_drop(*LOADED, "fewest"), IN_LOADED, "fewest"),
        (
            _set("loads", 0, "controls", CONTROL, "elapsed_ns", 0, to=-1),
            f"loads[0].controls.{CONTROL}.elapsed_ns[0]",
            "found -1",
        ),
        (_set("loads", 0, "controls", to={}), "loads[0].controls", "expected '1xreturns'"),
        (_set(*TALLIED, "payload_runs", to=-1), f"tallies.{NAME}.payload_runs", "found -1"),
        (_set(*TALLIED, "counted", to=1e300), f"tallies.{NAME}.counted", "found 1e+300"),
        (_set(*TALLIED, "probes", to=1.5), f"tallies.{NAME}.probes", "int"),
        (
            lambda document: document["loads"][0]["tallies"].update(
                who=document["loads"][0]["tallies"].pop(NAME)
            ),
            "loads[0].tallies.who",
            "one of the names in cases",
        ),
        (
            lambda document: document["loads"][0]["operations"].update(
                who=document["loads"][0]["operations"].pop(NAME)
            ),
            "loads[0].operations.who",
            "one of the names in cases",
        ),
    ],
)
def test_loads_that_make_no_sense_are_refused_with_their_key(
    tmp_path: Path, stored: dict[str, Any], change: Change, key: str, expected: str
) -> None:
    """What was measured under load is doubted like everything else."""
    test_what_makes_no_sense_is_refused_with_its_key(tmp_path, stored, change, key, expected)
