"""What each layer of resilience adds to real calls: the shares at a glance, a column a payload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from resilience_bench._model import Case, Measurement, Result
from resilience_bench.report.blocks import NO_VALUE, Block, BlockRow, choose_unit
from resilience_bench.report.load_rows import format_points, format_share
from resilience_bench.report.text import clean_text
from resilience_bench.scenarios.loads import SINGLE
from resilience_bench.stats.load import estimate_controls

REAL_CALLS: Final = "real calls"
"""The family of these blocks."""
BARE: Final = "(bare call)"
TITLES: Final = {
    SINGLE: "what resilience adds to a real call",
    "tasks-1": "what resilience adds to a real call by a coroutine",
}
"""The loads of one caller that are shown, and how they are called."""
DESCRIPTION: Final = (
    "share: overhead divided by the bare call, ± half of its 95 % interval in percentage points"
)
MOST_PAYLOADS: Final = 6
"""Payloads side by side in a block."""
FEWEST_LAYERS: Final = 2
"""With fewer, the table of the scenario says the same."""


@dataclass(frozen=True, slots=True)
class RealCall:
    """A payload under a load, called bare, and with each layer around it.

    Attributes:
        bare: The bare call's measurement.
        layers: Those of the guarded calls by their labels, in the order of the file.
    """

    payload: str
    load: str
    bare: Measurement
    layers: Mapping[str, Measurement]


def collect_real_calls(result: Result, measurements: Sequence[Measurement]) -> list[RealCall]:
    """Return the real calls by one caller that were measured, in the order of the file."""
    controls = estimate_controls(result)
    keys = {record.case.name: record.control for record in result.cases}
    layers: dict[tuple[str, str], dict[str, Measurement]] = {}
    bare: dict[tuple[str, str], Measurement] = {}
    for measured in measurements:
        case = measured.case
        control = controls.get(keys.get(case.name, ""))
        if case.is_real and case.load in TITLES and control and "share" in measured.quantities:
            place = (case.load, case.payload)
            bare[place] = control
            layers.setdefault(place, {})[format_layer(case)] = measured
    return [
        RealCall(payload, load, bare[load, payload], found)
        for (load, payload), found in layers.items()
    ]


def format_layer(case: Case) -> str:
    """Return the label of a layer: its scenario and its library."""
    parameters = ",".join(f"{key}={value}" for key, value in case.parameters)
    names = (case.scenario.removeprefix("async_"), case.library, parameters)
    return clean_text(" ".join(filter(None, names)))


def make_real_blocks(result: Result, measurements: Sequence[Measurement]) -> list[Block]:
    """Return the shares at a glance: a row for each layer, a column for each payload."""
    calls = collect_real_calls(result, measurements)
    calls = [call for call in calls if len(call.layers) >= FEWEST_LAYERS]
    return [
        _make_block(title, found[start : start + MOST_PAYLOADS])
        for load, title in TITLES.items()
        for found in [[call for call in calls if call.load == load]]
        for start in range(0, len(found), MOST_PAYLOADS)
    ]


def _make_block(title: str, calls: Sequence[RealCall]) -> Block:
    labels = dict.fromkeys(label for call in calls for label in call.layers)
    bare = {call.payload: _format_bare(call.bare) for call in calls}
    rows = [BlockRow(BARE, bare, is_control=True)]
    for label in labels:
        found = {call.payload: call.layers[label] for call in calls if label in call.layers}
        rows.append(BlockRow(label, {name: _format_share(one) for name, one in found.items()}))
    headers = {call.payload: clean_text(call.payload) for call in calls}
    return Block(REAL_CALLS, title, DESCRIPTION, headers, tuple(rows), REAL_CALLS)


def _format_bare(bare: Measurement) -> str:
    time_ns = bare.quantities["call_ns"].value
    unit = choose_unit([time_ns])
    return f"{unit.text(time_ns)} {unit.name}"


def _format_share(measured: Measurement) -> str:
    share = measured.quantities["share"]
    mark = "!" if measured.warnings else ""
    points = NO_VALUE if measured.workers == 1 else format_points(share)
    return f"{mark}{format_share(share.value)} ±{points}"
