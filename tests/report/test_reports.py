"""Table, Markdown and JSON: all that was measured, in order, and nothing that breaks a page."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from rich.console import Console

from resilience_bench._model import Case, Result, Weight
from resilience_bench.report import data, markdown, table
from resilience_bench.stats.latency import estimate
from tests.factories import (
    make_allocations,
    make_case,
    make_instructions,
    make_record,
    make_result,
    make_weight,
    measured_result,
    sample_result,
    with_all_signals,
)

SLOW, FAST = make_case("slow"), make_case("fast")


def as_table(result: Result, sort: str = "latency", *, width: int = 80) -> str:
    """The table as it is printed where there is no terminal."""
    file = io.StringIO()
    table.render(result, estimate(result), sort, Console(file=file, width=width))
    return file.getvalue()


def rows_of(text: str) -> list[list[str]]:
    """The words of each line."""
    return [line.split() for line in text.splitlines()]


def counted_result(per_call: Mapping[Case, int]) -> Result:
    """A result that has nothing but instructions."""
    records = [make_record(case) for case in per_call]
    counts = (make_instructions(per_call),)
    return make_result(records, signals=("instructions",), instructions=counts)


def weighed_result(weights: Mapping[Case, Weight]) -> Result:
    """A result that has nothing but allocations."""
    records = [make_record(case) for case in weights]
    allocations = (make_allocations(weights),)
    return make_result(records, signals=("allocations",), allocations=allocations)


def as_markdown(result: Result) -> str:
    """The result in Markdown."""
    return markdown.render(result, estimate(result), "latency")


@pytest.mark.parametrize("result", [sample_result(), with_all_signals(sample_result())])
def test_table_fits_80_columns(result: Result) -> None:
    """No line of the blocks is longer, also with the longest names of the suite."""
    lines = as_table(result).splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert any("tenacity+pybreaker,metric=labels" in line for line in lines)


def test_numbers_stand_in_their_columns() -> None:
    """A row has the label, ns per call, overhead, ratio, interval and times the fastest."""
    rows = [
        line.split()
        for line in as_table(measured_result({SLOW: 3000.0, FAST: 1000.0})).splitlines()
    ]
    assert ["fast", "1,000", "950", "2.000", "0.0%", "1.0"] in rows
    assert ["slow", "3,000", "2,950", "6.000", "0.0%", "3.0"] in rows


def test_instructions_and_memory_have_columns_of_their_own() -> None:
    """They stand behind what was timed; large counts are in millions."""
    result = replace(
        measured_result({SLOW: 3000.0, FAST: 1000.0}),
        instructions=(make_instructions({FAST: 7731, SLOW: 1_234_567}),),
        allocations=(make_allocations({FAST: make_weight(), SLOW: make_weight()}),),
    )
    rows = rows_of(as_table(result))
    assert ["fast", "1,000", "950", "2.000", "0.0%", "1.0", "7,731", "448"] in rows
    assert ["slow", "3,000", "2,950", "6.000", "0.0%", "3.0", "1.2", "M", "448"] in rows


def test_columns_without_a_value_are_left_out() -> None:
    """What no row has takes no room, and the legend does not speak of it."""
    text = as_table(measured_result({SLOW: 3000.0}))
    assert "instr" not in text
    assert "peak B" not in text
    assert ["instr"] in rows_of(as_table(counted_result({SLOW: 5000})))
    assert "nanoseconds" not in as_table(counted_result({SLOW: 5000}))


def test_a_case_without_a_signal_has_a_dash_there() -> None:
    """A row that lacks what its neighbours have still has its place."""
    result = replace(
        measured_result({SLOW: 3000.0, FAST: 1000.0}),
        instructions=(make_instructions({SLOW: 5000}),),
    )
    assert ["fast", "1,000", "950", "2.000", "0.0%", "1.0", "-"] in rows_of(as_table(result))


@pytest.mark.parametrize("sort", ["latency", "overhead", "ratio", "name"])
def test_without_latency_the_fewest_instructions_come_first(sort: str) -> None:
    """A run that counted only is shown in every order and in every format."""
    result = counted_result({SLOW: 9000, FAST: 5000})
    rows = rows_of(as_table(result, sort))
    assert rows[rows.index(["instr"]) + 1 :][:2] == [["fast", "5,000"], ["slow", "9,000"]]
    document = json.loads(data.render(result, estimate(result), sort))
    assert [entry["library"] for entry in document["cases"]] == ["fast", "slow"]
    assert "| `fast` | 5,000 |" in as_markdown(result)


def test_times_fastest_gives_way_to_the_other_columns() -> None:
    """Where 80 columns do not do it goes, and comes back on a wider terminal."""
    result = with_all_signals(sample_result())
    assert "× fastest" not in as_table(result)
    assert "peak B" in as_table(result)
    assert "× fastest" in as_table(result, width=100)


def test_the_weight_of_an_object_is_shown_instead_of_the_peak() -> None:
    """Where most calls return an object of their own, what it weighs is what people ask for."""
    heavy = make_weight(result_blocks=9.0, result_bytes=569.0)
    text = as_table(weighed_result({SLOW: heavy, FAST: heavy, make_case("none"): make_weight()}))
    assert "obj. B" in text
    assert "peak B" not in text
    assert ["slow", "569"] in rows_of(text)
    assert ["none", "0"] in rows_of(text)


def test_leftovers_of_many_calls_are_no_object_and_no_leak() -> None:
    """A cache that grew once among 64 calls does not weigh on any of them."""
    leftover = make_weight(
        kept_blocks=2 / 64, kept_bytes=5.75, result_blocks=1 / 64, result_bytes=0.5
    )
    text = as_table(weighed_result({SLOW: leftover}))
    assert ["slow", "448"] in rows_of(text)
    assert "keeps" not in text


def test_what_every_call_keeps_is_doubted() -> None:
    """A leak is marked in its row and named below."""
    result = weighed_result({SLOW: make_weight(kept_blocks=2.0, kept_bytes=128.0)})
    assert ["slow", "!448"] in rows_of(as_table(result))
    assert "! keeps 128 bytes per call (1)" in as_table(result)
    assert "keeps 128 bytes per call" in as_markdown(result)


def test_the_head_says_which_signals_were_measured() -> None:
    """Workers are counted where there is latency."""
    signals = ("latency", "instructions")
    text = as_table(measured_result({SLOW: 1000.0}, signals=signals))
    assert "profile quick: latency over 8 workers, instructions" in text
    assert "profile quick: instructions\n" in as_table(counted_result({SLOW: 5000}))


def test_signals_that_lack_are_explained_at_the_end() -> None:
    """The whole signal with what to type, single cases grouped by their reason."""
    reason = "valgrind is not installed; type: apt-get install valgrind"
    records = [
        replace(make_record(case), missing={"allocations": "its process was killed"})
        for case in (SLOW, FAST)
    ]
    result = measured_result({SLOW: 3000.0, FAST: 1000.0}, not_available={"instructions": reason})
    result = replace(result, cases=tuple(records))
    text = as_table(result)
    assert text.endswith(f"instructions: not available: {reason}\n")
    assert "no allocations: its process was killed (2)\n    breaker.closed_success[slow]" in text
    assert f"instructions: not available: {reason}" in as_markdown(result)
    assert "no allocations: its process was killed: `breaker" in as_markdown(result)
    document = json.loads(data.render(result, estimate(result), "latency"))
    assert document["signals"] == ["latency"]
    assert document["not_available"] == {"instructions": reason}
    assert document["cases"][0]["missing"] == {"allocations": "its process was killed"}


@pytest.mark.parametrize(
    ("latency_ns", "unit", "shown"),
    [
        (231.0, "ns/call", "231"),
        (21_312.0, "µs/call", "21.31"),
        (8_812_000.0, "µs/call", "8,812.00"),
        (68_000_000.0, "ms/call", "68.00"),
    ],
)
def test_unit_suits_the_size(latency_ns: float, unit: str, shown: str) -> None:
    """A block has one unit, in which its largest number is easily read."""
    text = as_table(measured_result({SLOW: latency_ns}))
    assert unit in text
    assert shown in text


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("latency", ["fast", "slow"]),
        ("overhead", ["fast", "slow"]),
        ("ratio", ["fast", "slow"]),
        ("name", ["fast", "slow"]),
    ],
)
def test_fastest_comes_first(sort: str, order: list[str]) -> None:
    """Within a scenario the rows are in the order that was asked for."""
    text = as_table(measured_result({SLOW: 3000.0, FAST: 1000.0}), sort)
    assert [word for word in text.split() if word in order] == order


def test_loads_and_payloads_have_blocks_of_their_own() -> None:
    """What runs under another load is not compared with what runs alone."""
    text = as_table(sample_result())
    assert "breaker.closed_success under threads-8 around io  What" in text


def test_what_was_not_measured_is_listed_with_its_reason() -> None:
    """Failed, broken, missing and interrupted cases do not vanish."""
    text = as_table(sample_result())
    for part in ("pip install aiobreaker", "SIGSEGV", "ran 2 times, expected 3", "interrupted"):
        assert part in text
    assert "not available: " in text


def test_many_reasons_why_cases_are_not_available_are_left_to_list() -> None:
    """They would bury what went wrong."""
    records = [
        make_record(make_case(f"lib{number}"), "not available", f"it cannot: {number}")
        for number in range(4)
    ]
    assert "4 cases are not available; 'resilience-bench list' says why" in as_table(
        make_result(records)
    )
    assert "not available: it cannot: 2" in as_table(make_result(records[:3]))


def test_doubts_are_marked_and_explained() -> None:
    """A doubted figure has a mark in its row and a sentence below the table."""
    text = as_table(measured_result({SLOW: 1000.0}, workers=3))
    assert "!0.0%" in text
    assert "only 3 workers" in text


def test_an_unfinished_run_says_so() -> None:
    """Nobody takes half a run for a whole one."""
    assert "DID NOT COME TO ITS END" in as_table(make_result(complete=False))


def test_names_are_shown_as_they_are() -> None:
    """A name that looks like markup, or holds control codes, changes nothing on the page."""
    odd = Case("mine", "run", "[bold red]x|y`z*")
    text = as_table(measured_result({odd: 1000.0}))
    assert "[bold red]x|y`z*" in text
    escape = Case("mine", "run", "a\x1b[31mb\nc")
    record = make_record(escape, "failed", "it said \x1b[2J boo\nand more")
    shown = as_table(make_result([record])) + as_table(measured_result({escape: 1000.0}))
    assert "\x1b" not in shown


def test_a_long_name_is_shown_whole() -> None:
    """A name that is wider than the terminal stands whole in one line."""
    label = "".join(chr(ord("a") + position % 26) for position in range(100))
    text = as_table(measured_result({Case("mine", "run", label): 1000.0}))
    assert label in text


def test_a_long_label_goes_on_after_a_comma() -> None:
    """Where the columns do not fit, a label is continued below, and no part of it is cut."""
    parts = [f"parameter_number_{number}={number}" for number in range(3)]
    result = measured_result({make_case(",".join(("library", *parts))): 1000.0})
    lines = as_table(result, width=80).splitlines()
    assert max(map(len, lines)) <= 80
    for part in parts:
        assert any(part in line for line in lines)
    [wide] = [line for line in as_table(result, width=200).splitlines() if "library," in line]
    assert all(part in wide for part in parts)


def test_colour_is_only_for_terminals() -> None:
    """Piped output has no escape codes; a terminal gets some."""
    result = measured_result({SLOW: 3000.0, FAST: 1000.0})
    file = io.StringIO()
    table.render(result, estimate(result), "latency", Console(file=file, force_terminal=True))
    assert "\x1b[" in file.getvalue()
    assert "\x1b[" not in as_table(result)


def test_markdown_tables_have_as_many_cells_in_every_row() -> None:
    """A pipe or a backtick in a name does not break the table."""
    odd = Case("mine", "run", "a|b`c")
    text = as_markdown(measured_result({odd: 1000.0, Case("mine", "run", "plain"): 2000.0}))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1


def test_markdown_escapes_what_people_write() -> None:
    """Descriptions and reasons are text, not HTML or links."""
    record = make_record(make_case("x"), "failed", "<script>alert(1)</script> [x](y)\nmore")
    text = as_markdown(make_result([record]))
    assert "\\<script\\>" in text
    assert "\\[x\\]" in text


def test_json_has_every_case_measured_or_not() -> None:
    """Each entry has its full name and parts; quantities stand under their own names."""
    result = sample_result()
    document = json.loads(data.render(result, estimate(result), "latency"))
    assert len(document["cases"]) == len(result.cases)
    by_name = {entry["case"]: entry for entry in document["cases"]}
    one = by_name["metrics.increment[opentelemetry_sdk,attributes=5]"]
    assert one["parameters"] == {"attributes": "5"}
    assert set(one["latency_ns"]) == {"value", "low", "high"}
    assert one["latency_ns"]["low"] <= one["latency_ns"]["value"] <= one["latency_ns"]["high"]
    assert by_name["retry.reraises[tenacity]"]["status"] == "failed"
    assert "ratio" not in by_name["retry.reraises[tenacity]"]


def test_json_is_strict() -> None:
    """No NaN and no Infinity, which other languages do not read."""

    def refuse(constant: str) -> None:
        pytest.fail(constant)

    for result in (sample_result(), make_result(), measured_result({SLOW: 0.0})):
        json.loads(data.render(result, estimate(result), "ratio"), parse_constant=refuse)
