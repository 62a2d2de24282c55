"""The same cases in several results, side by side: a column each, and how many times the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from resilience_bench._model import Case, Measurement, Result
from resilience_bench.environments.fingerprint import format_python_name
from resilience_bench.report.blocks import (
    Block,
    BlockRow,
    TimeUnit,
    choose_unit,
    format_count,
    format_label,
    format_title,
    get_value,
    group_comparable,
)
from resilience_bench.report.load_rows import format_rate, format_scaling, make_load_sort_key
from resilience_bench.report.text import clean_text
from resilience_bench.stats.correctness import describe_defect
from resilience_bench.stats.latency import estimate

LEGEND: Final = (
    "× is how many times the first column; of rates more is better. {} !: a figure that its own "
    "table doubts."
)
INTERLEAVED_NOTE: Final = (
    "All took turns within one run, so times compare here; a ratio to the reference would not, for "
    "the reference runs under the same interpreter."
)
NOT_INTERLEAVED_NOTE: Final = (
    "These were not measured in turns: times of different hours do not compare, however alike they "
    "look; 'resilience-bench report ONE --against OTHER' shows what does."
)
KIND: Final = "side by side"
MeasurementsByName = Mapping[str, Measurement]
"""The measurements of one result, by case name."""


def make_side_blocks(results: Sequence[Result]) -> list[Block]:
    """Blocks of a scenario and load: libraries by rows, results by columns.

    Shown is the time per call, or else the instructions; under a load calls a second and scaling.

    Args:
        results: Of the same plan; the first one is what the others are compared with.
    """
    told = [{each.case.name: each for each in estimate(result)} for result in results]
    first_of: dict[str, Measurement] = {}
    for each in told:
        for name, measured in each.items():
            first_of.setdefault(name, measured)
    descriptions = {record.case.name: record.description for record in results[0].cases}
    groups = sorted(
        group_comparable(first_of.values()), key=lambda each: make_load_sort_key(each[0].case.load)
    )
    names = name_interpreters(results)
    return [
        _make_block([each.case for each in members], told, names, descriptions)
        for members in groups
    ]


def explain_columns(results: Sequence[Result]) -> str:
    """What the columns say, and whether their times compare: only those of one run do."""
    files = {(each.started, each.environment.python) for each in results}
    last_start = max(each.started for each in results)
    first_end = min(each.ended for each in results)
    took_turns = len(files) == len(results) and last_start <= first_end
    return LEGEND.format(INTERLEAVED_NOTE if took_turns else NOT_INTERLEAVED_NOTE)


def name_interpreters(results: Sequence[Result]) -> list[str]:
    """The interpreters by name, without what all have in common; numbered where two are alike."""
    names = [format_python_name(each.environment) for each in results]
    implementations = {name.partition(" ")[0] for name in names}
    if len(implementations) == 1:
        names = [name.partition(" ")[2] for name in names]
    return [
        f"{name} #{names[:place].count(name) + 1}" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]


def _make_block(
    cases: Sequence[Case],
    told: Sequence[MeasurementsByName],
    names: Sequence[str],
    descriptions: Mapping[str, str],
) -> Block:
    every = [each[case.name] for each in told for case in cases if case.name in each]
    is_loaded = any("calls_per_s" in each.quantities for each in every)
    times = any("latency_ns" in each.quantities for each in every)
    quantity = "calls_per_s" if is_loaded else "latency_ns" if times else "instructions"
    unit = choose_unit(get_value(each, quantity) for each in every)
    headers: dict[str, str] = {}
    for place, name in enumerate(names):
        headers[f"{place}"] = name
        headers |= {f"{place} scaling": "scaling"} if is_loaded else {}
        headers |= {f"{place} times": "×"} if place else {}
    in_order = sorted(cases, key=lambda case: (_find_sort_value(case, told, quantity), case.name))
    rows = tuple(_make_row(case, told, quantity, unit) for case in in_order)
    what = {"calls_per_s": "calls/s", "latency_ns": f"{unit.name}/call", "instructions": "instr"}
    title = f"{format_title(cases[0])}, {what[quantity]}"
    return Block(title, clean_text(descriptions.get(cases[0].name, "")), headers, rows, KIND)


def _find_sort_value(case: Case, told: Sequence[MeasurementsByName], quantity: str) -> float:
    values = (get_value(each[case.name], quantity) for each in told if case.name in each)
    value = next(values, 0.0)
    return -value if quantity == "calls_per_s" else value


def _make_row(
    case: Case, told: Sequence[MeasurementsByName], quantity: str, unit: TimeUnit
) -> BlockRow:
    cells: dict[str, str] = {}
    marks: dict[str, None] = {}
    first = get_value(told[0][case.name], quantity) if case.name in told[0] else 0.0
    for place, each in enumerate(told):
        measured = each.get(case.name)
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
    return BlockRow(format_label(case), cells, tuple(marks))


def _format_value(value: float, quantity: str, unit: TimeUnit) -> str:
    if quantity == "calls_per_s":
        return format_rate(value)
    return unit.text(value) if quantity == "latency_ns" else format_count(value)
