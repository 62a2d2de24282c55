"""The same cases in several results, a column for each, compared with the first one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from resilience_bench._model import Case, Measurement, Result
from resilience_bench.environments.fingerprint import format_python_name
from resilience_bench.report import blocks
from resilience_bench.report.load_rows import format_rate, format_scaling, make_load_sort_key
from resilience_bench.report.text import clean_text
from resilience_bench.stats.correctness import describe_defect
from resilience_bench.stats.latency import estimate

LEGEND: Final = (
    "×: the column divided by the first one; for rates, higher is better. {} !: a figure that is "
    "doubted in its own table."
)
INTERLEAVED_NOTE: Final = (
    "All took turns within one run, so times compare here; ratios would not, because each "
    "reference runs under its own interpreter."
)
NOT_INTERLEAVED_NOTE: Final = (
    "These were not measured in turns, so times do not compare; "
    "'resilience-bench report ONE --against OTHER' shows what does."
)
KIND: Final = "side by side"
HEADINGS: Final = {"calls_per_s": "calls/s", "latency_ns": "{}/call", "instructions": "instr"}
"""What is compared: the first of these quantities that was measured, and its heading."""
MeasurementsByName = Mapping[str, Measurement]
"""The measurements of one result, by case name."""


def make_side_blocks(results: Sequence[Result]) -> list[blocks.Block]:
    """Return blocks of a scenario and load: libraries by rows, results by columns.

    They show the time per call, or else the instructions; under a load calls per second and
    scaling. The first result is the one that the others are compared with.
    """
    sides = [{measured.case.name: measured for measured in estimate(result)} for result in results]
    first_of = {name: measured for side in reversed(sides) for name, measured in side.items()}
    in_order = dict.fromkeys(name for side in sides for name in side)
    groups = sorted(
        blocks.group_comparable(first_of[name] for name in in_order),
        key=lambda members: make_load_sort_key(members[0].case.load),
    )
    names = name_interpreters(results)
    descriptions = {record.case.name: record.description for record in results[0].cases}
    return [
        _make_block([measured.case for measured in members], sides, names, descriptions)
        for members in groups
    ]


def explain_columns(results: Sequence[Result]) -> str:
    """Return what the columns mean, and whether their times compare: only those of one run do."""
    files = {(result.started, result.environment.python) for result in results}
    last_start = max(result.started for result in results)
    first_end = min(result.ended for result in results)
    are_interleaved = len(files) == len(results) and last_start <= first_end
    return LEGEND.format(INTERLEAVED_NOTE if are_interleaved else NOT_INTERLEAVED_NOTE)


def name_interpreters(results: Sequence[Result]) -> list[str]:
    """Return the names of the interpreters, without a common part; equal ones are numbered."""
    names = [format_python_name(result.environment) for result in results]
    if len({name.partition(" ")[0] for name in names}) == 1:
        names = [name.partition(" ")[2] for name in names]
    return [
        f"{name} #{names[:place].count(name) + 1}" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]


def _make_block(
    cases: Sequence[Case],
    sides: Sequence[MeasurementsByName],
    names: Sequence[str],
    descriptions: Mapping[str, str],
) -> blocks.Block:
    every = [side[case.name] for side in sides for case in cases if case.name in side]
    quantity = next(
        (name for name in HEADINGS if any(name in measured.quantities for measured in every)),
        "instructions",
    )
    unit = blocks.choose_unit(blocks.get_value(measured, quantity) for measured in every)
    headers: dict[str, str] = {}
    for place, name in enumerate(names):
        headers[f"{place}"] = name
        headers |= {f"{place} scaling": "scaling"} if quantity == "calls_per_s" else {}
        headers |= {f"{place} times": "×"} if place else {}
    in_order = sorted(cases, key=lambda case: (_find_sort_value(case, sides, quantity), case.name))
    rows = [_make_row(case, sides, quantity, unit) for case in in_order]
    title = f"{blocks.format_title(cases[0])}, {HEADINGS[quantity].format(unit.name)}"
    description = clean_text(descriptions.get(cases[0].name, ""))
    # A result without any of the cases keeps its column.
    return blocks.Block(clean_text(cases[0].family), title, description, headers, tuple(rows), KIND)


def _find_sort_value(case: Case, sides: Sequence[MeasurementsByName], quantity: str) -> float:
    values = (blocks.get_value(side[case.name], quantity) for side in sides if case.name in side)
    value = next(values, 0.0)
    return -value if quantity == "calls_per_s" else value


def _make_row(
    case: Case, sides: Sequence[MeasurementsByName], quantity: str, unit: blocks.TimeUnit
) -> blocks.BlockRow:
    cells: dict[str, str] = {}
    marks: dict[str, None] = {}
    first = blocks.get_value(sides[0][case.name], quantity) if case.name in sides[0] else 0.0
    for place, side in enumerate(sides):
        measured = side.get(case.name)
        if measured is None or quantity not in measured.quantities:
            continue
        value = measured.quantities[quantity].value
        doubt = "!" if measured.warnings else ""
        cells[f"{place}"] = doubt + _format_value(value, quantity, unit)
        if "scaling" in measured.quantities:
            cells[f"{place} scaling"] = format_scaling(measured.quantities["scaling"].value)
        if place and first:
            cells[f"{place} times"] = f"{value / first:.2f}"
        marks |= dict.fromkeys(map(describe_defect, measured.defects))
    return blocks.BlockRow(blocks.format_label(case), cells, tuple(marks))


def _format_value(value: float, quantity: str, unit: blocks.TimeUnit) -> str:
    if quantity == "calls_per_s":
        return format_rate(value)
    return unit.text(value) if quantity == "latency_ns" else blocks.format_count(value)
