"""Table, Markdown and JSON of what was measured under load."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from resilience_bench._model import Case, Result, Tally
from resilience_bench.report import data
from resilience_bench.report.load_rows import make_load_sort_key
from resilience_bench.stats.latency import estimate
from tests.factories import make_case, make_result, measured_result
from tests.load_factories import (
    concurrency_result,
    control_of,
    histogram,
    loaded_result,
    make_load_record,
    make_load_samples,
    make_loads,
    make_tally,
)
from tests.report.test_reports import as_markdown, as_table, rows_of

SLOW, FAST = (make_case(name, load="threads-16", payload="io") for name in ("slow", "fast"))
RATES = {SLOW: 800.0, FAST: 9000.0}
WORKERS = 6


def result_of(rates: dict[Case, float], *, tallies: dict[str, Tally] | None = None) -> Result:
    """A result in which these cases have these rates and the bare call 10,000 calls a second."""
    records = [
        make_loads(case, (rate,) * 4, index=index, tallies=tallies or {})
        for index in range(WORKERS)
        for case, rate in rates.items()
    ]
    return loaded_result(records, rates)


def timed_result(case: Case, **more: object) -> Result:
    """A result of one case whose single calls took 1 ms, a few of them 9 ms."""
    samples = make_load_samples(
        (9000.0,) * 4,
        16,
        latencies=histogram([1e6] * 9900 + [9e6] * 100),
        longest_ns=12_000_000,
        **more,
    )
    record = make_loads(case, (9000.0,), operations={case.name: samples})
    return loaded_result([record] * WORKERS, [case])


def after(text: str, title: str) -> list[list[str]]:
    """The words of the lines after a title."""
    lines = text.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(title))
    return [line.split() for line in lines[start + 1 :]]


def test_a_load_has_a_block_with_the_bare_call_first_and_the_best_next() -> None:
    """Rate, scaling and what a caller waits; labels do not repeat the load."""
    rows = after(as_table(result_of(RATES)), "breaker.closed_success under threads-16 around io")
    assert rows[0] == ["calls/s", "scaling", "±", "ms/call", "fair"]
    assert rows[1] == ["(bare", "call)", "10,000", "1", "-", "1.60", "0.90"]
    assert rows[2] == ["fast", "9,000", "0.900", "0.0%", "1.78", "0.90"]
    assert rows[3] == ["slow", "800", "0.080", "0.0%", "20.0", "0.90"]


def test_percentiles_have_columns_in_the_unit_of_the_block() -> None:
    """p50, p99, p99.9 and the longest; the header of the first one says the unit."""
    text = as_table(timed_result(FAST))
    assert "calls/s scaling    ± ms/call p50 ms   p99 p99.9  max fair" in text
    assert "  9,000   0.900 0.0%    1.78  0.997 0.997  8.98 12.0 0.90" in text


@pytest.mark.parametrize(
    ("lags_ns", "shown"), [((2_000_000,) * 100, "2.00"), ((3_000_000,), "≤3.00"), ((), None)]
)
def test_tasks_show_the_lag_of_their_loop(lags_ns: tuple[int, ...], shown: str | None) -> None:
    """Where there were too few ticks for a percentile, the latest tick bounds it."""
    samples = make_load_samples((9000.0,) * 4, 16, lags_ns=lags_ns)
    case = make_case("fast", "breaker.async_closed_success", load="tasks-16", payload="io")
    record = make_loads(case, (9000.0,), operations={case.name: samples})
    text = as_table(loaded_result([record], [case]))
    assert ("lag p99" in text) is (shown is not None)
    assert shown is None or shown in text


def test_mixed_loads_show_the_rate_of_their_readers() -> None:
    """What reading costs the writers is half of the answer; what the readers get is the other."""
    case = make_case("fast", "metrics.labels_inc", load="mixed-7-1")
    samples = make_load_samples((5e6,) * 4, 7, elapsed_ns=10_000_000, reads=(40_000,) * 4)
    record = make_loads(case, (5e6,), (8e6,) * 4, operations={case.name: samples})
    rows = after(as_table(loaded_result([record], [case])), "metrics.labels_inc under mixed-7-1")
    assert rows[0][-1] == "reads/s"
    assert rows[2] == ["fast", "5.00", "M", "0.625", "!-", "1,400", "0.90", "4.00", "M"]


def test_what_is_wrong_is_marked_beneath_its_row() -> None:
    """In words, so that it is read without colour too; the row stays where its rate puts it."""
    result = result_of(RATES, tallies={FAST.name: make_tally(12)})
    lines = as_table(result).splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith("fast"))
    assert lines[at + 1] == "  ! loses counts: 144 of 12,000"
    assert lines[at + 2].startswith("slow")
    assert lines[at].index("9,000") + len("9,000") == lines[at + 2].index("800") + len("800")
    assert "`fast`<br>! loses counts: 144 of 12,000 |" in as_markdown(result)


@pytest.mark.parametrize("sort", ["latency", "overhead", "ratio", "name"])
def test_every_order_keeps_the_bare_call_first(sort: str) -> None:
    """The best first, or by name."""
    rows = rows_of(as_table(result_of(RATES), sort))
    found = [row[0] for row in rows if row and row[0] in {"(bare", "fast", "slow"}]
    assert found == ["(bare", "fast", "slow"]


def test_blocks_come_by_scenario_payload_and_number_of_callers() -> None:
    """Whatever the order of the file; without a load come first; descriptions are said once."""
    text = as_table(concurrency_result(workers=2))
    titles = [
        line
        for line in text.splitlines()
        if line.startswith(("breaker.", "metrics.", "composed.", "control."))
    ]
    loaded = [line for line in titles if " under " in line or " around " in line]
    assert titles[-len(loaded) :] == loaded
    assert [line.split("  ")[0] for line in loaded[:9]] == [
        "breaker.closed_success around io",
        *(f"breaker.closed_success under threads-{n} around io" for n in (1, 2, 4, 8, 16, 32)),
        "breaker.closed_success under threads-1",
        "breaker.closed_success under threads-2",
    ]
    assert text.count("What closed_success does") == 2


def test_loads_are_ordered_by_kind_and_then_by_number() -> None:
    """Ten comes after two; what is no load comes last."""
    loads = ["tasks-10", "threads-16", "odd", "threads-2", "mixed-4-4", "single", "mixed-1-7"]
    assert sorted(loads, key=make_load_sort_key) == [
        "single",
        "threads-2",
        "threads-16",
        "tasks-10",
        "mixed-1-7",
        "mixed-4-4",
        "odd",
    ]


def test_everything_fits_80_columns() -> None:
    """Under every load, with the libraries of the suite."""
    lines = as_table(concurrency_result(workers=3)).splitlines()
    assert max(map(len, lines)) <= 80


def test_a_long_label_takes_the_place_of_what_is_implied() -> None:
    """The average wait follows from the rate, so it gives way; a wide terminal shows it."""
    case = make_case("tenacity+pybreaker,metric=labels", load="threads-16", payload="io")
    result = timed_result(case)
    assert "ms/call" not in as_table(result)
    assert "p50 ms" in as_table(result)
    assert max(map(len, as_table(result).splitlines())) <= 80
    assert "ms/call" in as_table(result, width=120)


def test_legends_speak_of_the_columns_that_are_there() -> None:
    """Of rates where there are rates, of latency where there is latency."""
    rates = " ".join(as_table(result_of(RATES)).split())
    assert "the line to reach" in rates
    assert "reads/s" not in rates
    assert "reference" not in rates
    assert "line to reach" not in as_table(measured_result({make_case(): 1000.0}))


def test_the_head_counts_the_workers_of_the_loads() -> None:
    """They are not those of the latency."""
    assert "profile quick: scaling over 6 workers" in as_table(result_of(RATES))


def test_what_hung_is_shown_with_every_place() -> None:
    """A place a line, in the table and in Markdown; nothing of it is markup."""
    reason = "no call ended for 30 s: a.py:1 in [call] | b.py:2 in wait"
    result = make_result([make_load_record(FAST, "hung", reason)])
    assert "hung: no call ended for 30 s: a.py:1 in [call]\n  b.py:2 in wait (1)\n" in as_table(
        result
    )
    assert "in \\[call\\]<br>b.py:2 in wait: `breaker.closed" in as_markdown(result)


def test_warnings_are_marked_at_the_interval_and_explained() -> None:
    """As they are without a load."""
    text = as_table(few_workers())
    assert " 0.700 !" in text
    assert "only 2 workers; need at least 5" in text


def few_workers() -> Result:
    """A result of two workers that do not agree."""
    records = [make_loads(FAST, (rate,) * 4, index=int(rate)) for rate in (5000.0, 9000.0)]
    return loaded_result(records, [FAST])


def test_markdown_has_the_same_blocks() -> None:
    """Each with as many cells in every row."""
    text = as_markdown(concurrency_result(workers=2))
    assert "### `breaker.closed_success under threads-16 around io`" in text
    rows = [line for line in text.splitlines() if line.startswith("| `(bare call)`")]
    assert len(rows) == 29
    lines = text.splitlines()
    for at, line in enumerate(lines):
        if line.startswith("| --- "):
            assert line.count("|") == lines[at - 1].count("|") == lines[at + 1].count("|")


def test_a_block_may_have_two_bare_calls() -> None:
    """Where cases have different controls, each is shown, with its name."""
    one, two = (make_load_record(case) for case in (FAST, SLOW))
    other = replace(two, control="3xreturns threads-16 io")
    controls = {
        control_of(FAST): make_load_samples((1e4,)),
        other.control: make_load_samples((3e3,)),
    }
    operations = {case.name: make_load_samples((rate,)) for case, rate in RATES.items()}
    record = make_loads(FAST, (), controls=controls, operations=operations)
    text = as_table(replace(loaded_result([record], []), cases=(one, other)))
    assert "(bare call) 1xreturns" in text
    assert "(bare call) 3xreturns" in text


def test_json_has_the_cases_in_a_natural_order() -> None:
    """By scenario, those without a load first, then by payload and load, the best first."""
    result = concurrency_result(workers=2)
    document = json.loads(data.render(result, estimate(result), "latency"))
    entries = [each for each in document["cases"] if each["family"] == "metrics"]
    loads = list(dict.fromkeys(each["load"] for each in entries))
    assert loads[:4] == ["single", "threads-1", "threads-2", "threads-4"]
    rates = [
        entry["calls_per_s"]["value"]
        for entry in entries
        if entry["scenario"] == "labels_inc" and entry["load"] == "threads-8"
    ]
    assert rates == sorted(rates, reverse=True)
    hung = document["cases"][-1]
    assert (hung["status"], hung["marks"], hung["timed_calls"]) == ("hung", [], 0)
